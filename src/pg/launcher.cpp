#include "pg/launcher.hpp"

#include "pg/datum.hpp"
#include "pg/scope.hpp"
#include "pg/shared_state.hpp"

namespace billstack::pg {

namespace {

constexpr long look_again_ms = 300000; // a net: everything that matters sets the latch
constexpr long scout_again_ms = 5000;
constexpr int longest_backoff_s = 90; // 12 restarts in ten minutes of a lasting error
constexpr int terminated_pause_s = 1;
constexpr int healthy_after_s = 60; // a worker that ran so long has forgiven earlier failures

// Workers this launcher registered, by the index of their database's entry.
BackgroundWorkerHandle *handles[max_databases];

// Which of the known databases exist and take connections. pg_database is one of the few catalogs
// that can be read without having selected a database.
void find_connectable(const Oid (&known)[max_databases], bool (&exists)[max_databases],
                      Oid &for_scout) {
    bool scout_is_template = true;
    for_scout = InvalidOid;
    Relation relation = table_open(DatabaseRelationId, AccessShareLock);
    TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
    HeapTuple tuple;
    while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
        Form_pg_database form = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        if (!form->datallowconn) {
            continue;
        }
        if (!OidIsValid(for_scout) || (scout_is_template && !form->datistemplate)) {
            for_scout = form->oid;
            scout_is_template = form->datistemplate;
        }
        for (int i = 0; i < max_databases; ++i) {
            exists[i] = exists[i] || known[i] == form->oid;
        }
    }
    table_endscan(scan);
    table_close(relation, AccessShareLock);
}

// Entries of databases that are gone become free, those with a fresh CREATE EXTENSION start anew.
void refresh_entries(SharedState &state, Oid &for_scout) {
    Oid known[max_databases];
    bool exists[max_databases] = {};
    {
        SpinGuard guard(state);
        for (int i = 0; i < max_databases; ++i) {
            known[i] = state.databases[i].database;
        }
    }
    {
        Transaction transaction;
        call([&] { find_connectable(known, exists, for_scout); });
        transaction.commit();
    }
    SpinGuard guard(state);
    for (int i = 0; i < max_databases; ++i) {
        DatabaseEntry &entry = state.databases[i];
        if (OidIsValid(entry.database) && entry.database == known[i] && !exists[i] &&
            entry.worker_pid == 0 && entry.held_by == 0 && handles[i] == nullptr &&
            entry.state != DatabaseState::starting) {
            entry.database = InvalidOid;
        }
        if (OidIsValid(entry.database) && entry.rescan) {
            entry.rescan = false;
            entry.extension_missing = false;
            entry.retry_at = 0;
        }
    }
}

bool register_worker(Oid database, const char *name, const char *function,
                     BackgroundWorkerHandle **handle) {
    BackgroundWorker worker;
    std::memset(&worker, 0, sizeof(worker));
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART; // the launcher decides
    strlcpy(worker.bgw_library_name, "billstack", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, function, sizeof(worker.bgw_function_name));
    strlcpy(worker.bgw_name, name, sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, name, sizeof(worker.bgw_type));
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    worker.bgw_notify_pid = MyProcPid;
    return call([&] {
        MemoryContext outer = MemoryContextSwitchTo(TopMemoryContext);
        bool done = RegisterDynamicBackgroundWorker(&worker, handle);
        MemoryContextSwitchTo(outer);
        return done;
    });
}

void back_off(DatabaseEntry &entry, TimestampTz now) {
    int seconds = std::min(longest_backoff_s, 1 << std::min(entry.failures, 7));
    ++entry.failures;
    entry.state = DatabaseState::backing_off;
    entry.retry_at = TimestampTzPlusMilliseconds(now, seconds * 1000);
}

// A registered worker that the postmaster reports as stopped: how it ended says what comes next.
void note_end(SharedState &state, int index, TimestampTz now) {
    SpinGuard guard(state);
    DatabaseEntry &entry = state.databases[index];
    if (entry.worker_pid != 0) {
        return; // it met a worker of this launcher's predecessor, which goes on
    }
    if (entry.held_by != 0) {
        entry.state = DatabaseState::held;
    } else if (entry.extension_missing || entry.leave) {
        entry.state = DatabaseState::absent;
        entry.failures = 0;
    } else if (entry.terminated) {
        entry.state = DatabaseState::backing_off;
        entry.retry_at = TimestampTzPlusMilliseconds(now, terminated_pause_s * 1000);
    } else {
        if (TimestampDifferenceExceeds(entry.started_at, now, healthy_after_s * 1000)) {
            entry.failures = 0;
        }
        back_off(entry, now);
    }
    entry.leave = false;
}

void collect_ended(SharedState &state) {
    for (int i = 0; i < max_databases; ++i) {
        if (handles[i] == nullptr) {
            continue;
        }
        pid_t pid = 0;
        BgwHandleStatus status = call([&] { return GetBackgroundWorkerPid(handles[i], &pid); });
        if (status == BGWH_STOPPED) {
            pfree(handles[i]);
            handles[i] = nullptr;
            note_end(state, i, GetCurrentTimestamp());
        }
    }
}

// Whether a worker for the entry is to be started now; reserves it by moving it to `starting`.
bool is_due(SharedState &state, int index, TimestampTz now, Oid &database) {
    SpinGuard guard(state);
    DatabaseEntry &entry = state.databases[index];
    bool idle = entry.state == DatabaseState::absent || entry.state == DatabaseState::held ||
                (entry.state == DatabaseState::backing_off && entry.retry_at <= now);
    if (!OidIsValid(entry.database) || !idle || entry.held_by != 0 || entry.extension_missing) {
        return false;
    }
    entry.state = DatabaseState::starting;
    entry.started_at = now;
    entry.leave = false;
    database = entry.database;
    return true;
}

void start_due(SharedState &state) {
    TimestampTz now = GetCurrentTimestamp();
    for (int i = 0; i < max_databases; ++i) {
        Oid database = InvalidOid;
        if (handles[i] == nullptr && is_due(state, i, now, database) &&
            !register_worker(database, "billstack sync worker", "billstack_sync_worker",
                             &handles[i])) {
            SpinGuard guard(state);
            strlcpy(state.databases[i].last_error,
                    "no background worker slot is free: raise max_worker_processes",
                    sizeof(state.databases[i].last_error));
            back_off(state.databases[i], now);
        }
    }
}

long until_next_retry(SharedState &state) {
    TimestampTz now = GetCurrentTimestamp();
    long shortest = look_again_ms;
    SpinGuard guard(state);
    for (const DatabaseEntry &entry : state.databases) {
        if (OidIsValid(entry.database) && entry.state == DatabaseState::backing_off) {
            long left = TimestampDifferenceMilliseconds(now, entry.retry_at);
            shortest = std::min(shortest, std::max(left, 1L));
        }
    }
    return shortest;
}

void wait_for_latch(long timeout_ms) {
    static uint32 event = 0;
    call([&] {
        if (event == 0) {
            event = wait_event("BillstackLauncher");
        }
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout_ms, event);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
    });
}

