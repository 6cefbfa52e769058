#include "pg/inbox/inbox_counters.hpp"

namespace billstack::pg {

namespace {

constexpr std::int32_t freed = -1; // a place that a search goes past
constexpr int longest_search = 64;

class CounterGuard {
  public:
    explicit CounterGuard(InboxCounters &counters) noexcept : counters_(counters) {
        SpinLockAcquire(&counters_.lock);
    }
    ~CounterGuard() { SpinLockRelease(&counters_.lock); }
    CounterGuard(const CounterGuard &) = delete;
    CounterGuard &operator=(const CounterGuard &) = delete;

  private:
    InboxCounters &counters_;
};

std::size_t first_place(Oid database, std::int32_t integration) {
    std::uint32_t mixed = static_cast<std::uint32_t>(integration) * 2654435761U ^ database;
    mixed ^= mixed >> 16;
    return mixed % inbox_counter_count;
}

// With the lock held. nullptr: not there, or no place for it.
InboxCounter *find(InboxCounters &counters, Oid database, std::int32_t integration, bool make) {
    InboxCounter *usable = nullptr;
    std::size_t place = first_place(database, integration);
    for (int step = 0; step < longest_search; ++step) {
        InboxCounter &counter = counters.entries[(place + step) % inbox_counter_count];
        if (counter.integration == integration && counter.database == database) {
            return &counter;
        }
        if (counter.integration <= 0 && usable == nullptr) {
            usable = &counter;
        }
        if (counter.integration == 0) {
            break;
        }
    }
    if (!make || usable == nullptr) {
        return nullptr;
    }
    *usable = InboxCounter{};
    usable->database = database;
    usable->integration = integration;
    return usable;
}

void tell_worker() noexcept {
    SharedState *state = shared_state();
    SpinGuard guard(*state);
    if (DatabaseEntry *entry = find_entry(*state, MyDatabaseId)) {
        entry->counters_changed = true;
    }
}

// What the running transaction will count, by subtransaction.
struct Pending {
    std::int32_t integration = 0;
    SubTransactionId subtransaction = InvalidSubTransactionId;
    QueueSize added;
    std::int64_t duplicates = 0;
    TimestampTz last_event_at = 0;
    bool forget = false;
};

// Plain pointer: a destructor would run while the server takes itself apart.
std::vector<Pending> *pending = nullptr;

void apply(InboxCounters &counters, const Pending &change) noexcept {
    InboxCounter *counter = find(counters, MyDatabaseId, change.integration, !change.forget);
    if (counter == nullptr) {
        return;
    }
    if (change.forget) {
        *counter = InboxCounter{};
        counter->integration = freed;
        return;
    }
    counter->rows += change.added.rows;
    counter->bytes += change.added.bytes;
    counter->duplicates += change.duplicates;
    counter->last_event_at = std::max(counter->last_event_at, change.last_event_at);
    counter->changed = counter->changed || change.duplicates > 0 || change.last_event_at != 0;
}

void apply_all() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    {
        CounterGuard guard(state->inbox_counters);
        for (const Pending &change : *pending) {
            apply(state->inbox_counters, change);
        }
    }
    tell_worker();
}

void at_transaction_end(XactEvent event, void *) {
    if (pending == nullptr || pending->empty()) {
        return;
    }
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) {
        apply_all();
    } else if (event != XACT_EVENT_ABORT) {
        return;
    }
    pending->clear();
}

void merge(Pending &into, const Pending &from) noexcept {
    into.added.rows += from.added.rows;
    into.added.bytes += from.added.bytes;
    into.duplicates += from.duplicates;
    into.last_event_at = std::max(into.last_event_at, from.last_event_at);
    into.forget = into.forget || from.forget;
}

