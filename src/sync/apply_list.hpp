// Lists that hang on one object of another kind and are never inside it (tax ids of a customer):
// what a page of them, or one of them read by itself, says of the mirror's rows.
#pragma once
#include "sync/apply.hpp"

namespace billstack::sync {

// A page whose only_list is set: one list per object of it.
ApplyReport apply_only_list(MirrorStore &store, const FetchedPage &page, Source source,
                            const std::string &api_version);

// These objects are gone: what hangs on them in lists of its own, and lives on in the mirror, is
// read once more. Stripe deletes a customer's tax ids with it, and detaches its payment methods,
// without a word of each.
void ask_for_dependents(MirrorStore &store, const stripe::Kind &parent,
                        const std::vector<CompleteList> &gone);

} // namespace billstack::sync
