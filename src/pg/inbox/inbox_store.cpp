// Statements of the receipt, of replay and of the counters on 34_inbox.sql and 35_subscription.sql.
#include "pg/inbox/inbox_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"
#include "pg/inbox/inbox_counters.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_receiving{
    "SELECT i.id, i.webhook_secret_state, t.owner_name::text, i.owner_name::text,"
    " ARRAY(SELECT g.role_name::text FROM billstack_internal.access_grant AS g"
    "        WHERE g.team IN ('', $1) AND g.profile IN ('admin', 'app', 'webhook'))"
    " FROM billstack_internal.integration AS i"
    " JOIN billstack_internal.team AS t ON t.team = i.team"
    " WHERE i.team = $1 AND i.name = $2"};

// The second is created once and never changes, so a copy that comes after weeks meets the ledger's
// row in the one partition that is looked at.
constinit Statement insert_row{
    "INSERT INTO billstack_internal.inbox"
    " (integration_id, event_id, event_type, event_created, received_at, payload)"
    " SELECT $1, $2, $3, $4, $5, $6"
    " WHERE NOT EXISTS (SELECT FROM billstack_internal.event AS e"
    " WHERE e.integration_id = $1 AND e.event_id = $2 AND e.event_created = $4)"
    " ON CONFLICT (integration_id, event_id) DO NOTHING",
    // A plan for the parameters would look cheaper with every partition, and cost more than it
    // runs.
    nullptr, CURSOR_OPT_GENERIC_PLAN};

// A copy that the worker moved from one table to the other while insert_row looked: its snapshot
// saw it in neither.
constinit Statement take_back_row{
    "DELETE FROM billstack_internal.inbox AS b"
    " WHERE b.integration_id = $1 AND b.event_id = $2 AND EXISTS"
    " (SELECT FROM billstack_internal.event AS e"
    "   WHERE e.integration_id = $1 AND e.event_id = $2 AND e.event_created = $3)",
    nullptr, CURSOR_OPT_GENERIC_PLAN};

constinit Statement select_size{"SELECT count(*), COALESCE(sum(octet_length(b.payload)), 0)::bigint"
                                " FROM billstack_internal.inbox AS b WHERE b.integration_id = $1"};
constinit Statement select_table_size{"SELECT pg_table_size('billstack_internal.inbox'::regclass)"};

constinit Statement upsert_stat{
    "INSERT INTO billstack_internal.inbox_stat AS s"
    " (integration_id, duplicates, last_event_at, last_refused_at, last_refusal)"
    " SELECT i.id, $2, $3, $4, $5 FROM billstack_internal.integration AS i WHERE i.id = $1"
    " ON CONFLICT (integration_id) DO UPDATE SET duplicates = s.duplicates + EXCLUDED.duplicates,"
    " last_event_at = GREATEST(s.last_event_at, EXCLUDED.last_event_at),"
    " last_refused_at = COALESCE(EXCLUDED.last_refused_at, s.last_refused_at),"
    " last_refusal = COALESCE(EXCLUDED.last_refusal, s.last_refusal)"};
constinit Statement select_state{
    "SELECT q.waiting, q.failed, q.oldest,"
    " (SELECT count(*) FROM billstack_internal.handler_call AS c"
    "   WHERE c.integration_id = $1 AND c.failed_at IS NOT NULL),"
    " s.last_event_at, s.last_refused_at, s.last_refusal, q.newest"
    " FROM (SELECT count(*) FILTER (WHERE b.failed_at IS NULL) AS waiting,"
    "              count(b.failed_at) AS failed,"
    "              min(b.received_at) FILTER (WHERE b.failed_at IS NULL) AS oldest,"
    "              max(b.received_at) AS newest"
    "         FROM billstack_internal.inbox AS b WHERE b.integration_id = $1) AS q"
    " LEFT JOIN billstack_internal.inbox_stat AS s ON s.integration_id = $1"};

