#include "pg/wake.hpp"

#include "pg/shared_state.hpp"

namespace billstack::pg {

namespace {

bool registered = false;
bool worker_wanted = false;
bool inbox_wanted = false;
bool launcher_wanted = false;

// At commit nothing may fail: a few stores under a spinlock and a latch.
void wake_now() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    int worker = -1;
    int launcher = -1;
    {
        SpinGuard guard(*state);
        DatabaseEntry *entry = launcher_wanted ? find_or_make_entry(*state, MyDatabaseId)
                                               : find_entry(*state, MyDatabaseId);
        if (entry != nullptr) {
            if (launcher_wanted) {
                entry->rescan = true;
            }
            entry->work_waiting = entry->work_waiting || worker_wanted || launcher_wanted;
            entry->inbox_waiting = entry->inbox_waiting || inbox_wanted;
            worker = entry->worker_pid != 0 ? entry->worker_procno : -1;
        }
        if (launcher_wanted && state->launcher_pid != 0) {
            launcher = state->launcher_procno;
        }
    }
    set_latch_of(worker);
    set_latch_of(launcher);
}

void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
        if (worker_wanted || inbox_wanted || launcher_wanted) {
            wake_now();
        }
    } else if (event != XACT_EVENT_ABORT) {
        return;
    }
    worker_wanted = false;
    inbox_wanted = false;
    launcher_wanted = false;
}

void register_once() {
    if (!registered) {
        call([] { RegisterXactCallback(at_transaction_end, nullptr); });
        registered = true;
    }
}

} // namespace

void wake_worker_at_commit() {
    register_once();
    worker_wanted = true;
}

void wake_inbox_at_commit() {
    register_once();
    inbox_wanted = true;
}

void wake_launcher_at_commit() {
    register_once();
    launcher_wanted = true;
}

} // namespace billstack::pg
