#include "pg/handlers/handler_store.hpp"

namespace billstack::pg {

namespace {

constinit Statement any_subscription{"SELECT 1 FROM billstack_internal.subscription LIMIT 1"};

// A dead letter starts over when its event is replayed; a call that waits is left alone.
constinit Statement enqueue{R"(
INSERT INTO billstack_internal.handler_call AS h
       (subscription_id, integration_id, event_id, event_created)
SELECT s.id, e.integration_id, e.event_id, e.created
  FROM unnest($1::integer[], $2::text[], $3::timestamptz[], $4::text[]) WITH ORDINALITY
       AS e (integration_id, event_id, created, type, place)
  JOIN billstack_internal.subscription AS s ON s.integration_id = e.integration_id
 WHERE EXISTS (
       SELECT FROM unnest(s.events) AS p (pattern)
        WHERE p.pattern = '*' OR p.pattern = e.type
           OR (right(p.pattern, 2) = '.*' AND starts_with(e.type, left(p.pattern, -1))))
 ORDER BY e.place, s.id
ON CONFLICT (subscription_id, event_id) DO UPDATE
   SET attempts = 0, next_try = NULL, failed_at = NULL, error = NULL
 WHERE h.failed_at IS NOT NULL
RETURNING h.id)"};

constinit Statement subscriptions_of{R"(
SELECT id, integration_id, handler_schema::text, handler_name::text, handler_owner::text, events,
       role_name::text
  FROM billstack_internal.subscription WHERE integration_id = $1 ORDER BY id FOR UPDATE)"};

constinit Statement put_subscription{R"(
INSERT INTO billstack_internal.subscription
       (integration_id, handler_schema, handler_name, handler_owner, events, role_name)
VALUES ($1, $2::name, $3::name, $4::name, $5, $6::name)
ON CONFLICT (integration_id, handler_schema, handler_name) DO UPDATE
   SET handler_owner = excluded.handler_owner, events = excluded.events,
       role_name = excluded.role_name)"};

constinit Statement drop_subscription{"DELETE FROM billstack_internal.subscription WHERE id = $1"};
constinit Statement drop_calls{R"(
DELETE FROM billstack_internal.handler_call WHERE subscription_id = $1
RETURNING failed_at IS NULL)"};

// Retries and new calls by turns: neither can keep the other from being made.
constinit Statement due_calls{R"(
SELECT c.id, s.id
  FROM billstack_internal.subscription AS s
  JOIN billstack_internal.integration AS i ON i.id = s.integration_id
 CROSS JOIN LATERAL (
       (SELECT h.id FROM billstack_internal.handler_call AS h
         WHERE h.subscription_id = s.id AND h.failed_at IS NULL AND h.next_try <= $1
         ORDER BY h.next_try, h.id LIMIT 16)
       UNION ALL
       (SELECT h.id FROM billstack_internal.handler_call AS h
         WHERE h.subscription_id = s.id AND h.failed_at IS NULL AND h.next_try IS NULL
         ORDER BY h.id LIMIT 16)) AS c
 WHERE s.id <> ALL ($2::integer[]) AND i.system_identifier = $3 AND i.database_oid = $4)"};

constinit Statement next_retry{R"(
SELECT min(c.next_try)
  FROM billstack_internal.subscription AS s
  JOIN billstack_internal.integration AS i ON i.id = s.integration_id
 CROSS JOIN LATERAL (
       SELECT h.next_try FROM billstack_internal.handler_call AS h
        WHERE h.subscription_id = s.id AND h.failed_at IS NULL AND h.next_try IS NOT NULL
        ORDER BY h.next_try LIMIT 1) AS c
 WHERE s.id <> ALL ($1::integer[]) AND i.system_identifier = $2 AND i.database_oid = $3)"};

constinit Statement lock_call{R"(
SELECT s.handler_schema::text, s.handler_name::text, s.handler_owner::text, s.role_name::text,
       i.team, i.name, c.event_id, c.attempts, c.integration_id, c.event_created
  FROM billstack_internal.handler_call AS c
  JOIN billstack_internal.subscription AS s ON s.id = c.subscription_id
  JOIN billstack_internal.integration AS i ON i.id = s.integration_id
 WHERE c.id = $1 AND c.failed_at IS NULL
   FOR UPDATE OF c SKIP LOCKED FOR KEY SHARE OF s SKIP LOCKED)"};

constinit Statement remove_call{"DELETE FROM billstack_internal.handler_call WHERE id = $1"};

constinit Statement event_payload{R"(
SELECT payload FROM billstack_internal.event
 WHERE integration_id = $1 AND event_id = $2 AND event_created = $3)"};

constinit Statement fail_call{R"(
UPDATE billstack_internal.handler_call
   SET attempts = attempts + 1, error = $2,
       failed_at = CASE WHEN $3 OR attempts + 1 >= $4 THEN clock_timestamp() END,
       next_try = CASE WHEN $3 OR attempts + 1 >= $4 THEN NULL
                       ELSE clock_timestamp() + $5 * interval '1 millisecond' END
 WHERE id = $1 AND failed_at IS NULL
RETURNING failed_at IS NOT NULL)"};

constinit Statement call_attempts{
    "SELECT attempts FROM billstack_internal.handler_call WHERE id = $1"};

constinit Statement revive_calls{R"(
UPDATE billstack_internal.handler_call
   SET attempts = 0, next_try = NULL, failed_at = NULL, error = NULL
 WHERE integration_id = $1 AND failed_at IS NOT NULL
RETURNING id)"};

constinit Statement drop_stale{R"(
DELETE FROM billstack_internal.handler_call AS c
 WHERE c.failed_at < clock_timestamp() - $1 * interval '1 second'
    OR NOT EXISTS (SELECT FROM billstack_internal.subscription AS s WHERE s.id = c.subscription_id))"};

Param param_int4_array(const std::vector<std::int32_t> &items) {
    std::vector<Datum> values;
    values.reserve(items.size());
    for (std::int32_t item : items) {
        values.push_back(Int32GetDatum(item));
    }
    Datum *data = values.data();
    int count = static_cast<int>(values.size());
    Datum array = call([&] {
        return PointerGetDatum(construct_array(data, count, INT4OID, 4, true, TYPALIGN_INT));
    });
    return {INT4ARRAYOID, array, false};
}

Param param_time_array(std::vector<Datum> &values) {
    Datum *data = values.data();
    int count = static_cast<int>(values.size());
    Datum array = call([&] {
        return PointerGetDatum(
            construct_array(data, count, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
    });
    return {TIMESTAMPTZARRAYOID, array, false};
}

std::int64_t own_system_identifier() {
    return static_cast<std::int64_t>(GetSystemIdentifier());
}

std::string_view without_version(std::string_view type) {
    return type.starts_with("v1.") ? type.substr(3) : type;
}

} // namespace

std::int64_t enqueue_handler_calls(const std::vector<DoneEvent> &events) {
    if (events.empty() || any_subscription.run().empty()) {
        return 0;
    }
    std::vector<std::int32_t> integrations;
    std::vector<std::string> ids;
    std::vector<Datum> times;
    std::vector<std::string> types;
    std::set<std::pair<std::int32_t, std::string_view>> seen; // a row can be upserted only once
    for (const DoneEvent &event : events) {
        if (!seen.emplace(event.integration_id, event.event_id).second) {
            continue;
        }
        integrations.push_back(event.integration_id);
        ids.emplace_back(event.event_id);
        times.push_back(TimestampTzGetDatum(timestamp_from_unix(event.created)));
        types.emplace_back(without_version(event.type));
    }
    return static_cast<std::int64_t>(
        enqueue
            .run({param_int4_array(integrations), param_text_array(ids), param_time_array(times),
                  param_text_array(types)})
            .size());
}

std::vector<Subscription> lock_subscriptions(std::int32_t integration_id) {
    Rows rows = subscriptions_of.run({param(integration_id)});
    std::vector<Subscription> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back({rows.int32(row, 1),
                         rows.int32(row, 2),
                         {rows.text(row, 3), rows.text(row, 4)},
                         rows.text(row, 5),
                         rows.text_array(row, 6),
                         rows.text(row, 7)});
    }
    return found;
}

void store_subscription(const Subscription &subscription) {
    put_subscription.run({param(subscription.integration_id), param(subscription.handler.schema),
                          param(subscription.handler.name), param(subscription.handler_owner),
                          param_text_array(subscription.events), param(subscription.role_name)});
}

std::int64_t delete_subscription(std::int32_t id) {
    drop_subscription.run({param(id)});
    Rows dropped = drop_calls.run({param(id)});
    std::int64_t pending = 0;
    for (std::uint64_t row = 0; row < dropped.size(); ++row) {
        pending += dropped.boolean(row, 1) ? 1 : 0;
    }
    return pending;
}

std::vector<DueCall> load_due_calls(const std::vector<std::int32_t> &resting) {
    Rows rows = due_calls.run({param_time(GetCurrentTimestamp()), param_int4_array(resting),
                               param(own_system_identifier()), param_oid(MyDatabaseId)});
    std::vector<DueCall> due;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        due.push_back({rows.int64(row, 1), rows.int32(row, 2)});
    }
    return due;
}

std::optional<TimestampTz> earliest_retry(const std::vector<std::int32_t> &resting) {
    Rows rows = next_retry.run(
        {param_int4_array(resting), param(own_system_identifier()), param_oid(MyDatabaseId)});
    return rows.time(0, 1);
}

std::optional<HandlerCall> take_call(std::int64_t id) {
    Rows rows = lock_call.run({param(id)});
    if (rows.empty()) {
        return std::nullopt;
    }
    HandlerCall taken;
    taken.id = id;
    taken.handler = {rows.text(0, 1), rows.text(0, 2)};
    taken.handler_owner = rows.text(0, 3);
    taken.role_name = rows.text(0, 4);
    taken.team = rows.text(0, 5);
    taken.integration = rows.text(0, 6);
    taken.event_id = rows.text(0, 7);
    taken.attempts = rows.int32(0, 8);
    std::int32_t integration_id = rows.int32(0, 9);
    TimestampTz created = rows.time(0, 10).value_or(0);
    remove_call.run({param(id)});
    Rows event =
        event_payload.run({param(integration_id), param(taken.event_id), param_time(created)});
    if (!event.empty()) {
        taken.payload = event.bytes(0, 1);
    }
    return taken;
}

bool note_call_failure(const CallFailure &failure) {
    Rows rows = fail_call.run(
        {param(failure.call_id), param(failure.error), param(failure.hopeless),
         param(static_cast<std::int32_t>(failure.most_attempts)), param(failure.delay_ms)});
    return !rows.empty() && rows.boolean(0, 1);
}

std::int32_t attempts_of_call(std::int64_t id) {
    Rows rows = call_attempts.run({param(id)});
    return rows.empty() ? 0 : rows.int32(0, 1);
}

std::int64_t retry_failed_handler_calls(std::int32_t integration_id) {
    return static_cast<std::int64_t>(revive_calls.run({param(integration_id)}).size());
}

void drop_stale_calls(std::int64_t retention_s) {
    drop_stale.run({param(retention_s)});
}

} // namespace billstack::pg