constinit Statement select_knowing{
    "SELECT i.id, i.team, i.name FROM billstack_internal.integration AS i WHERE"
    " EXISTS (SELECT FROM billstack_internal.inbox AS b"
    "          WHERE b.integration_id = i.id AND b.event_id = $1)"
    " OR EXISTS (SELECT FROM billstack_internal.event AS e"
    "             WHERE e.integration_id = i.id AND e.event_id = $1)"
    " OR EXISTS (SELECT FROM billstack_internal.handler_call AS c WHERE c.integration_id = i.id"
    "             AND c.event_id = $1 AND c.failed_at IS NOT NULL)"
    " ORDER BY i.team, i.name"};
constinit Statement select_name{
    "SELECT i.id, i.team, i.name FROM billstack_internal.integration AS i WHERE i.id = $1"};
constinit Statement requeue_row{
    "UPDATE billstack_internal.inbox SET inserted_by = pg_current_xact_id(), attempts = 0,"
    " next_try = NULL, failed_at = NULL, error = NULL"
    " WHERE integration_id = $1 AND event_id = $2"};
constinit Statement requeue_failed{
    "UPDATE billstack_internal.inbox SET inserted_by = pg_current_xact_id(), attempts = 0,"
    " next_try = NULL, failed_at = NULL, error = NULL"
    " WHERE integration_id = $1 AND failed_at IS NOT NULL"};
constinit Statement recall_event{
    "UPDATE billstack_internal.handler_call SET attempts = 0, next_try = NULL, failed_at = NULL,"
    " error = NULL WHERE integration_id = $1 AND event_id = $2 AND failed_at IS NOT NULL"};
constinit Statement recall_failed{
    "UPDATE billstack_internal.handler_call SET attempts = 0, next_try = NULL, failed_at = NULL,"
    " error = NULL WHERE integration_id = $1 AND failed_at IS NOT NULL"};
constinit Statement move_back{
    "WITH done AS (DELETE FROM billstack_internal.event AS e"
    " WHERE e.integration_id = $1 AND e.event_id = $2 RETURNING e.*)"
    " INSERT INTO billstack_internal.inbox"
    " (integration_id, event_id, event_type, event_created, received_at, payload)"
    " SELECT d.integration_id, d.event_id, d.event_type, d.event_created, d.received_at, d.payload"
    " FROM done AS d ON CONFLICT (integration_id, event_id) DO NOTHING"
    " RETURNING octet_length(payload)"};

constinit Statement delete_inbox_rows{
    "DELETE FROM billstack_internal.inbox WHERE integration_id = $1"};
constinit Statement delete_calls{
    "DELETE FROM billstack_internal.handler_call WHERE integration_id = $1"};
constinit Statement delete_event_rows{
    "DELETE FROM billstack_internal.event WHERE integration_id = $1"};

std::optional<TimestampTz> known(TimestampTz at) {
    return at == 0 ? std::nullopt : std::optional<TimestampTz>(at);
}

std::optional<std::string> words(Refusal refusal) {
    return refusal == Refusal::none ? std::nullopt : std::optional<std::string>(name_of(refusal));
}

} // namespace

std::optional<ReceivingIntegration> load_receiving(const std::string &team,
                                                   const std::string &integration) {
    InternalAccess access;
    Rows rows = select_receiving.run({param(team), param(integration)});
    if (rows.empty()) {
        return std::nullopt;
    }
    ReceivingIntegration found;
    found.integration.id = rows.int32(0, 1);
    found.integration.team = team;
    found.integration.name = integration;
    found.integration.webhook_secret_state = rows.text(0, 2);
    found.roles = rows.text_array(0, 5);
    found.roles.push_back(rows.text(0, 3));
    found.roles.push_back(rows.text(0, 4));
    return found;
}

bool insert_event(const NewEvent &event) {
    Param type = event.event_type.empty() ? Param{TEXTOID, 0, true} : param(event.event_type);
    std::uint64_t moves = inbox_moves();
    if (insert_row
            .run({param(event.integration_id), param(event.event_id), type,
                  param_time(event.created), param_time(event.received_at),
                  Param{BYTEAOID, event.payload, false}})
            .empty()) {
        return false;
    }
    if (moves % 2 == 0 && moves == inbox_moves()) {
        return true;
    }
    return take_back_row
        .run({param(event.integration_id), param(event.event_id), param_time(event.created)})
        .empty();
}

