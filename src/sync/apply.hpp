// From states read at Stripe to rows of the mirror: looks up what is stored, decides per object,
// and writes what is newer, a kind at a time in a fixed order. The store is a port; src/pg fills
// it.
#pragma once
#include "core/clock.hpp"
#include "sync/ordering.hpp"
#include "sync/row.hpp"
#include "json/object_page.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::sync {

// By then the second of a tie has passed: the read is newer than every event of it, and more events
// of a storm have come.
inline constexpr core::Milliseconds tie_delay{1000};

// An object to be read from Stripe once more. Requests for one object are one row, one read.
struct RefetchRequest {
    const stripe::Kind *kind = nullptr;
    std::string id;          // of the parent where the kind hangs on one (active entitlements)
    const char *reason = ""; // tie, overlap, children, late, thin, entitlements, parent, test_clock
    core::Milliseconds delay{}; // from now
};

// Rows that become tombstones and keep their last known columns.
struct Deletion {
    std::string_view id;
    RowOrigin origin;
};

// Children of parent_id that are not among the kept ones are gone as of the window.
struct CompleteList {
    std::string_view parent_id;
    AsOf as_of;
};

struct SeenAgain {
    std::string_view id;
    std::int64_t second;
};

struct MissingChild {
    std::string id;
    std::string parent_id;
};

// The mirror of one integration, inside a transaction the caller owns.
class MirrorStore {
  public:
    virtual ~MirrorStore() = default;
    // In the order of ids; absent ones have exists == false.
    virtual std::vector<StoredState> stored_states(const stripe::Kind &kind,
                                                   const std::vector<std::string_view> &ids) = 0;
    // The stored bytes of one object; empty when it is not there.
    virtual std::string stored_raw(const stripe::Kind &kind, std::string_view id) = 0;
    // Whether rows of the kind have all been new lately, so that insert_absent() may be tried
    // before it is looked what is stored.
    virtual bool expects_absent(const stripe::Kind &) { return false; }
    // As upsert(), origins saying that nothing is replaced. False, with nothing written: a row is
    // stored, or this store cannot tell.
    virtual bool insert_absent(const RowBatch &) { return false; }
    // Rows sorted by id, no id twice, values filled. Returns the rows written. Throws
    // core::Error(changed_meanwhile) when a row is no longer the one that origin.replaces names.
    virtual std::int64_t upsert(const RowBatch &batch) = 0;
    // Sorted by id; rows that exist. Throws like upsert().
    virtual std::int64_t mark_deleted(const stripe::Kind &kind, Source source,
                                      const std::vector<Deletion> &deletions) = 0;
    // Children that are certainly newer stay.
    virtual std::int64_t tombstone_missing(const stripe::ChildList &list, Source source,
                                           const std::vector<CompleteList> &parents,
                                           const std::vector<std::string_view> &kept_ids) = 0;
    // Live children of these parents that are not among the kept ones, but for certainly newer
    // ones; at most so many.
    virtual std::vector<MissingChild>
    missing_children(const stripe::ChildList &list, const std::vector<CompleteList> &parents,
                     const std::vector<std::string_view> &kept_ids, std::int64_t most) = 0;
    // Of a kind that is read as its parent's list only: up to which second each parent's list was
    // read by itself, as remember_seen() was told; ids point into parents. Others are left out.
    virtual std::vector<SeenAgain> lists_read(const stripe::Kind &kind,
                                              const std::vector<std::string_view> &parents) = 0;
    // StoredState::seen_at of these rows, or lists_read() of these parents, unless a later one is
    // known.
    virtual void remember_seen(const stripe::Kind &kind, const std::vector<SeenAgain> &seen) = 0;
    virtual void request_refetches(const std::vector<RefetchRequest> &requests) = 0;
    virtual bool has_table(const stripe::Kind &kind) = 0;
    // Further kinds get their tables on first use.
    virtual void ensure_table(const stripe::Kind &kind) = 0;
};

// A page of children read by a request of its own, because the parent carried only the first ten.
struct ChildPage {
    const stripe::ChildList *list = nullptr;
    std::string parent_id;
    json::ListPage page;
    std::vector<Row> rows; // into page
    AsOf as_of;
    std::size_t bytes = 0; // of the answer
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
    // Not null: the objects were read for this list of theirs only, and are not written.
    const stripe::ChildList *only_list = nullptr;
};

// Splits a list body into rows and finds the child lists. Throws core::Error(stripe_unreachable).
std::unique_ptr<FetchedPage> read_page(const stripe::Kind &kind, std::string body,
                                       const AsOf &as_of);

// The same for the body of an answer that is one object.
std::unique_ptr<FetchedPage> read_object(const stripe::Kind &kind, std::string body,
                                         const AsOf &as_of);

struct ApplyReport {
    std::int64_t read = 0;    // objects of the page
    std::int64_t changed = 0; // rows written, children and tombstones included
    std::int64_t unchanged = 0;
    std::int64_t older = 0;   // left alone: the mirror holds a newer state
    std::int64_t unclear = 0; // left alone: read once more
    // Of the page's objects those that were written, or children of theirs may have been.
    std::vector<std::string> touched = {};
};

ApplyReport apply_page(MirrorStore &store, FetchedPage &page, Source source,
                       const std::string &api_version);

// A page of one object that was read because it was asked for when the stored row had the version
// sent_at (0: there was none).
ApplyReport apply_refetched(MirrorStore &store, FetchedPage &page, std::int64_t sent_at,
                            const std::string &api_version);

// The stored row when a request was sent.
struct SentState {
    std::int64_t version = 0; // 0: there was none
    std::optional<std::int64_t> seen_at;
};

// A page of one object, the answer to a write: newer than the row the write met, also where an
// event has shown that row in the same second. Such an event may have come while the write was
// under way, so a refetch is asked for then.
ApplyReport apply_answer(MirrorStore &store, FetchedPage &page, const SentState &sent,
                         const std::string &api_version);

// Stripe has no such object, said in that window: a tombstone stays, also of one the mirror never
// had, for a page read earlier may be still to come. False: the row has changed since sent_at and
// the answer says nothing certain; it has to be asked again.
bool apply_gone(MirrorStore &store, const stripe::Kind &kind, const std::string &id,
                std::int64_t sent_at, const AsOf &as_of);

// The whole of a list that hangs on one parent (active entitlements of a customer); the pages'
// windows may differ. What is not in it is gone.
ApplyReport apply_parent_list(MirrorStore &store, const stripe::ChildList &list,
                              const std::string &parent_id,
                              const std::vector<std::unique_ptr<ChildPage>> &pages,
                              const std::string &api_version);
// Stripe has no such parent, said in that window: its list is empty.
void apply_parent_gone(MirrorStore &store, const stripe::ChildList &list,
                       const std::string &parent_id, const AsOf &as_of);

} // namespace billstack::sync
