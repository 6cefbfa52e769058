// The worker's backfills: keeps a sync::BackfillRun for each open run of this database, writes the
// pages they have ready, a page a transaction, and records how they end.
#pragma once
#include "pg/backfill_store.hpp"
#include "pg/mirror_store.hpp"

namespace billstack::pg {

class BackfillService {
  public:
    BackfillService(stripe::Caller &caller, const core::Clock &clock)
        : caller_(caller), clock_(clock) {}

    // Reads the table of runs: starts new ones, drops those that are no longer open.
    void refresh();
    bool refresh_due() const;             // a run could not be started because of a lock
    void forget_runs() { runs_.clear(); } // their ranges stay as they stand in the table
    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    // Lets runs submit calls, writes at most one page a run, ends finished runs.
    void work();
    // Something can be done without waiting for anything.
    bool busy() const;
    std::optional<core::MonoTime> next_retry() const;
    // Since it was asked last: pages met events of their own seconds.
    bool take_refetches_asked();
    bool idle() const { return runs_.empty(); }

  private:
    struct Active {
        OpenRun run;
        Oid owner = InvalidOid;
        std::unique_ptr<sync::BackfillRun> backfill;
        std::unique_ptr<SpiMirrorStore> mirror;
        std::map<const sync::RangeWalker *, std::string> noted; // errors already in the table
        bool start_stored = false;
        std::string trouble;                  // of the whole run, as it stands in the table
        bool gone = false;                    // canceled or disconnected: forget it
        std::optional<core::MonoTime> paused; // a row of the run is locked; tried again then
        int pauses = 0;                       // in a row
        // Failed writes of a range in a row, locks not counted.
        std::map<const sync::RangeWalker *, int> write_failures;
    };
    void activate(OpenRun run);
    void reject(const OpenRun &run, const core::Error &error);
    void work_on(Active &active);
    bool is_busy(const Active &active) const;
    void pause(Active &active, const std::string &reason);
    void note_start(Active &active);
    void note_errors(Active &active);
    void note_trouble(Active &active, const std::string &trouble);
    void write_page(Active &active, sync::RangeWalker &walker);
    void project_page(const Active &active, const sync::FetchedPage &page);
    void write_in_transaction(Active &active, sync::RangeWalker &walker);
    void finish(Active &active);

    stripe::Caller &caller_;
    const core::Clock &clock_;
    std::vector<std::unique_ptr<Active>> runs_;
    std::optional<core::MonoTime> refresh_at_;
};

} // namespace billstack::pg
