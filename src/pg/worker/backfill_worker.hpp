// A worker that only runs backfills, beside the sync worker of its database and with a network of
// its own. The launcher starts it while the sync worker wants it, and it leaves when that wants it
// no more, or when the database is held. It takes no requests, no events, no refetches.
#pragma once
#include "pg/backfill/backfill_service.hpp"
#include "pg/worker/worker_network.hpp"

namespace billstack::pg {

class BackfillWorker {
  public:
    BackfillWorker(SharedState &state, Oid database, int number);
    // Returns when the worker is to end with exit code 0.
    void run();

  private:
    void connect_network();
    void reload_settings();
    bool leave_requested();
    void dispatch();
    void attend_runs();
    void stand_back(const std::string &reason);
    void wait();

    SharedState &state_;
    Oid database_;
    int number_;
    core::SystemClock clock_;
    WorkerNetwork network_{clock_};
    std::unique_ptr<BackfillService> backfills_;
    bool look_wanted_ = true;
    core::MonoTime next_look_{};
    std::optional<core::MonoTime> resume_at_; // after trouble with the database
    int troubles_ = 0;                        // in a row
};

} // namespace billstack::pg
