// A worker's backfills: keeps a sync::BackfillRun for each open run of this database, with the
// ranges it has claimed, writes the pages they have ready, a page a transaction, and records how
// they end. Workers of a database share its runs: backfill_sharing.cpp.
#pragma once
#include "pg/backfill/backfill_store.hpp"
#include "pg/backfill/range_store.hpp"
#include "pg/backfill/vanished_check.hpp"
#include "pg/worker/colleagues.hpp"

namespace billstack::pg {

class BackfillService {
  public:
    BackfillService(stripe::Caller &caller, const core::Clock &clock, Colleagues colleagues)
        : caller_(caller), clock_(clock), colleagues_(colleagues) {}
    ~BackfillService() { colleagues_.note_ranges(0); }
    BackfillService(const BackfillService &) = delete;
    BackfillService &operator=(const BackfillService &) = delete;

    // Reads the table of runs: starts new ones, drops those that are no longer open.
    void refresh();
    bool refresh_due() const; // a colleague has touched runs, or one could not be started
    void look_again() { refresh_at_ = clock_.mono(); }
    void forget_runs(); // their ranges stay as they stand in the table
    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    // Lets runs submit calls, writes at most one page a run, ends finished runs. most_rows: of a
    // page at once, 0: all. between: called after each run, for who waits meanwhile.
    void work(std::size_t most_rows, const std::function<void()> &between);
    // Something can be done without waiting for anything.
    bool busy() const;
    std::optional<core::MonoTime> next_retry() const;
    // Since it was asked last: pages met events of their own seconds.
    bool take_refetches_asked();
    bool idle() const { return runs_.empty(); }

  private:
    using RangeKey = std::pair<const stripe::Kind *, int>;
    struct Active {
        OpenRun run;
        Oid owner = InvalidOid;
        std::unique_ptr<sync::BackfillRun> backfill;
        std::unique_ptr<SpiMirrorStore> mirror;
        std::unique_ptr<VanishedCheck> vanished;
        std::map<RangeKey, std::string> noted; // errors already in the table
        bool start_stored = false;
        std::string trouble;                  // of the whole run, as it stands in the table
        bool gone = false;                    // canceled or disconnected: forget it
        std::optional<core::MonoTime> paused; // a row of the run is locked; tried again then
        int pauses = 0;                       // in a row
        int looks = 0;                        // for answers that the run waits for
        // Failed writes of a range in a row, locks not counted.
        std::map<RangeKey, int> write_failures;
        std::map<RangeKey, std::string> write_states; // SQLSTATE of the last one
        std::map<RangeKey, std::size_t> most_rows;    // at once, of ranges whose rows take long
        bool ranges_wanted = true;               // ranges nobody walks may be there for the taking
        std::optional<core::MonoTime> ranges_at; // look for them then at the latest
        bool others_walk = false;                // nothing is left to do here
        std::map<const stripe::Kind *, int> elsewhere;
    };
    static RangeKey key_of(const sync::RangeWalker &walker) {
        return {&walker.kind(), walker.range_no()};
    }
    void activate(OpenRun run);
    static void settle_vanished(Active &active, const OpenRun &run);
    void reject(const OpenRun &run, const core::Error &error);
    void work_on(Active &active);
    bool is_busy(const Active &active) const;
    void pause(Active &active, const std::string &reason);
    void note_start(Active &active);
    static bool is_skipped(const Active &active, const sync::RangeWalker &walker);
    void note_errors(Active &active);
    void note_trouble(Active &active, const std::string &trouble);
    void write_page(Active &active, sync::RangeWalker &walker);
    bool try_page(Active &active, sync::RangeWalker &walker, bool may_repeat);
    bool is_too_slow(const PgError &error, core::MonoTime began) const;
    std::size_t rows_at_once(const Active &active, const sync::RangeWalker &walker) const;
    void write_fewer(Active &active, sync::RangeWalker &walker);
    void put_off(Active &active, sync::RangeWalker &walker, const std::string &reason);
    void project_page(const Active &active, const sync::FetchedPage &page,
                      const sync::ApplyReport &report);
    void write_in_transaction(Active &active, sync::RangeWalker &walker);
    void finish(Active &active);
    void forget_gone();
    // Sharing with other workers.
    void renew_claims();
    void take_ranges(Active &active);
    void claim_share(Active &active, std::vector<sync::RangeSpec> &taken);
    void cut_ranges(Active &active);
    void cut(Active &active, const sync::RangeCut &cut);
    void end_range(Active &active, const sync::RangeWalker &walker);
    void lose_range(Active &active, const sync::RangeWalker &walker);

    stripe::Caller &caller_;
    const core::Clock &clock_;
    Colleagues colleagues_;
    RangeClaims claims_;
    std::vector<std::unique_ptr<Active>> runs_;
    std::size_t turn_ = 0; // the run that comes first
    std::size_t most_rows_ = 0;
    // Of all runs: what is fetched and not written.
    std::shared_ptr<sync::PageBudget> page_budget_ = std::make_shared<sync::PageBudget>();
    std::optional<core::MonoTime> refresh_at_;
};

} // namespace billstack::pg