void forget_launcher(int, Datum) {
    SharedState *state = shared_state();
    SpinGuard guard(*state);
    state->launcher_pid = 0;
    state->launcher_procno = -1;
}

// After a restart of the launcher alone, workers of its predecessor may still run; they were told
// by a latch nobody holds any more, so their entries are read anew from who is alive.
void adopt_entries(SharedState &state) {
    SpinGuard guard(state);
    state.launcher_pid = MyProcPid;
    state.launcher_procno = own_procno();
    state.scouted = false;
    for (DatabaseEntry &entry : state.databases) {
        if (entry.worker_pid == 0 && entry.state == DatabaseState::starting) {
            entry.state = DatabaseState::absent;
        }
    }
}

// A worker of a predecessor has no handle here: its exit callback clears worker_pid.
void collect_orphans(SharedState &state) {
    SpinGuard guard(state);
    for (int i = 0; i < max_databases; ++i) {
        DatabaseEntry &entry = state.databases[i];
        if (handles[i] == nullptr && entry.worker_pid == 0 &&
            (entry.state == DatabaseState::running || entry.state == DatabaseState::starting)) {
            entry.state = DatabaseState::absent;
        }
    }
}

// The marks left by CREATE EXTENSION lie in a catalog that needs a database to be read: a scout, a
// worker of a few milliseconds, reads them once after the launcher has started.
class Scouting {
  public:
    bool done() const { return done_; }
    void advance(SharedState &state, Oid database) {
        if (handle_ != nullptr) {
            pid_t pid = 0;
            if (call([&] { return GetBackgroundWorkerPid(handle_, &pid); }) != BGWH_STOPPED) {
                return;
            }
            pfree(std::exchange(handle_, nullptr));
            SpinGuard guard(state);
            done_ = state.scouted;
        }
        TimestampTz now = GetCurrentTimestamp();
        if (!done_ && OidIsValid(database) && now >= retry_at_) {
            retry_at_ = TimestampTzPlusMilliseconds(now, scout_again_ms);
            register_worker(database, "billstack scout", "billstack_scout", &handle_);
        }
    }

  private:
    BackgroundWorkerHandle *handle_ = nullptr;
    TimestampTz retry_at_ = 0;
    bool done_ = false;
};

void run_launcher() {
    SharedState &state = require_shared_state();
    call([] { before_shmem_exit(forget_launcher, 0); });
    adopt_entries(state);
    Scouting scouting;
    while (true) {
        MemoryScope turn("billstack launcher turn", TopMemoryContext);
        Oid for_scout = InvalidOid;
        collect_ended(state);
        collect_orphans(state);
        refresh_entries(state, for_scout);
        scouting.advance(state, for_scout);
        start_due(state);
        wait_for_latch(scouting.done() ? until_next_retry(state)
                                       : std::min(until_next_retry(state), scout_again_ms));
    }
}

} // namespace

void register_launcher() {
    BackgroundWorker worker;
    std::memset(&worker, 0, sizeof(worker));
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 5;
    strlcpy(worker.bgw_library_name, "billstack", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, "billstack_launcher", sizeof(worker.bgw_function_name));
    strlcpy(worker.bgw_name, "billstack launcher", sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, "billstack launcher", sizeof(worker.bgw_type));
    RegisterBackgroundWorker(&worker);
}

} // namespace billstack::pg

#pragma GCC visibility push(default)
extern "C" void billstack_launcher(Datum) {
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    billstack::pg::worker_entry(billstack::pg::run_launcher);
}
#pragma GCC visibility pop
