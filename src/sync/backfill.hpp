// One backfill of one integration as a worker runs it: first the newest event's id and Stripe's
// clock, then a walker per range, several kinds in flight. No server, no network of its own: calls
// go through the Caller, pages come out of next_ready() and are written by src/pg.
//
// A kind that needs more requests at once than it has ranges asks for a cut: next_cut() says where,
// the owner of the table stores it and tells what came of it. Several workers may each have a run
// of the same backfill, with ranges of their own.
#pragma once
#include "sync/range_split.hpp"
#include "sync/range_walker.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace billstack::sync {

struct RangeSpec {
    const stripe::Kind *kind = nullptr;
    int range_no = 0;
    RangePosition position;
};

// A range in two: the newer piece keeps its number, cursor and upper end and ends at kept_gte;
// older is everything below it, not begun. Both pieces together are the range as it stood.
struct RangeCut {
    const stripe::Kind *kind = nullptr;
    int range_no = 0;          // of the range that is cut
    std::int64_t kept_gte = 0; // unix seconds
    RangePosition older;       // [old created_gte, kept_gte - 1], no cursor
};

struct BackfillOptions {
    WalkerOptions walker;
    // What Stripe allows in a second: https://docs.stripe.com/rate-limits. 0: no limit.
    double endpoint_rate = 25;
    double total_rate = 100; // a sandbox: 25
    // Nothing is likely to be older, e.g. the account's beginning; a hint, not a limit. Unix
    // seconds.
    std::optional<std::int64_t> likely_start;
};

class BackfillRun {
  public:
    // finished: no range of this run is left to walk; add_range() makes it copying again.
    enum class Phase { opening, copying, finished };

    // start_known: the run's start on Stripe's clock is stored already (it is resumed).
    BackfillRun(stripe::Caller &caller, const core::Clock &clock, BackfillOptions options,
                std::vector<RangeSpec> ranges, bool start_known);
    ~BackfillRun();
    BackfillRun(const BackfillRun &) = delete;
    BackfillRun &operator=(const BackfillRun &) = delete;

    // The run's start, known once the phase has left `opening`. Unix seconds on Stripe's clock.
    struct Start {
        std::int64_t stripe_time = 0;
        std::string newest_event_id; // empty: none, or the key may not read events
    };
    const Start &start() const { return start_; }
    // Why the run cannot open yet, "" when it does; plain words.
    const std::string &opening_error() const { return opening_error_; }
    Phase phase() const { return phase_; }

    void advance();
    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    // A page that can be written now, round robin over the ranges; nullptr when there is none.
    RangeWalker *next_ready();
    bool has_ready() const;
    std::optional<core::MonoTime> next_retry() const;
    const std::vector<std::unique_ptr<RangeWalker>> &walkers() const { return walkers_; }
    // Set when nothing of the run can go on, e.g. Stripe rejected the key.
    const std::optional<core::Error> &fatal() const { return fatal_; }
    void stop();

    // The cut that would help most now, if any; ask again after each answer and page. It is to be
    // stored (raise created_gte of the row, insert the older piece, one transaction) and answered
    // by one of the next two before anything else happens to the run.
    std::optional<RangeCut> next_cut();
    // older_no: this run walks the older piece too, by that number; nullopt: somebody else does.
    void cut_stored(const RangeCut &cut, std::optional<int> older_no);
    // Not now; asked for again after a while.
    void cut_refused(const RangeCut &cut);

    // A range claimed later.
    void add_range(RangeSpec range);
    // A range that is no longer this run's: its pages are dropped.
    void drop_range(const stripe::Kind &kind, int range_no);
    // Ranges of the kind that other workers walk just now: they count among its chains.
    void note_elsewhere(const stripe::Kind &kind, int chains);

    // How many ranges of a kind should be walked at once, by all workers, to keep Stripe's limits
    // busy; kinds with something left only.
    struct Wish {
        const stripe::Kind *kind = nullptr;
        int chains = 0;
    };
    std::vector<Wish> wishes() const;

  private:
    // The walkers of one kind, as the rule of cuts sees them.
    struct KindView {
        const stripe::Kind *kind = nullptr;
        std::vector<RangeWalker *> walkers;
        KindPieces pieces;
    };
    std::vector<KindView> views() const;
    static Piece piece_of(const RangeWalker &walker);
    SplitRules split_rules() const;
    bool may_judge();
    void add_walker(RangeSpec range);
    void open();
    void on_opened(const stripe::CallResult &result);
    void check_finished();

    stripe::Caller &caller_;
    const core::Clock &clock_;
    BackfillOptions options_;
    Phase phase_;
    Start start_;
    std::optional<stripe::CallId> opening_call_;
    std::optional<core::MonoTime> reopen_at_;
    int open_failures_ = 0;
    std::string opening_error_;
    std::vector<std::unique_ptr<RangeWalker>> walkers_;
    std::size_t turn_ = 0;
    std::map<const stripe::Kind *, int> elsewhere_;
    std::map<const stripe::Kind *, core::MonoTime> refused_; // no cut before
    std::optional<core::MonoTime> first_answer_;
    bool may_judge_ = false;
    bool cut_may_help_ = false; // something has changed since a cut was looked for in vain
    std::optional<core::Error> fatal_;
};

} // namespace billstack::sync