// What a subtransaction counted becomes its parent's. Nothing here allocates.
void hand_up(SubTransactionId own, SubTransactionId parent) noexcept {
    for (Pending &change : *pending) {
        if (change.subtransaction == own) {
            change.subtransaction = parent;
        }
    }
    for (std::size_t i = 0; i < pending->size(); ++i) {
        for (std::size_t k = pending->size() - 1; k > i; --k) {
            Pending &kept = (*pending)[i];
            Pending &other = (*pending)[k];
            if (kept.integration == other.integration &&
                kept.subtransaction == other.subtransaction) {
                merge(kept, other);
                other = pending->back();
                pending->pop_back();
            }
        }
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void *) {
    if (pending == nullptr || pending->empty()) {
        return;
    }
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
        hand_up(own, parent);
    } else if (event == SUBXACT_EVENT_ABORT_SUB) {
        std::erase_if(*pending,
                      [&](const Pending &change) { return change.subtransaction == own; });
    }
}

Pending &pending_of(std::int32_t integration) {
    if (pending == nullptr) {
        auto made = std::make_unique<std::vector<Pending>>();
        call([] {
            RegisterXactCallback(at_transaction_end, nullptr);
            RegisterSubXactCallback(at_subtransaction_end, nullptr);
        });
        pending = made.release();
    }
    SubTransactionId current = GetCurrentSubTransactionId();
    for (Pending &change : *pending) {
        if (change.integration == integration && change.subtransaction == current) {
            return change;
        }
    }
    pending->push_back(Pending{integration, current, {}, 0, 0, false});
    return pending->back();
}

} // namespace

void note_accepted(std::int32_t integration, std::int64_t bytes, TimestampTz at) {
    Pending &change = pending_of(integration);
    ++change.added.rows;
    change.added.bytes += bytes;
    change.last_event_at = at;
}

void note_duplicate(std::int32_t integration, TimestampTz at) {
    Pending &change = pending_of(integration);
    ++change.duplicates;
    change.last_event_at = at;
}

void note_requeued(std::int32_t integration, std::int64_t rows, std::int64_t bytes) {
    Pending &change = pending_of(integration);
    change.added.rows += rows;
    change.added.bytes += bytes;
}

void forget_counters_at_commit(std::int32_t integration) {
    pending_of(integration).forget = true;
}

void note_refused(std::int32_t integration, Refusal refusal, TimestampTz at) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    {
        CounterGuard guard(state->inbox_counters);
        InboxCounter *counter = find(state->inbox_counters, MyDatabaseId, integration, true);
        if (counter == nullptr) {
            return;
        }
        counter->last_refused_at = at;
        counter->last_refusal = refusal;
        counter->changed = true;
    }
    tell_worker();
}

QueueSize own_pending(std::int32_t integration) {
    QueueSize own;
    if (pending != nullptr) {
        for (const Pending &change : *pending) {
            if (change.integration == integration) {
                own.rows += change.added.rows;
                own.bytes += change.added.bytes;
            }
        }
    }
    return own;
}

std::optional<QueueSize> queue_size(std::int32_t integration) {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return std::nullopt;
    }
    QueueSize size = own_pending(integration);
    CounterGuard guard(state->inbox_counters);
    const InboxCounter *counter = find(state->inbox_counters, MyDatabaseId, integration, false);
    if (counter == nullptr || !counter->counted) {
        return std::nullopt;
    }
    size.rows += std::max<std::int64_t>(counter->rows, 0);
    size.bytes += std::max<std::int64_t>(counter->bytes, 0);
    return size;
}

void set_queue_size(std::int32_t integration, QueueSize counted) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    CounterGuard guard(state->inbox_counters);
    if (InboxCounter *counter = find(state->inbox_counters, MyDatabaseId, integration, true)) {
        counter->rows = counted.rows;
        counter->bytes = counted.bytes;
        counter->counted = true;
    }
}

bool has_place(std::int32_t integration) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return false;
    }
    CounterGuard guard(state->inbox_counters);
    return find(state->inbox_counters, MyDatabaseId, integration, true) != nullptr;
}

bool may_recount(std::int32_t integration, std::int64_t every_us) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return false;
    }
    TimestampTz now = GetCurrentTimestamp();
    CounterGuard guard(state->inbox_counters);
    InboxCounter *counter = find(state->inbox_counters, MyDatabaseId, integration, false);
    if (counter == nullptr || now - counter->recounted_at < every_us) {
        return false;
    }
    counter->recounted_at = now;
    return true;
}

