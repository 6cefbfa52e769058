#include "pg/worker/colleagues.hpp"

#include "pg/config.hpp"

namespace billstack::pg {

namespace {

constexpr int expected_for_ms = 1000; // a worker starts within some 50 ms

} // namespace

int Colleagues::count() const noexcept {
    TimestampTz now = GetCurrentTimestamp();
    SpinGuard guard(state_);
    const DatabaseEntry *entry = find_entry(state_, database_);
    if (entry == nullptr) {
        return 1;
    }
    bool all_expected = now < entry->expected_until;
    int count = entry->worker_pid != 0 || all_expected ? 1 : 0;
    for (int i = 0; i < max_workers - 1; ++i) {
        bool expected = all_expected && i < entry->backfill_workers;
        count += entry->backfill_worker[i].pid != 0 || expected ? 1 : 0;
    }
    return std::max(1, count);
}

void Colleagues::note_ranges(int ranges) noexcept {
    SpinGuard guard(state_);
    if (DatabaseEntry *entry = find_entry(state_, database_)) {
        (number_ == 0 ? entry->ranges : entry->backfill_worker[number_ - 1].ranges) = ranges;
    }
}

bool Colleagues::somebody_walks_fewer(int than) const noexcept {
    SpinGuard guard(state_);
    const DatabaseEntry *entry = find_entry(state_, database_);
    if (entry == nullptr) {
        return false;
    }
    if (number_ != 0 && entry->worker_pid != 0 && entry->ranges < than) {
        return true;
    }
    for (int i = 0; i < max_workers - 1; ++i) {
        const BackfillWorkerEntry &worker = entry->backfill_worker[i];
        if (i + 1 != number_ && worker.pid != 0 && worker.ranges < than) {
            return true;
        }
    }
    return false;
}

void Colleagues::wake() noexcept {
    WorkerLatches latches;
    {
        SpinGuard guard(state_);
        DatabaseEntry *entry = find_entry(state_, database_);
        if (entry == nullptr) {
            return;
        }
        if (number_ != 0) {
            entry->runs_waiting = true;
            latches.add(entry->worker_procno);
        }
        for (int i = 0; i < max_workers - 1; ++i) {
            BackfillWorkerEntry &worker = entry->backfill_worker[i];
            if (i + 1 != number_ && worker.pid != 0) {
                worker.work_waiting = true;
                latches.add(worker.procno);
            }
        }
    }
    latches.set();
}

void Colleagues::wake_for_refetches() noexcept {
    int procno = -1;
    {
        SpinGuard guard(state_);
        if (DatabaseEntry *entry = find_entry(state_, database_)) {
            entry->refetch_waiting = true;
            procno = entry->worker_procno;
        }
    }
    set_latch_of(procno);
}

void Colleagues::want(bool runs_are_open) noexcept {
    int wanted = runs_are_open ? config::workers() - 1 : 0;
    TimestampTz now = GetCurrentTimestamp();
    int launcher = -1;
    {
        SpinGuard guard(state_);
        DatabaseEntry *entry = find_entry(state_, database_);
        if (entry == nullptr || entry->held_by != 0 || entry->backfill_workers == wanted) {
            return;
        }
        entry->backfill_workers = wanted;
        if (wanted > 0) {
            entry->expected_until = TimestampTzPlusMilliseconds(now, expected_for_ms);
            launcher = state_.launcher_procno;
        }
    }
    set_latch_of(launcher);
    if (wanted == 0) {
        wake(); // they leave
    }
}

} // namespace billstack::pg
