// SQL of the drain: claiming rows of the inbox, finishing them into the ledger, putting them off.
// Every function needs an open transaction and SpiSession and acts with the rights of the
// extension's owner (the caller sets the UserContext).
#pragma once
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

// Where a scan of the queue stands. Rows are ordered by the transaction that inserted them and,
// within it, by id: a row that commits late has an early place, and a pass starts again at the
// oldest transaction that was still running when the last one began.
struct InboxPosition {
    std::uint64_t inserted_by = 0;
    std::int64_t id = -1;
};

// A row of the inbox, locked by this transaction.
struct InboxEvent {
    std::int64_t id = 0;
    std::uint64_t inserted_by = 0;
    std::int32_t integration_id = 0;
    std::string event_id;
    std::int32_t attempts = 0;
    std::string payload;   // empty when it is larger than an event may be (1 MiB)
    std::int32_t size = 0; // of the body, bytes
    std::string place;     // its ctid: stays while this transaction holds the lock
};

// The oldest transaction that may still be running: rows of older ones are all to be seen by now.
std::uint64_t oldest_running_transaction();
// Rows after the position that were never tried, oldest first, other sessions' locks skipped; not
// those of the resting integrations. Fewer than there are when their bodies exceed 8 MiB.
std::vector<InboxEvent> claim_new(const InboxPosition &after, int limit,
                                  const std::vector<std::int32_t> &resting);
// Rows whose next try is due.
std::vector<InboxEvent> claim_due(int limit, const std::vector<std::int32_t> &resting);
// When the next try of any row is due.
std::optional<TimestampTz> next_try_at(const std::vector<std::int32_t> &resting);

// An event's end: what the ledger says of it.
struct FinishedEvent {
    std::string place; // of its inbox row
    std::string_view kind;
    std::string_view object_id;
    std::string_view outcome;
    std::string_view snapshot_event;
    std::string_view project; // it belongs to
    std::string_view routing; // "routed", "unrouted", "" where there was nothing to route
};
// Moves the rows from the inbox to the ledger; returns how many. Fewer than events: the rest is in
// the ledger already (the same event was received while its first copy was being applied).
std::int64_t finish_events(const std::vector<FinishedEvent> &events);
// Of the inbox rows at these places the ids of those whose event is in the ledger.
std::vector<std::int64_t> find_done(const std::vector<std::string> &places);
// ... whose twin is: the snapshot event that a thin one names (snapshots: per row its id, else
// empty), or a thin event that names this one.
std::vector<std::int64_t> find_twins(const std::vector<std::string> &places,
                                     const std::vector<std::string> &snapshots);
// Whether any event of the ledger is a thin one that has a twin.
bool has_twins();
// Removes rows without a trace: second copies, rows of integrations that have gone.
std::int64_t drop_events(const std::vector<std::string> &places);
// Counts what was done for status() and inbox_status.
void count_processed(std::int32_t integration_id, std::int64_t processed, std::int64_t duplicates);

// The event failed: tried again after the delay, or, when dead, not before replay(). attempt:
// counted as one.
struct FailedEvent {
    std::string place;
    bool attempt = true;
    bool dead = false;
    core::Milliseconds delay{};
    std::string error;
};
void put_off_events(const std::vector<FailedEvent> &events);

// An integration as applying needs it. found is false for one that has gone.
struct EventTarget {
    std::int32_t integration_id = 0;
    bool found = false;
    bool ready = false; // armed, and its mirror has the layout of this library
    std::string team;
    std::string integration;
    std::string schema_name;
    Oid schema_oid = InvalidOid;
    std::string owner_name;
    std::string account_id; // "": not known
    bool livemode = false;
    std::string fingerprint; // of the root key that sealed the secret key
    std::string sealed_key;
};
EventTarget load_event_target(std::int32_t integration_id);

} // namespace billstack::pg
