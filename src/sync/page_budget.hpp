// How many bytes of pages are fetched and not yet written, over all walkers that share a budget. A
// list page is asked for only while there is room; one at least is always on its way or to be
// written, so nothing waits for ever. The lists of a page's objects may be longer than all of it:
// without room objects are written as soon as their own lists are complete.
#pragma once
#include "core/pure.hpp"

#include <cstddef>

namespace billstack::sync {

struct PageBudget {
    std::size_t limit = std::size_t{16} << 20; // bytes
    std::size_t held = 0;                      // pages, and what is expected of calls on their way
    int moving = 0; // calls on their way and pages that can be written: they will make room

    bool has_room() const { return held < limit || moving == 0; }
};

} // namespace billstack::sync
