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

    // In the transaction that writes that part of a page, in the owner's UserContext, before its
    // rows. False: more is missing than is asked for in one transaction. That much is asked for,
    // nothing else is to be written with it, and the part is to come again.
    bool find_missing(const sync::RangeWalker &walker, const sync::PendingPage &whole,
                      sync::PagePart &part);
    // After its rows: asks for what find_missing() has found. Returns the ids to be stored with the
    // range.
    sync::ListEdge ask_for_missing(const stripe::Kind &kind);
    // The transaction has been committed: of find_missing() alone, or of the whole part.
    void asked_some(const sync::RangeWalker &walker);
    void written(const sync::RangeWalker &walker);
    // Since it was asked last: something is to be read once more.
    bool take_asked() { return std::exchange(asked_, false); }

  private:
    bool applies_to(const stripe::Kind &kind) const;
    sync::VanishedScan &scan_of(const sync::RangeWalker &walker);
    // What was asked for of a part that came again; its page is known by its window and its place.
    struct Asked {
        std::int64_t as_of = 0;
        std::size_t rows = 0;
        std::string cursor;
        std::string after; // the last id that was looked at
    };
    bool look(const sync::RangeWalker &walker, const sync::CoveredSpan &span, const Asked &now);
    void ask(const stripe::Kind &kind, const std::vector<std::string> &ids);

    std::int64_t run_id_;
    MirrorTarget target_;
    std::set<std::string, std::less<>> kinds_; // held rows before the run
    SpanPlans plans_;
    std::map<std::pair<const stripe::Kind *, int>, sync::VanishedScan> scans_;
    std::optional<sync::VanishedScan> next_; // once the page is committed
    std::vector<std::string> listed_;        // of the part
    std::vector<std::string> missing_;
    std::string after_;        // once that is committed
    std::int64_t counted_ = 0; // of asked_for_, likewise
    std::map<std::pair<const stripe::Kind *, int>, Asked> parts_;
    std::map<const stripe::Kind *, std::int64_t> asked_for_;
    bool asked_ = false;
};

} // namespace billstack::pg
