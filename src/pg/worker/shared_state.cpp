#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

SharedState *attached = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

void request_memory() {
    if (previous_request_hook != nullptr) {
        previous_request_hook();
    }
    RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
}

void start_memory() {
    if (previous_startup_hook != nullptr) {
        previous_startup_hook();
    }
    attach_shared_state();
}

} // namespace

void attach_shared_state() {
    bool found = false;
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    void *memory = ShmemInitStruct("billstack", sizeof(SharedState), &found);
    attached = static_cast<SharedState *>(memory);
    if (!found) {
        // Slots are megabytes: only their heads are touched, the rest stays unallocated zero pages.
        SpinLockInit(&attached->lock);
        attached->launcher_pid = 0;
        attached->launcher_procno = -1;
        attached->scouted = false;
        for (DatabaseEntry &entry : attached->databases) {
            std::memset(&entry, 0, sizeof(entry));
            entry.worker_procno = -1;
        }
        SpinLockInit(&attached->inbox_counters.lock);
        std::memset(attached->inbox_counters.entries, 0, sizeof(attached->inbox_counters.entries));
        SpinLockInit(&attached->key_uses.lock);
        std::memset(attached->key_uses.entries, 0, sizeof(attached->key_uses.entries));
        SpinLockInit(&attached->rates.lock);
        std::memset(&attached->rates.table, 0, sizeof(attached->rates.table));
        std::memset(attached->rates.reads, 0, sizeof(attached->rates.reads));
        for (RequestSlot &slot : attached->slots) {
            slot.state = SlotState::free;
            slot.generation = 0;
        }
    }
    LWLockRelease(AddinShmemInitLock);
}

void reserve_shared_state() {
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = request_memory;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = start_memory;
}

SharedState *shared_state() {
    return attached;
}

SharedState &require_shared_state() {
    if (attached == nullptr) {
        throw core::Error(core::Code::not_ready, "billstack is not preloaded",
                          "Calls to Stripe are made by a background worker, which is started only "
                          "when the library is loaded with the server.",
                          "Add billstack to shared_preload_libraries in postgresql.conf "
                          "(shared_preload_libraries = 'billstack') and restart the server.");
    }
    return *attached;
}

void set_latch_of(int procno) noexcept {
    if (procno >= 0 && procno < static_cast<int>(ProcGlobal->allProcCount)) {
        SetLatch(&ProcGlobal->allProcs[procno].procLatch);
    }
}

int own_procno() noexcept {
    return own_proc_number();
}

void WorkerLatches::set() const noexcept {
    for (int i = 0; i < count; ++i) {
        set_latch_of(procnos[i]);
    }
}

bool has_workers(const DatabaseEntry &entry) noexcept {
    return entry.worker_pid != 0 ||
           std::any_of(std::begin(entry.backfill_worker), std::end(entry.backfill_worker),
                       [](const BackfillWorkerEntry &worker) { return worker.pid != 0; });
}

DatabaseEntry *find_entry(SharedState &state, Oid database) noexcept {
    for (DatabaseEntry &entry : state.databases) {
        if (entry.database == database) {
            return &entry;
        }
    }
    return nullptr;
}

DatabaseEntry *find_or_make_entry(SharedState &state, Oid database) noexcept {
    if (DatabaseEntry *entry = find_entry(state, database)) {
        return entry;
    }
    DatabaseEntry *entry = find_entry(state, InvalidOid);
    if (entry != nullptr) {
        std::memset(entry, 0, sizeof(*entry));
        entry->database = database;
        entry->state = DatabaseState::absent;
        entry->worker_procno = -1;
    }
    return entry;
}

} // namespace billstack::pg
