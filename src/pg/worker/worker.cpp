#include "pg/worker/worker.hpp"

#include "pg/access/api_key_store.hpp"
#include "pg/access/key_uses.hpp"
#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/inbox/inbox_store.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/worker/worker_session.hpp"

namespace billstack::pg {

namespace {

constexpr auto look_interval = std::chrono::minutes(5); // a net for wake-ups that were lost
constexpr int most_troubles = 4;                        // in a row
// Of a page, or events, at once while a backend waits for Stripe.
constexpr std::size_t most_rows_beside_calls = 25;
constexpr auto counters_pause = std::chrono::seconds(5);

// For the exit callbacks, which must drop the network before the process ends: a plain pointer.
Worker *current = nullptr;
Oid own_database = InvalidOid;
volatile sig_atomic_t terminated = 0;

void on_sigterm(SIGNAL_ARGS) {
    terminated = 1;
    die(postgres_signal_arg);
}

DatabaseEntry *own_entry(SharedState &state) {
    return find_entry(state, own_database);
}

// "" when the extension is not in this database.
std::string installed_version() {
    Transaction transaction;
    char *version = call([]() -> char * {
        Oid extension = get_extension_oid("billstack", true);
        if (!OidIsValid(extension)) {
            return nullptr;
        }
        Relation relation = table_open(ExtensionRelationId, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
                    ObjectIdGetDatum(extension));
        SysScanDesc scan =
            systable_beginscan(relation, ExtensionOidIndexId, true, nullptr, 1, &key);
        HeapTuple tuple = systable_getnext(scan);
        char *found = nullptr;
        if (HeapTupleIsValid(tuple)) {
            bool is_null = true;
            Datum value = heap_getattr(tuple, Anum_pg_extension_extversion,
                                       RelationGetDescr(relation), &is_null);
            found = is_null ? nullptr : TextDatumGetCString(value);
        }
        systable_endscan(scan);
        table_close(relation, AccessShareLock);
        return found;
    });
    std::string text = version != nullptr ? version : "";
    transaction.commit();
    return text;
}

void note_error(SharedState &state, const std::string &text) {
    SpinGuard guard(state);
    if (DatabaseEntry *entry = own_entry(state)) {
        strlcpy(entry->last_error, text.c_str(), sizeof(entry->last_error));
    }
}

} // namespace

Worker::Worker(SharedState &state) : state_(state) {
    connect_network();
    call([] { pgstat_report_activity(STATE_IDLE, nullptr); });
}

void Worker::connect_network() {
    requests_.reset();
    reconcile_.reset();
    intents_.reset();
    backfills_.reset();
    refetches_.reset();
    fail_taken_slots(own_database, "billstack's settings have changed; repeat the call");
    network_.connect();
    intents_ = std::make_unique<IntentService>(network_.caller());
    reconcile_ = std::make_unique<IntentReconcile>(network_.caller(), clock_, *intents_);
    requests_ = std::make_unique<RequestService>(state_, clock_, network_.caller(), *intents_);
    backfills_ = std::make_unique<BackfillService>(network_.caller(), clock_,
                                                   Colleagues(state_, own_database, 0));
    refetches_ = std::make_unique<RefetchService>(network_.caller(), clock_);
    look_wanted_ = true;
}

void Worker::reload_settings() {
    call([] {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    });
    if (network_.is_outdated()) {
        connect_network();
    }
    look_wanted_ = true;
}

bool Worker::leave_requested() {
    SpinGuard guard(state_);
    DatabaseEntry *entry = own_entry(state_);
    if (entry == nullptr || entry->leave) {
        return true;
    }
    entry->last_turn_at = GetCurrentTimestamp();
    if (entry->work_waiting) {
        entry->work_waiting = false;
        look_wanted_ = true;
    }
    if (entry->runs_waiting) {
        entry->runs_waiting = false;
        backfills_->look_again();
    }
    if (entry->refetch_waiting) {
        entry->refetch_waiting = false;
        refetches_->wake();
    }
    if (entry->inbox_waiting) {
        entry->inbox_waiting = false;
        events_.wake();
        handlers_.wake();
        refetches_->wake();
    }
    return false;
}

bool Worker::look_around() {
    look_wanted_ = false;
    next_look_ = clock_.mono() + look_interval;
    set_lock_patience(LockPatience::alone);
    std::string version = installed_version();
    if (version.empty()) {
        SpinGuard guard(state_);
        DatabaseEntry *entry = own_entry(state_);
        if (entry != nullptr && entry->work_waiting) {
            look_wanted_ = true; // created again after we looked
            return true;
        }
        if (entry != nullptr) {
            entry->extension_missing = true;
            entry->backfill_workers = 0; // they are woken when this one is gone
        }
        return false;
    }
    if (!version_fits_) {
        note_error(state_, "");
    }
    version_fits_ = version == BILLSTACK_VERSION;
    version_known_ = true;
    if (!version_fits_) {
        note_error(state_, "the extension is " + version +
                               ", the library " BILLSTACK_VERSION
                               ": run ALTER EXTENSION billstack UPDATE, or restart the server");
        backfills_->forget_runs();
        refetches_->forget();
        return true;
    }
    look_wanted_ = upkeep_.step();
    ledger_.step();
    events_.rescan();
    refetches_->rescan();
    reconcile_->rescan();
    if (auto retry = upkeep_.next_retry(); retry && *retry < next_look_) {
        next_look_ = *retry;
    }
    backfills_->refresh();
    handlers_.clean_up();
    handlers_.wake();
    return true;
}

// What receipts have counted in shared memory, into inbox_stat.
void Worker::store_counters() {
    std::vector<CounterFlush> flushes = take_flushes(own_database);
    try {
        StoreTransaction transaction;
        store_flushes(flushes);
        transaction.commit_without_waiting(); // what is in memory only is lost by a crash anyway
    } catch (const PgError &error) {
        give_back_flushes(own_database, flushes);
        if (!is_lock_trouble(error)) {
            throw;
        }
        counters_after_ = clock_.mono() + counters_pause; // an integration is being disconnected
    } catch (...) {
        give_back_flushes(own_database, flushes);
        throw;
    }
}

void Worker::store_last_uses() {
    std::vector<KeyUseFlush> uses = take_key_uses();
    try {
        StoreTransaction transaction;
        store_key_uses(uses);
        transaction.commit_without_waiting(); // as above
    } catch (...) {
        give_back_key_uses(uses);
        throw;
    }
}

// Takes what callers ask for and hands over what has come. A write is sent once its record is on
// disk. Between two pieces of other work, so that nobody waits for more than one of them.
void Worker::serve_callers() {
    requests_->look_at_slots();
    if (intents_->has_queued() && version_known_) {
        if (version_fits_) {
            intents_->send_queued();
        } else {
            intents_->refuse_queued("the extension's version is not that of the library");
        }
    }
    dispatch();
}

void Worker::work() {
    bool calls = requests_->in_use();
    set_lock_patience(calls ? LockPatience::beside_calls : LockPatience::alone);
    EventTurn turn = events_.work(calls ? most_rows_beside_calls : 0);
    serve_callers();
    if (turn.refetches_asked) {
        refetches_->wake();
    }
    if (turn.handlers_queued) {
        handlers_.wake();
    }
    if (backfills_->refresh_due()) {
        backfills_->refresh();
    }
    backfills_->work(calls ? most_rows_beside_calls : 0, [this] { serve_callers(); });
    if (backfills_->take_refetches_asked()) {
        refetches_->wake();
    }
    refetches_->work();
    serve_callers();
    record_outcomes();
    set_lock_patience(LockPatience::alone);
    reconcile_->work();
    if (reconcile_->take_refetches_asked()) {
        refetches_->wake();
    }
    handlers_busy_ = handlers_.work();
    if (counters_after_ && clock_.mono() >= *counters_after_) {
        counters_after_.reset();
    }
    if (!counters_after_ && has_flushes()) {
        store_counters();
    }
    if (key_uses_due()) {
        store_last_uses();
    }
    reads_.work();
}

bool Worker::has_work() const {
    bool outcomes = intents_->has_outcomes() && !outcomes_after_;
    return backfills_->busy() || events_.busy() || refetches_->busy() || reconcile_->busy() ||
           intents_->has_queued() || outcomes || handlers_busy_;
}

// False: end. Trouble with the database (a table locked or gone, an extension dropped in between)
// is met with another look a little later; what persists ends the worker, and the launcher backs
// off.
bool Worker::attend_database() {
    if (resume_at_ && clock_.mono() < *resume_at_) {
        return true;
    }
    resume_at_.reset();
    try {
        if ((look_wanted_ || clock_.mono() >= next_look_) && !look_around()) {
            return false;
        }
        if (version_fits_) {
            work();
        }
        if (troubles_ > 0) {
            troubles_ = 0;
            note_error(state_, "");
        }
    } catch (const PgError &error) {
        if (!stand_back(error.what())) {
            throw;
        }
    } catch (const core::Error &error) {
        if (!stand_back(error.message)) {
            throw;
        }
    }
    return true;
}

bool Worker::stand_back(const std::string &reason) {
    look_wanted_ = true;
    note_error(state_, reason);
    resume_at_ = clock_.mono() + std::chrono::milliseconds(100 << troubles_);
    return ++troubles_ < most_troubles;
}

void Worker::dispatch() {
    std::vector<stripe::CallResult> results;
    network_.caller().step(results);
    // Callers first: a page takes its time to be taken apart.
    std::vector<stripe::CallResult> others;
    for (stripe::CallResult &result : results) {
        if (!take_callers_result(result)) {
            others.push_back(std::move(result));
        }
    }
    hand_over_writes();
    for (stripe::CallResult &result : others) {
        if (reconcile_->owns(result.id)) {
            reconcile_->on_result(std::move(result));
        } else if (refetches_->owns(result.id)) {
            refetches_->on_result(std::move(result));
        } else {
            backfills_->on_result(std::move(result));
        }
    }
}

bool Worker::take_callers_result(stripe::CallResult &result) {
    if (requests_->owns(result.id)) {
        requests_->on_result(result);
    } else if (intents_->owns(result.id)) {
        intents_->on_result(std::move(result));
    } else {
        return false;
    }
    return true;
}

void Worker::record_outcomes() {
    if (!intents_->has_outcomes() || (outcomes_after_ && clock_.mono() < *outcomes_after_)) {
        return;
    }
    outcomes_after_.reset();
    if (!intents_->record()) {
        outcomes_after_ = clock_.mono() + counters_pause;
    }
}

// Whose call has returned finds its outcome in view calls: it is recorded while the caller writes
// the answer into the mirror, and then waited for. What keeps it from being recorded keeps nobody.
void Worker::hand_over_writes() {
    if (!intents_->has_answers()) {
        return;
    }
    bool record = intents_->has_outcomes() && version_fits_ && !resume_at_;
    requests_->answer_writes(record);
    if (!record) {
        return;
    }
    set_lock_patience(LockPatience::beside_calls);
    std::string trouble;
    try {
        record_outcomes();
    } catch (const PgError &error) {
        trouble = error.what();
    } catch (const core::Error &error) {
        trouble = error.message;
    }
    requests_->outcomes_settled();
    if (!trouble.empty()) {
        outcomes_after_ = clock_.mono() + counters_pause;
        log(LOG, "billstack: outcomes of calls wait: " + short_text(trouble));
    }
}

void Worker::run() {
    note_error(state_, "");
    while (true) {
        MemoryScope turn("billstack worker turn", TopMemoryContext);
        QueryCancelPending = false; // a cancel is for a statement; between turns there is none
        check_for_interrupts();
        if (ConfigReloadPending) {
            reload_settings();
        }
        if (leave_requested()) {
            return;
        }
        std::uint64_t transactions = Transaction::begun();
        serve_callers();
        if (!attend_database()) {
            return;
        }
        // Starts what was submitted just now; what it brings in may make the backfills busy.
        serve_callers();
        if (Transaction::begun() != transactions) {
            // Waits inside a transaction reset the latch: look once more at what it stood for.
            SetLatch(MyLatch);
        }
        wait(look_wanted_ || (version_fits_ && has_work()));
    }
}

void Worker::wait(bool busy) {
    auto now = clock_.mono();
    auto until = next_look_;
    if (resume_at_) {
        until = *resume_at_;
    } else if (busy) {
        until = now;
    }
    if (version_fits_) {
        for (auto retry : {backfills_->next_retry(), events_.next_retry(), refetches_->next_retry(),
                           handlers_.next_retry(), reconcile_->next_retry(), outcomes_after_,
                           reads_.next_retry()}) {
            until = retry && *retry < until ? *retry : until;
        }
    }
    network_.wait(std::chrono::ceil<core::Milliseconds>(until - now));
}

namespace {

// Before the server takes its own things apart: callers get their answer, the network is dropped.
// A FATAL unwinds nothing, so the handles are released here (they never wait: quick exit).
void release_worker(int, Datum) {
    fail_taken_slots(own_database, "the billstack worker has ended; repeat the call");
    delete std::exchange(current, nullptr);
}

// Runs after the process has left the array of backends: DROP DATABASE may go on.
void report_gone(int, Datum) {
    SharedState *state = shared_state();
    int holder = -1;
    int launcher = -1;
    {
        SpinGuard guard(*state);
        if (DatabaseEntry *entry = own_entry(*state)) {
            entry->worker_pid = 0;
            entry->worker_procno = -1;
            entry->ranges = 0;
            entry->terminated = terminated != 0;
            holder = entry->held_by != 0 ? entry->holder_procno : -1;
        }
        launcher = state->launcher_pid != 0 ? state->launcher_procno : -1;
    }
    set_latch_of(holder);
    set_latch_of(launcher);
    Colleagues(*state, own_database, 0).wake(); // its ranges are theirs
}

// False when the entry is held or the worker is not wanted any more.
bool enter_state(SharedState &state) {
    SpinGuard guard(state);
    DatabaseEntry *entry = own_entry(state);
    if (entry == nullptr || entry->held_by != 0 || entry->worker_pid != 0) {
        return false;
    }
    entry->worker_pid = MyProcPid;
    entry->worker_procno = own_procno();
    entry->leave = false;
    entry->outcomes_done = entry->outcomes_begun;
    entry->terminated = false;
    strlcpy(entry->worker_version, BILLSTACK_VERSION, sizeof(entry->worker_version));
    return true;
}

void report_running(SharedState &state) {
    SpinGuard guard(state);
    if (DatabaseEntry *entry = own_entry(state)) {
        entry->state = DatabaseState::running;
        entry->last_turn_at = GetCurrentTimestamp();
    }
}

void run_worker() {
    SharedState &state = require_shared_state();
    call([] {
        set_worker_session_defaults();
        before_shmem_exit(release_worker, 0);
    });
    // What the worker stumbles over is for the DBA to read in health(), not only in the log.
    try {
        current = new Worker(state);
        report_running(state);
        current->run();
    } catch (const PgError &error) {
        note_error(state, error.what());
        throw;
    } catch (const std::exception &error) {
        note_error(state, error.what());
        throw;
    }
    delete std::exchange(current, nullptr);
}

} // namespace

} // namespace billstack::pg

#pragma GCC visibility push(default)
extern "C" void billstack_sync_worker(Datum argument) {
    using namespace billstack::pg;
    own_database = DatumGetObjectId(argument);
    pqsignal(SIGTERM, on_sigterm);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    if (shared_state() == nullptr || !enter_state(*shared_state())) {
        proc_exit(0);
    }
    // Before connecting: it then runs after the process has left the array of backends.
    on_shmem_exit(report_gone, 0);
    BackgroundWorkerInitializeConnectionByOid(own_database, InvalidOid, 0);
    worker_entry(run_worker);
    proc_exit(0);
}
#pragma GCC visibility pop
