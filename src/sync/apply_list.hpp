// Lists that hang on one object of another kind and are never inside it (tax ids of a customer):
// what a page of them, or one of them read by itself, says of the mirror's rows.
#pragma once
#include "sync/apply.hpp"

namespace billstack::sync {

// A page whose only_list is set: one list per object of it.
ApplyReport apply_only_list(MirrorStore &store, const FetchedPage &page, Source source,
                            const std::string &api_version);

} // namespace billstack::sync