QueueSize count_queue(std::int32_t integration_id) {
    InternalAccess access;
    Rows rows = select_size.run({param(integration_id)});
    return {rows.int64(0, 1), rows.int64(0, 2)};
}

std::int64_t inbox_relation_bytes() {
    InternalAccess access;
    return select_table_size.run().int64(0, 1);
}

void store_flushes(const std::vector<CounterFlush> &flushes) {
    InternalAccess access;
    for (const CounterFlush &flush : flushes) {
        (void)upsert_stat.run({param(flush.integration), param(flush.duplicates),
                               param_time(known(flush.last_event_at)),
                               param_time(known(flush.last_refused_at)),
                               param(words(flush.last_refusal))});
    }
}

InboxState read_inbox_state(std::int32_t integration_id, bool read_only) {
    InboxState state;
    std::optional<TimestampTz> newest;
    {
        InternalAccess access;
        Rows rows = select_state.run({param(integration_id)}, read_only);
        state.waiting = rows.int64(0, 1);
        state.failed = rows.int64(0, 2);
        state.oldest = rows.time(0, 3);
        state.failed_calls = rows.int64(0, 4);
        state.last_event_at = rows.time(0, 5);
        state.last_refused_at = rows.time(0, 6);
        state.last_refusal = rows.optional_text(0, 7);
        newest = rows.time(0, 8);
    }
    CounterFlush live = unstored_counters(integration_id);
    // nullopt is less than any time.
    state.last_event_at = std::max({state.last_event_at, newest, known(live.last_event_at)});
    if (known(live.last_refused_at)) {
        state.last_refused_at = live.last_refused_at;
        state.last_refusal = words(live.last_refusal);
    }
    return state;
}

std::vector<IntegrationName> integrations_with_event(const std::string &event_id) {
    InternalAccess access;
    Rows rows = select_knowing.run({param(event_id)});
    std::vector<IntegrationName> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back({rows.int32(row, 1), rows.text(row, 2), rows.text(row, 3)});
    }
    return found;
}

std::optional<IntegrationName> find_integration_name(std::int32_t integration_id) {
    InternalAccess access;
    Rows rows = select_name.run({param(integration_id)});
    if (rows.empty()) {
        return std::nullopt;
    }
    return IntegrationName{rows.int32(0, 1), rows.text(0, 2), rows.text(0, 3)};
}

Replayed replay_event(std::int32_t integration_id, const std::string &event_id) {
    InternalAccess access;
    Replayed replayed;
    auto changed = [&](Statement &statement) {
        return static_cast<std::int64_t>(
            statement.run({param(integration_id), param(event_id)}).size());
    };
    replayed.events = changed(requeue_row);
    replayed.calls = changed(recall_event);
    if (replayed.events == 0 && replayed.calls == 0) {
        Rows moved = move_back.run({param(integration_id), param(event_id)});
        replayed.events = static_cast<std::int64_t>(moved.size());
        for (std::uint64_t row = 0; row < moved.size(); ++row) {
            note_requeued(integration_id, 1, moved.int32(row, 1));
        }
    }
    return replayed;
}

Replayed retry_all_failed(std::int32_t integration_id) {
    InternalAccess access;
    Replayed replayed;
    replayed.events = static_cast<std::int64_t>(requeue_failed.run({param(integration_id)}).size());
    replayed.calls = static_cast<std::int64_t>(recall_failed.run({param(integration_id)}).size());
    return replayed;
}

void delete_queue(std::int32_t integration_id) {
    InternalAccess access;
    (void)delete_inbox_rows.run({param(integration_id)});
}

void delete_ledger(std::int32_t integration_id) {
    InternalAccess access;
    (void)delete_calls.run({param(integration_id)});
    (void)delete_event_rows.run({param(integration_id)});
}

} // namespace billstack::pg
