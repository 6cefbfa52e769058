#include "pg/worker/launcher.hpp"

#include "pg/bridge/datum.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/config.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

constexpr long look_again_ms = 300000; // a net: everything that matters sets the latch
constexpr long scout_again_ms = 5000;
constexpr int longest_backoff_s = 90; // 12 restarts in ten minutes of a lasting error
constexpr int terminated_pause_s = 1;
constexpr int refused_pause_s = 10; // with max_worker_processes used up
constexpr int healthy_after_s = 60; // a worker that ran so long has forgiven earlier failures

// Workers this launcher registered, by the index of their database's entry; 0 is the sync worker.
BackgroundWorkerHandle *handles[max_databases][max_workers];

// By the same index: its sync worker found no slot when it was last started.
bool refused[max_databases];

bool has_handles(int index) {
    return std::any_of(std::begin(handles[index]), std::end(handles[index]),
                       [](const BackgroundWorkerHandle *handle) { return handle != nullptr; });
}

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
            !has_workers(entry) && entry.held_by == 0 && !has_handles(i) &&
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

struct WorkerKind {
    const char *name;
    const char *function;
};
constexpr WorkerKind sync_worker{"billstack sync worker", "billstack_sync_worker"};
constexpr WorkerKind backfill_worker{"billstack backfill worker", "billstack_backfill_worker"};
constexpr WorkerKind scout{"billstack scout", "billstack_scout"};

// False: max_worker_processes is used up.
bool register_worker(Oid database, int number, const WorkerKind &kind,
                     BackgroundWorkerHandle **handle) {
    BackgroundWorker worker;
    std::memset(&worker, 0, sizeof(worker));
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART; // the launcher decides
    strlcpy(worker.bgw_library_name, "billstack", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, kind.function, sizeof(worker.bgw_function_name));
    strlcpy(worker.bgw_name, kind.name, sizeof(worker.bgw_name));
    strlcpy(worker.bgw_type, kind.name, sizeof(worker.bgw_type));
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    std::memcpy(worker.bgw_extra, &number, sizeof(number));
    worker.bgw_notify_pid = MyProcPid;
    return call([&] {
        MemoryContext outer = MemoryContextSwitchTo(TopMemoryContext);
        bool done = RegisterDynamicBackgroundWorker(&worker, handle);
        MemoryContextSwitchTo(outer);
        return done;
    });
}

int backoff_s(int failures) {
    return std::min(longest_backoff_s, 1 << std::min(failures, 7));
}

