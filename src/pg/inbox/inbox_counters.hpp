// What the receipt of events counts in shared memory: how full each integration's queue is, and
// what inbox_stat will be told later. A refused event aborts its transaction, so this is the only
// place that can remember it. Without preloading there is no such memory and nothing is counted.
#pragma once
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

struct QueueSize {
    std::int64_t rows = 0;
    std::int64_t bytes = 0; // of the bodies as they came
};

// --- receipt; all but note_refused and queue_size count when the transaction commits -----------

void note_accepted(std::int32_t integration, std::int64_t bytes, TimestampTz at);
void note_duplicate(std::int32_t integration, TimestampTz at);
// Rows that come back from the ledger.
void note_requeued(std::int32_t integration, std::int64_t rows, std::int64_t bytes);
// The integration ends: its place is free again.
void forget_counters_at_commit(std::int32_t integration);
// At once, whatever becomes of the transaction.
void note_refused(std::int32_t integration, Refusal refusal, TimestampTz at) noexcept;

// What is in the queue, the running transaction's own rows included. nullopt: not counted since the
// server started, or no memory for it.
std::optional<QueueSize> queue_size(std::int32_t integration);
// Of the running transaction alone.
QueueSize own_pending(std::int32_t integration);
// `counted` is what the table holds without the running transaction's rows. What commits meanwhile
// may be missed or counted twice; a full queue is counted again before anything is refused.
void set_queue_size(std::int32_t integration, QueueSize counted) noexcept;
// False: there is no memory for this integration; true: there is from now on.
bool has_place(std::int32_t integration) noexcept;
// True at most once in so long, for all backends together.
bool may_recount(std::int32_t integration, std::int64_t every_us) noexcept;

// What inbox_stat does not have yet. Times are 0 while there is none.
struct CounterFlush {
    std::int32_t integration = 0;
    std::int64_t duplicates = 0;
    TimestampTz last_event_at = 0;
    TimestampTz last_refused_at = 0;
    Refusal last_refusal = Refusal::none;
};
CounterFlush unstored_counters(std::int32_t integration) noexcept;

// "mismatch", "too_old", ...: the words of status() and inbox_status.
const char *name_of(Refusal refusal);

// Changes whenever the worker begins or ends to move events to the ledger; odd in between. What a
// statement has not found in the ledger may be there all the same unless it is even and the same
// before and after.
std::uint64_t inbox_moves() noexcept;

// --- worker ------------------------------------------------------------------------------------

// Rows that left the queue, after their transaction has committed.
void note_taken(std::int32_t integration, std::int64_t rows, std::int64_t bytes) noexcept;
// For the length of a batch, its commit included.
class InboxMove {
  public:
    InboxMove() noexcept;
    ~InboxMove();
    InboxMove(const InboxMove &) = delete;
    InboxMove &operator=(const InboxMove &) = delete;
};
// Something of this database waits to be stored; cheap.
bool has_flushes() noexcept;
// Takes it out; what could not be stored (store_flushes in pg/inbox_store.hpp) is given back.
std::vector<CounterFlush> take_flushes(Oid database);
void give_back_flushes(Oid database, const std::vector<CounterFlush> &flushes) noexcept;

} // namespace billstack::pg
