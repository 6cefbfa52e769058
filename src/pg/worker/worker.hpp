// The sync worker of one database: the only process that speaks with Stripe. One wait for latch and
// network together; slots and backfills in turn; no transaction open while it waits.
#pragma once
#include "pg/backfill/backfill_service.hpp"
#include "pg/calls/intent_reconcile.hpp"
#include "pg/handlers/handler_service.hpp"
#include "pg/inbox/event_service.hpp"
#include "pg/inbox/ledger_upkeep.hpp"
#include "pg/inbox/refetch_service.hpp"
#include "pg/mirror/mirror_upkeep.hpp"
#include "pg/worker/read_upkeep.hpp"
#include "pg/worker/request_service.hpp"
#include "pg/worker/worker_network.hpp"

namespace billstack::pg {

class Worker {
  public:
    explicit Worker(SharedState &state);
    // Returns when the worker is to end with exit code 0.
    void run();

  private:
    void connect_network();
    void dispatch();
    bool take_callers_result(stripe::CallResult &result);
    void record_outcomes();
    void hand_over_writes();
    void serve_callers();
    bool attend_database();
    bool stand_back(const std::string &reason);
    void work(); // one turn of each service
    bool has_work() const;
    void store_counters();
    void store_last_uses();
    bool look_around(); // extension there, version fits, new runs; false: end
    bool leave_requested();
    void reload_settings();
    void wait(bool busy);

    SharedState &state_;
    core::SystemClock clock_;
    MirrorUpkeep upkeep_{clock_};
    WorkerNetwork network_{clock_};
    std::unique_ptr<IntentService> intents_;
    std::unique_ptr<IntentReconcile> reconcile_;
    std::unique_ptr<RequestService> requests_;
    std::unique_ptr<BackfillService> backfills_;
    std::unique_ptr<RefetchService> refetches_;
    EventService events_{clock_};
    LedgerUpkeep ledger_{clock_};
    HandlerService handlers_{clock_};
    ReadUpkeep reads_{clock_};
    bool handlers_busy_ = false;
    bool look_wanted_ = true;
    bool version_fits_ = false;
    bool version_known_ = false;
    core::MonoTime next_look_{};
    std::optional<core::MonoTime> outcomes_after_; // the same for outcomes of writes
    std::optional<core::MonoTime> counters_after_; // a lock kept them from being stored
    std::optional<core::MonoTime> resume_at_;      // after trouble with the database
    int troubles_ = 0;                             // in a row
};

} // namespace billstack::pg