void back_off(DatabaseEntry &entry, TimestampTz now) {
    entry.state = DatabaseState::backing_off;
    entry.retry_at = TimestampTzPlusMilliseconds(now, backoff_s(entry.failures++) * 1000);
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

// The same for a backfill worker. What is still wanted is started again.
void note_backfill_worker_end(SharedState &state, int index, int number, TimestampTz now) {
    SpinGuard guard(state);
    DatabaseEntry &entry = state.databases[index];
    BackfillWorkerEntry &worker = entry.backfill_worker[number - 1];
    if (worker.pid != 0) {
        return;
    }
    if (worker.ended_well || entry.held_by != 0) {
        worker.failures = 0;
        worker.retry_at = 0;
    } else if (worker.terminated) {
        worker.retry_at = TimestampTzPlusMilliseconds(now, terminated_pause_s * 1000);
    } else {
        if (TimestampDifferenceExceeds(worker.started_at, now, healthy_after_s * 1000)) {
            worker.failures = 0;
        }
        worker.retry_at = TimestampTzPlusMilliseconds(now, backoff_s(worker.failures++) * 1000);
    }
}

void collect_ended(SharedState &state) {
    for (int i = 0; i < max_databases; ++i) {
        for (int number = 0; number < max_workers; ++number) {
            BackgroundWorkerHandle *&handle = handles[i][number];
            pid_t pid = 0;
            if (handle == nullptr ||
                call([&] { return GetBackgroundWorkerPid(handle, &pid); }) != BGWH_STOPPED) {
                continue;
            }
            pfree(std::exchange(handle, nullptr));
            if (number == 0) {
                note_end(state, i, GetCurrentTimestamp());
            } else {
                note_backfill_worker_end(state, i, number, GetCurrentTimestamp());
            }
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

// A sync worker finds no slot: backfill workers of all databases leave, until their sync workers
// look at the runs again.
void make_room(SharedState &state) {
    for (DatabaseEntry &entry : state.databases) {
        WorkerLatches latches;
        {
            SpinGuard guard(state);
            entry.backfill_workers = 0;
            for (const BackfillWorkerEntry &worker : entry.backfill_worker) {
                if (worker.pid != 0) {
                    latches.add(worker.procno);
                }
            }
        }
        latches.set();
    }
}

bool sync_worker_lacks_slot(SharedState &state) {
    SpinGuard guard(state);
    for (int i = 0; i < max_databases; ++i) {
        const DatabaseEntry &entry = state.databases[i];
        if (refused[i] && OidIsValid(entry.database) && entry.state == DatabaseState::backing_off) {
            return true;
        }
    }
    return false;
}

void start_sync_workers(SharedState &state, TimestampTz now) {
    for (int i = 0; i < max_databases; ++i) {
        Oid database = InvalidOid;
        if (handles[i][0] != nullptr || !is_due(state, i, now, database)) {
            continue;
        }
        refused[i] = !register_worker(database, 0, sync_worker, &handles[i][0]);
        if (refused[i]) {
            make_room(state);
            SpinGuard guard(state);
            strlcpy(state.databases[i].last_error,
                    "no background worker slot is free: raise max_worker_processes",
                    sizeof(state.databases[i].last_error));
            back_off(state.databases[i], now);
        }
    }
}

// Backfill workers are wanted of a database whose sync worker runs and has a run open.
bool is_wanted(const DatabaseEntry &entry, int number) {
    return OidIsValid(entry.database) && entry.state == DatabaseState::running &&
           entry.held_by == 0 && !entry.leave && !entry.extension_missing &&
           entry.backfill_workers >= number && entry.backfill_worker[number - 1].pid == 0;
}

bool is_backfill_worker_due(SharedState &state, int index, int number, TimestampTz now,
                            Oid &database) {
    SpinGuard guard(state);
    DatabaseEntry &entry = state.databases[index];
    BackfillWorkerEntry &worker = entry.backfill_worker[number - 1];
    if (!is_wanted(entry, number) || worker.retry_at > now) {
        return false;
    }
    worker.started_at = now;
    worker.terminated = false;
    worker.ended_well = false;
    worker.refused = false;
    database = entry.database;
    return true;
}

void start_backfill_workers(SharedState &state, TimestampTz now) {
    for (int i = 0; i < max_databases; ++i) {
        for (int number = 1; number < config::workers(); ++number) {
            Oid database = InvalidOid;
            if (handles[i][number] != nullptr ||
                !is_backfill_worker_due(state, i, number, now, database) ||
                register_worker(database, number, backfill_worker, &handles[i][number])) {
                continue;
            }
            SpinGuard guard(state);
            DatabaseEntry &entry = state.databases[i];
            BackfillWorkerEntry &worker = entry.backfill_worker[number - 1];
            worker.refused = true;
            worker.retry_at = TimestampTzPlusMilliseconds(now, refused_pause_s * 1000);
            entry.expected_until = 0; // the others need not wait for it
        }
    }
}

// Sync workers first: they make the calls of sessions.
void start_due(SharedState &state) {
    TimestampTz now = GetCurrentTimestamp();
    start_sync_workers(state, now);
    if (!sync_worker_lacks_slot(state)) {
        start_backfill_workers(state, now);
    }
}

long until_next_retry(SharedState &state) {
    TimestampTz now = GetCurrentTimestamp();
    long shortest = look_again_ms;
    auto consider = [&](TimestampTz at) {
        shortest = std::min(shortest, std::max(TimestampDifferenceMilliseconds(now, at), 1L));
    };
    bool lacks_slot = sync_worker_lacks_slot(state);
    SpinGuard guard(state);
    for (int i = 0; i < max_databases; ++i) {
        const DatabaseEntry &entry = state.databases[i];
        if (OidIsValid(entry.database) && entry.state == DatabaseState::backing_off) {
            consider(entry.retry_at);
        }
        for (int number = 1; number < config::workers() && !lacks_slot; ++number) {
            if (handles[i][number] == nullptr && is_wanted(entry, number)) {
                consider(entry.backfill_worker[number - 1].retry_at);
            }
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
        if (handles[i][0] == nullptr && entry.worker_pid == 0 &&
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
            register_worker(database, 0, scout, &handle_);
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
