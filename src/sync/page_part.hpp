// Some of the rows of a page, as a page of their own with what is written with them: so that a page
// can be written in several transactions. The rest of the page stays as it was, and is whole again
// when the part ends; the part's views point into it.
#pragma once
#include "sync/range_walker.hpp"

namespace billstack::sync {

class PagePart {
  public:
    // The next rows after those that are written, at most `most` (0: all). whole is borrowed.
    PagePart(PendingPage &whole, std::size_t most);
    ~PagePart();
    PagePart(const PagePart &) = delete;
    PagePart &operator=(const PagePart &) = delete;

    // Where the range stands once the part is written: after its last object.
    PendingPage &page() { return part_; }
    std::size_t rows() const { return part_.fetched->rows.size(); }
    // Nothing is left of the page after it.
    bool is_rest() const { return rest_; }

  private:
    void take_lists();
    void give_back();

    PendingPage &whole_;
    PendingPage part_;
    bool rest_ = true;
    std::size_t first_parent_ = 0;
    std::vector<std::size_t> more_; // places of the pages of children in the whole
};

} // namespace billstack::sync
