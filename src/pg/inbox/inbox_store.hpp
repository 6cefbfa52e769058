// SQL on inbox, ledger and their counters, for everything but applying events. No rule about who
// may do what lives here. A transaction must be open; every function but insert_event acts as the
// extension's owner by itself.
#pragma once
#include "pg/inbox/inbox_counters.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

// --- receipt -----------------------------------------------------------------------------------

struct ReceivingIntegration {
    Integration integration;        // id, team, name and webhook_secret_state
    std::vector<std::string> roles; // whose members may hand in events, by name
};
std::optional<ReceivingIntegration> load_receiving(const std::string &team,
                                                   const std::string &integration);

struct NewEvent {
    std::int32_t integration_id;
    const std::string &event_id;
    const std::string &event_type; // "": NULL
    TimestampTz created;
    TimestampTz received_at;
    Datum payload; // a varlena that holds the body
};
// One statement: false when queue or ledger have the event already. As the extension's owner, with
// SPI open.
bool insert_event(const NewEvent &event);

// What the table holds of an integration, the running transaction's rows included.
QueueSize count_queue(std::int32_t integration_id);
// Of the whole inbox, on disk.
std::int64_t inbox_relation_bytes();

// --- counters ----------------------------------------------------------------------------------

// Into inbox_stat; those of an integration that is gone are dropped.
void store_flushes(const std::vector<CounterFlush> &flushes);

struct InboxState {
    std::int64_t waiting = 0;          // events that are not done and no dead letters
    std::int64_t failed = 0;           // dead letters
    std::int64_t failed_calls = 0;     // of handlers
    std::optional<TimestampTz> oldest; // receipt of the oldest that waits
    std::optional<TimestampTz> last_event_at;
    std::optional<TimestampTz> last_refused_at;
    std::optional<std::string> last_refusal;
};
// Table and shared memory together. read_only: with the snapshot of the running statement.
InboxState read_inbox_state(std::int32_t integration_id, bool read_only);

// --- replay ------------------------------------------------------------------------------------

struct IntegrationName {
    std::int32_t id;
    std::string team;
    std::string name;
};
// Those that know the event: in the queue, in the ledger, or by a failed call of a handler.
std::vector<IntegrationName> integrations_with_event(const std::string &event_id);

std::optional<IntegrationName> find_integration_name(std::int32_t integration_id);

struct Replayed {
    std::int64_t events = 0;
    std::int64_t calls = 0; // of handlers
};
// A dead letter and failed calls are due again; when there is neither, an event that is done goes
// back into the queue.
Replayed replay_event(std::int32_t integration_id, const std::string &event_id);
// All dead letters and failed calls of the integration.
Replayed retry_all_failed(std::int32_t integration_id);

// --- end of an integration ---------------------------------------------------------------------

void delete_queue(std::int32_t integration_id);
// With the calls of handlers that wait.
void delete_ledger(std::int32_t integration_id);

} // namespace billstack::pg
