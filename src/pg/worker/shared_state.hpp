// The library's shared memory: one entry per database that has a worker, counters of the inboxes,
// last uses of API keys, Stripe's limits, and the request slots.
// Sized while preloading (version 15 has no registry for later segments). Protected by one spinlock
// per part, held for a few instructions and never across a call that may raise.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

inline constexpr int max_databases = 64;
inline constexpr int max_workers = 16; // of a database, its sync worker included
inline constexpr int slot_count = 32;
inline constexpr std::size_t slot_request_size = 64 * 1024;
inline constexpr std::size_t slot_answer_size = 256 * 1024;

// The launcher's view of a database. docs/architecture.md, "Launcher" draws the transitions.
enum class DatabaseState : std::int32_t {
    absent,      // no worker wanted: no mark, no extension, or not looked at yet
    starting,    // registered with the postmaster
    running,     // the worker has said so
    backing_off, // ended badly; restart at retry_at
    held         // a DDL command on the database keeps the worker away
};

// A worker that runs backfills only, beside the sync worker. Those of a database count from 1, the
// sync worker being 0.
struct BackfillWorkerEntry {
    pid_t pid;             // 0: none
    int procno;            // as worker_procno
    bool work_waiting;     // runs and ranges it should look at
    bool terminated;       // by a signal: no failure
    bool ended_well;       // it was asked to end, or had no work
    bool refused;          // max_worker_processes is used up
    std::int32_t ranges;   // that it walks
    std::int32_t failures; // in a row
    TimestampTz started_at;
    TimestampTz retry_at;
};

// Plain data; `lock` of SharedState protects all of it.
struct DatabaseEntry {
    Oid database; // InvalidOid: the entry is free
    DatabaseState state;
    pid_t worker_pid;             // 0: none
    int worker_procno;            // index of its PGPROC, for its latch; -1: none
    pid_t held_by;                // backend that holds the database, 0: none
    int holder_procno;            // its latch is set when the worker has gone
    bool leave;                   // the worker is asked to end with exit code 0
    bool work_waiting;            // set at commit: rows the worker should look at
    bool inbox_waiting;           // the same for rows of the inbox and calls of handlers
    bool runs_waiting;            // the same for runs and ranges that another worker has touched
    bool refetch_waiting;         // the same for refetches that another worker asks for
    bool counters_changed;        // pg/inbox_counters.hpp has something to store
    std::uint64_t inbox_moves;    // odd while the worker moves events to the ledger
    std::uint64_t outcomes_begun; // answers of writes were handed over whose outcome is
    std::uint64_t outcomes_done;  // recorded, or put off, up to this number
    bool key_used;                // pg/key_uses.hpp has something to store
    bool extension_missing;       // the worker found no extension: nothing to restart
    bool rescan;                  // CREATE EXTENSION committed here: forget extension_missing
    bool terminated;              // the worker was told to end by a signal: no failure
    std::int32_t failures;        // in a row
    TimestampTz retry_at;
    TimestampTz started_at;
    TimestampTz last_turn_at;
    TimestampTz key_uses_stored_at; // or tried to
    std::int64_t running_call;      // the worker is in this call of a handler, 0: in none
    char worker_version[16];        // of the library the worker runs
    char last_error[256];
    std::int32_t ranges;           // that the sync worker walks
    std::int32_t backfill_workers; // wanted beside it: while a run is open
    TimestampTz expected_until;    // till then those that are wanted count as there
    BackfillWorkerEntry backfill_worker[max_workers - 1]; // worker n has index n - 1
};

enum class SlotState : std::int32_t { free, filling, queued, taken, answered, abandoned };

// Offsets into `request` and `answer`, which hold length-prefixed fields.
struct RequestSlot {
    SlotState state;
    Oid database;
    pid_t backend_pid;
    int backend_procno;
    std::uint64_t generation; // guards against answering a slot's next user
    std::uint32_t request_length;
    std::uint32_t answer_length;
    char request[slot_request_size]; // holds the key: wiped by the worker as soon as it is read
    char answer[slot_answer_size];
};