CounterFlush unstored_counters(std::int32_t integration) noexcept {
    CounterFlush found;
    found.integration = integration;
    if (SharedState *state = shared_state()) {
        CounterGuard guard(state->inbox_counters);
        if (const InboxCounter *counter =
                find(state->inbox_counters, MyDatabaseId, integration, false)) {
            found.duplicates = counter->duplicates;
            found.last_event_at = counter->last_event_at;
            found.last_refused_at = counter->last_refused_at;
            found.last_refusal = counter->last_refusal;
        }
    }
    return found;
}

const char *name_of(Refusal refusal) {
    switch (refusal) {
    case Refusal::none:
        return "";
    case Refusal::empty_header:
        return "empty_header";
    case Refusal::malformed:
        return "malformed";
    case Refusal::no_timestamp:
        return "no_timestamp";
    case Refusal::no_v1:
        return "no_v1";
    case Refusal::mismatch:
        return "mismatch";
    case Refusal::too_old:
        return "too_old";
    case Refusal::too_new:
        return "too_new";
    case Refusal::no_secret:
        return "no_secret";
    case Refusal::placeholder_secret:
        return "placeholder_secret";
    }
    return "unknown";
}

std::uint64_t inbox_moves() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return 0; // nothing is moved
    }
    SpinGuard guard(*state);
    const DatabaseEntry *entry = find_entry(*state, MyDatabaseId);
    return entry == nullptr ? 0 : entry->inbox_moves;
}

namespace {

// Set rather than counted on, so that a worker that died in a batch leaves no wrong parity.
void set_moving(bool moving) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    SpinGuard guard(*state);
    if (DatabaseEntry *entry = find_entry(*state, MyDatabaseId)) {
        entry->inbox_moves = (entry->inbox_moves | 1) + (moving ? 2 : 1);
    }
}

} // namespace

InboxMove::InboxMove() noexcept {
    set_moving(true);
}

InboxMove::~InboxMove() {
    set_moving(false);
}

void note_taken(std::int32_t integration, std::int64_t rows, std::int64_t bytes) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    CounterGuard guard(state->inbox_counters);
    if (InboxCounter *counter = find(state->inbox_counters, MyDatabaseId, integration, false)) {
        counter->rows -= rows;
        counter->bytes -= bytes;
    }
}

bool has_flushes() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return false;
    }
    SpinGuard guard(*state);
    const DatabaseEntry *entry = find_entry(*state, MyDatabaseId);
    return entry != nullptr && entry->counters_changed;
}

std::vector<CounterFlush> take_flushes(Oid database) {
    std::vector<CounterFlush> flushes;
    SharedState *state = shared_state();
    if (state == nullptr) {
        return flushes;
    }
    {
        SpinGuard guard(*state);
        if (DatabaseEntry *entry = find_entry(*state, database)) {
            entry->counters_changed = false;
        }
    }
    for (InboxCounter &counter : state->inbox_counters.entries) {
        CounterFlush flush;
        {
            CounterGuard guard(state->inbox_counters);
            if (counter.integration <= 0 || counter.database != database || !counter.changed) {
                continue;
            }
            flush = {counter.integration, counter.duplicates, counter.last_event_at,
                     counter.last_refused_at, counter.last_refusal};
            counter.duplicates = 0;
            counter.changed = false;
        }
        flushes.push_back(flush);
    }
    return flushes;
}

void give_back_flushes(Oid database, const std::vector<CounterFlush> &flushes) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    for (const CounterFlush &flush : flushes) {
        CounterGuard guard(state->inbox_counters);
        if (InboxCounter *counter =
                find(state->inbox_counters, database, flush.integration, false)) {
            counter->duplicates += flush.duplicates;
            counter->changed = true;
        }
    }
    if (!flushes.empty()) {
        tell_worker();
    }
}

} // namespace billstack::pg
