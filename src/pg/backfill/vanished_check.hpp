// The part of a backfill that notices what Stripe no longer lists: after each page the mirror's
// rows of the time it covers are compared with it, and what it does not name is read once more by
// id (refetch, reason 'vanished'). Nothing becomes a tombstone here.
#pragma once
#include "pg/backfill/backfill_store.hpp"
#include "pg/backfill/vanished_store.hpp"
#include "sync/page_part.hpp"

namespace billstack::pg {

class VanishedCheck {
  public:
    VanishedCheck(std::int64_t run_id, MirrorTarget target)
        : run_id_(run_id), target_(std::move(target)) {}

    // Before the run's first page, in a transaction of its own: which tables hold rows. The first
    // copy of a kind is not compared with anything.
    void settle_kinds(const std::vector<std::string> &objects, Oid owner);
    // The same when a table is locked: all may hold rows.
    void assume_kinds(const std::vector<std::string> &objects);

    // In the transaction that writes that part of a page, in the owner's UserContext. Returns the
    // ids to be stored with the range.
    sync::ListEdge compare(const sync::RangeWalker &walker, const sync::PendingPage &whole,
                           sync::PagePart &part);
    // The transaction has been committed.
    void written(const sync::RangeWalker &walker);
    // Since it was asked last: something is to be read once more.
    bool take_asked() { return std::exchange(asked_, false); }

  private:
    bool applies_to(const stripe::Kind &kind) const;
    sync::VanishedScan &scan_of(const sync::RangeWalker &walker);
    void ask_for_missing(const stripe::Kind &kind, const sync::CoveredSpan &span,
                         const sync::VanishedScan &scan, std::int64_t as_of);

    std::int64_t run_id_;
    MirrorTarget target_;
    std::set<std::string, std::less<>> kinds_; // held rows before the run
    SpanPlans plans_;
    std::map<std::pair<const stripe::Kind *, int>, sync::VanishedScan> scans_;
    std::optional<sync::VanishedScan> next_; // once the page is committed
    bool asked_ = false;
};

} // namespace billstack::pg