// Why an event was not accepted: the verdicts on signatures, and integrations without a secret.
enum class Refusal : std::int32_t {
    none,
    empty_header,
    malformed,
    no_timestamp,
    no_v1,
    mismatch,
    too_old,
    too_new,
    no_secret,
    placeholder_secret
};

// Of one integration's inbox (pg/inbox_counters.hpp, which alone touches it).
struct InboxCounter {
    Oid database;
    std::int32_t integration; // 0: never used, -1: free again
    bool counted;             // rows and bytes are those of the table
    bool changed;             // the rest is newer than inbox_stat
    Refusal last_refusal;
    std::int64_t rows; // may be below zero for a moment: a worker was faster than its inserter
    std::int64_t bytes;
    std::int64_t duplicates;   // not yet stored
    TimestampTz last_event_at; // 0: none since the server started
    TimestampTz last_refused_at;
    TimestampTz recounted_at; // when a full queue was counted again
};

inline constexpr std::size_t inbox_counter_count = 8192; // 512 kB

struct InboxCounters {
    slock_t lock;
    InboxCounter entries[inbox_counter_count];
};

// The last use of an API key (pg/key_uses.hpp, which alone touches it).
struct KeyUse {
    Oid database;
    char id[28]; // "": never used; longer ids are not counted
    TimestampTz at;
    bool changed; // newer than the table
};

inline constexpr std::size_t key_use_count = 1024; // 48 kB

struct KeyUses {
    slock_t lock;
    KeyUse entries[key_use_count];
};

// Reads from Stripe that read_count does not have yet (pg/rate_gate_shared.hpp, which alone touches
// it).
struct AccountReads {
    Oid database; // InvalidOid: never used
    char account[60];
    std::int64_t reads;
};

inline constexpr std::size_t account_reads_count = 512; // 36 kB; more accounts are not counted

// Stripe's limits, for all databases together.
struct RateState {
    slock_t lock;
    stripe::RateTable table; // 1 MB
    AccountReads reads[account_reads_count];
};

struct SharedState {
    slock_t lock;
    pid_t launcher_pid;
    int launcher_procno;
    bool scouted; // the marks have been read since the launcher started
    DatabaseEntry databases[max_databases];
    InboxCounters inbox_counters;
    KeyUses key_uses;
    RateState rates;
    RequestSlot slots[slot_count];
};

// In _PG_init while preloading: hooks that reserve and initialise.
void reserve_shared_state();
// Finds the memory, or makes it while the server starts. May raise.
void attach_shared_state();
// nullptr when the library is not preloaded.
SharedState *shared_state();
// Throws core::Error(not_ready) with the line to add to postgresql.conf.
SharedState &require_shared_state();

// Sets the latch of the process with this index; nothing happens for -1.
void set_latch_of(int procno) noexcept;
int own_procno() noexcept;

// Entry of a database; nullptr when there is none. Call with the lock held.
DatabaseEntry *find_entry(SharedState &state, Oid database) noexcept;
DatabaseEntry *find_or_make_entry(SharedState &state, Oid database) noexcept; // nullptr: table full
// A worker of the database is connected to it, or about to be. Call with the lock held.
bool has_workers(const DatabaseEntry &entry) noexcept;

// The latches of the workers of a database, to be set once the lock is released.
struct WorkerLatches {
    int procnos[max_workers];
    int count = 0;
    void add(int procno) noexcept {
        if (count < max_workers) {
            procnos[count++] = procno;
        }
    }
    void set() const noexcept;
};

class SpinGuard {
  public:
    explicit SpinGuard(SharedState &state) noexcept : state_(state) {
        SpinLockAcquire(&state_.lock);
    }
    ~SpinGuard() { SpinLockRelease(&state_.lock); }
    SpinGuard(const SpinGuard &) = delete;
    SpinGuard &operator=(const SpinGuard &) = delete;

  private:
    SharedState &state_;
};

} // namespace billstack::pg
