#include "pg/worker/wake.hpp"

#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

bool registered = false;
// Nesting level of the outermost (sub)transaction that asked for it; 0: nobody.
int worker_wanted = 0;
int inbox_wanted = 0;
int refetches_wanted = 0;
int launcher_wanted = 0;

// At commit nothing may fail: a few stores under a spinlock and a latch.
void wake_now() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    WorkerLatches workers;
    int launcher = -1;
    {
        SpinGuard guard(*state);
        DatabaseEntry *entry = launcher_wanted != 0 ? find_or_make_entry(*state, MyDatabaseId)
                                                    : find_entry(*state, MyDatabaseId);
        if (entry != nullptr) {
            if (launcher_wanted != 0) {
                entry->rescan = true;
            }
            entry->work_waiting = entry->work_waiting || worker_wanted != 0 || launcher_wanted != 0;
            entry->inbox_waiting = entry->inbox_waiting || inbox_wanted != 0;
            entry->refetch_waiting = entry->refetch_waiting || refetches_wanted != 0;
            if (entry->worker_pid != 0) {
                workers.add(entry->worker_procno);
            }
            for (BackfillWorkerEntry &worker : entry->backfill_worker) {
                if (worker.pid != 0 && worker_wanted != 0) {
                    worker.work_waiting = true;
                    workers.add(worker.procno);
                }
            }
        }
        if (launcher_wanted != 0 && state->launcher_pid != 0) {
            launcher = state->launcher_procno;
        }
    }
    workers.set();
    set_latch_of(launcher);
}

void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
        if (worker_wanted != 0 || inbox_wanted != 0 || refetches_wanted != 0 ||
            launcher_wanted != 0) {
            wake_now();
        }
    } else if (event != XACT_EVENT_ABORT) {
        return;
    }
    worker_wanted = 0;
    inbox_wanted = 0;
    refetches_wanted = 0;
    launcher_wanted = 0;
}

// What a subtransaction asked for is its parent's wish when it commits and nobody's when it is
// undone.
void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB) {
        return;
    }
    int level = GetCurrentTransactionNestLevel();
    for (int *wanted : {&worker_wanted, &inbox_wanted, &refetches_wanted, &launcher_wanted}) {
        if (*wanted >= level) {
            *wanted = event == SUBXACT_EVENT_COMMIT_SUB ? level - 1 : 0;
        }
    }
}

void register_once() {
    if (!registered) {
        call([] {
            RegisterXactCallback(at_transaction_end, nullptr);
            RegisterSubXactCallback(at_subtransaction_end, nullptr);
        });
        registered = true;
    }
}

void want(int &wanted) {
    register_once();
    int level = GetCurrentTransactionNestLevel();
    if (wanted == 0 || level < wanted) {
        wanted = level;
    }
}

} // namespace

void wake_worker_at_commit() {
    want(worker_wanted);
}

void wake_inbox_at_commit() {
    want(inbox_wanted);
}

void wake_refetches_at_commit() {
    want(refetches_wanted);
}

void wake_launcher_at_commit() {
    want(launcher_wanted);
}

} // namespace billstack::pg
