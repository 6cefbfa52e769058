// From states read at Stripe to rows of the mirror: looks up what is stored, decides per object,
// and writes what is newer, a kind at a time in a fixed order. The store is a port; src/pg fills
// it.
#pragma once
#include "sync/ordering.hpp"
#include "sync/row.hpp"
#include "json/object_page.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::sync {

// The mirror of one integration, inside a transaction the caller owns.
class MirrorStore {
  public:
    virtual ~MirrorStore() = default;
    // In the order of ids; absent ones have exists == false.
    virtual std::vector<StoredState> stored_states(const stripe::Kind &kind,
                                                   const std::vector<std::string_view> &ids) = 0;
    // Rows sorted by id, no id twice, values filled. Returns the rows written.
    virtual std::int64_t upsert(const RowBatch &batch) = 0;
    // Children of parent_ids that are not among kept_ids become tombstones, unless newer.
    virtual std::int64_t tombstone_missing(const stripe::ChildList &list,
                                           const std::vector<std::string_view> &parent_ids,
                                           const std::vector<std::string_view> &kept_ids,
                                           const AsOf &as_of) = 0;
};

// A page of children read by a request of its own, because the parent carried only the first ten.
struct ChildPage {
    const stripe::ChildList *list = nullptr;
    std::string parent_id;
    json::ListPage page;
    std::vector<Row> rows; // into page
    AsOf as_of;
};

// The child lists found inside one object of a page.
struct ParentLists {
    std::size_t parent; // index into FetchedPage::rows
    std::vector<ChildRows> lists;
};

// A page with everything that must be written with it. Views point into the pages held here.
struct FetchedPage {
    const stripe::Kind *kind = nullptr;
    json::ListPage page;
    std::vector<Row> rows;
    std::vector<ParentLists> parents; // kinds with children only
    std::vector<std::unique_ptr<ChildPage>> more;
    AsOf as_of;
};

// Splits a list body into rows and finds the child lists. Throws core::Error(stripe_unreachable).
std::unique_ptr<FetchedPage> read_page(const stripe::Kind &kind, std::string body,
                                       const AsOf &as_of);

struct ApplyReport {
    std::int64_t read = 0;    // objects of the page
    std::int64_t changed = 0; // rows written, children and tombstones included
    std::int64_t unchanged = 0;
    std::int64_t older = 0; // left alone: the mirror holds a newer state
};

ApplyReport apply_page(MirrorStore &store, FetchedPage &page, Source source,
                       const std::string &api_version);

} // namespace billstack::sync
