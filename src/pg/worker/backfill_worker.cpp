#include "pg/worker/backfill_worker.hpp"

#include "pg/bridge/log.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/worker/worker_session.hpp"

namespace billstack::pg {

namespace {

constexpr auto look_interval = std::chrono::seconds(10); // a net for wake-ups that were lost
constexpr int most_troubles = 4;                         // in a row

// For the exit callbacks: plain data.
BackfillWorker *current = nullptr;
Oid own_database = InvalidOid;
int own_number = 0;
bool well = false;
volatile sig_atomic_t terminated = 0;

void on_sigterm(SIGNAL_ARGS) {
    terminated = 1;
    die(postgres_signal_arg);
}

BackfillWorkerEntry *own_entry(SharedState &state) {
    DatabaseEntry *entry = find_entry(state, own_database);
    return entry != nullptr ? &entry->backfill_worker[own_number - 1] : nullptr;
}

} // namespace

BackfillWorker::BackfillWorker(SharedState &state, Oid database, int number)
    : state_(state), database_(database), number_(number) {
    connect_network();
    call([] { pgstat_report_activity(STATE_IDLE, nullptr); });
}

void BackfillWorker::connect_network() {
    backfills_.reset();
    network_.connect();
    backfills_ = std::make_unique<BackfillService>(network_.caller(), clock_,
                                                   Colleagues(state_, database_, number_));
    look_wanted_ = true;
}

void BackfillWorker::reload_settings() {
    call([] {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    });
    if (network_.is_outdated()) {
        connect_network();
    }
    look_wanted_ = true;
}

bool BackfillWorker::leave_requested() {
    SpinGuard guard(state_);
    DatabaseEntry *entry = find_entry(state_, database_);
    if (entry == nullptr || entry->leave || entry->held_by != 0 || entry->extension_missing ||
        entry->backfill_workers < number_) {
        return true;
    }
    BackfillWorkerEntry &own = entry->backfill_worker[number_ - 1];
    look_wanted_ = look_wanted_ || own.work_waiting;
    own.work_waiting = false;
    return false;
}

void BackfillWorker::dispatch() {
    std::vector<stripe::CallResult> results;
    network_.caller().step(results);
    for (stripe::CallResult &result : results) {
        backfills_->on_result(std::move(result));
    }
}

// As the sync worker does it: trouble with the database is met with another look, what persists
// ends the worker.
void BackfillWorker::attend_runs() {
    if (resume_at_ && clock_.mono() < *resume_at_) {
        return;
    }
    resume_at_.reset();
    try {
        if (look_wanted_ || clock_.mono() >= next_look_ || backfills_->refresh_due()) {
            look_wanted_ = false;
            next_look_ = clock_.mono() + look_interval;
            backfills_->refresh();
        }
        backfills_->work(0, [] {});
        if (backfills_->take_refetches_asked()) {
            Colleagues(state_, database_, number_).wake_for_refetches();
        }
        troubles_ = 0;
    } catch (const PgError &error) {
        stand_back(error.what());
        if (troubles_ >= most_troubles) {
            throw;
        }
    } catch (const core::Error &error) {
        stand_back(error.message);
        if (troubles_ >= most_troubles) {
            throw;
        }
    }
}

void BackfillWorker::stand_back(const std::string &reason) {
    log(LOG, "billstack backfill worker looks again: " + reason);
    look_wanted_ = true;
    resume_at_ = clock_.mono() + std::chrono::milliseconds(100 << troubles_++);
}

void BackfillWorker::run() {
    while (true) {
        MemoryScope turn("billstack backfill worker turn", TopMemoryContext);
        QueryCancelPending = false; // a cancel is for a statement; between turns there is none
        check_for_interrupts();
        if (ConfigReloadPending) {
            reload_settings();
        }
        if (leave_requested()) {
            return;
        }
        std::uint64_t transactions = Transaction::begun();
        dispatch();
        attend_runs();
        dispatch(); // starts what was submitted just now
        if (Transaction::begun() != transactions) {
            SetLatch(MyLatch); // waits inside a transaction reset it: look at what it stood for
        }
        wait();
    }
}

void BackfillWorker::wait() {
    auto now = clock_.mono();
    auto until = next_look_;
    if (resume_at_) {
        until = *resume_at_;
    } else if (look_wanted_ || backfills_->busy()) {
        until = now;
    } else if (auto retry = backfills_->next_retry(); retry && *retry < until) {
        until = *retry;
    }
    network_.wait(std::chrono::ceil<core::Milliseconds>(until - now));
}

namespace {

// A FATAL unwinds nothing: the network is dropped and the claims are released before the server
// takes its own things apart.
void release_worker(int, Datum) {
    delete std::exchange(current, nullptr);
}

// Runs after the process has left the array of backends and its claims are free: DROP DATABASE may
// go on, others take the ranges.
void report_gone(int, Datum) {
    SharedState *state = shared_state();
    int holder = -1;
    int launcher = -1;
    {
        SpinGuard guard(*state);
        if (BackfillWorkerEntry *own = own_entry(*state)) {
            own->pid = 0;
            own->ranges = 0;
            own->terminated = terminated != 0;
            own->ended_well = well;
        }
        const DatabaseEntry *entry = find_entry(*state, own_database);
        holder = entry != nullptr && entry->held_by != 0 ? entry->holder_procno : -1;
        launcher = state->launcher_pid != 0 ? state->launcher_procno : -1;
    }
    set_latch_of(holder);
    set_latch_of(launcher);
    Colleagues(*state, own_database, own_number).wake();
}

// False when the database is held, the worker no longer wanted, or its place taken.
bool enter_state(SharedState &state) {
    SpinGuard guard(state);
    DatabaseEntry *entry = find_entry(state, own_database);
    BackfillWorkerEntry *own = own_entry(state);
    if (entry == nullptr || own->pid != 0) {
        return false;
    }
    if (entry->held_by != 0 || entry->leave || entry->backfill_workers < own_number) {
        own->ended_well = true;
        return false;
    }
    own->pid = MyProcPid;
    own->procno = own_procno();
    own->ranges = 0;
    own->work_waiting = false;
    return true;
}

void run_worker() {
    call([] {
        set_worker_session_defaults();
        before_shmem_exit(release_worker, 0);
    });
    current = new BackfillWorker(require_shared_state(), own_database, own_number);
    current->run();
    well = true;
    delete std::exchange(current, nullptr);
}

} // namespace

} // namespace billstack::pg

#pragma GCC visibility push(default)
extern "C" void billstack_backfill_worker(Datum argument) {
    using namespace billstack::pg;
    own_database = DatumGetObjectId(argument);
    std::memcpy(&own_number, MyBgworkerEntry->bgw_extra, sizeof(own_number));
    pqsignal(SIGTERM, on_sigterm);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    if (shared_state() == nullptr || own_number < 1 || own_number >= max_workers ||
        !enter_state(*shared_state())) {
        proc_exit(0);
    }
    // Before connecting: it then runs after the process has left the array of backends.
    on_shmem_exit(report_gone, 0);
    BackgroundWorkerInitializeConnectionByOid(own_database, InvalidOid, 0);
    worker_entry(run_worker);
    proc_exit(0);
}
#pragma GCC visibility pop
