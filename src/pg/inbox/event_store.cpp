#include "pg/inbox/event_store.hpp"

#include "pg/access/internal_access.hpp"

namespace billstack::pg {

namespace {

constexpr std::int64_t most_batch_bytes = 8 << 20;

constinit Statement oldest_running{"SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"};

// A batch is bounded in bytes too: the first row always comes, later ones while there is room. What
// is locked and does not come is free again at the commit.
constinit Statement select_new{R"(
SELECT s.id, s.inserted_by::text::bigint, s.integration_id, s.event_id, s.attempts,
       CASE WHEN s.size <= 1048576 THEN s.payload ELSE '' END, s.place,
       sum(s.size) OVER (ORDER BY s.inserted_by, s.id) - s.size < $5, s.size
  FROM (SELECT q.id, q.inserted_by, q.integration_id, q.event_id, q.attempts, q.payload,
               octet_length(q.payload) AS size, q.ctid::text AS place
          FROM billstack_internal.inbox AS q
         WHERE (q.inserted_by, q.id) > ($1::text::xid8, $2) AND q.next_try IS NULL
           AND q.failed_at IS NULL AND NOT q.integration_id = ANY ($4::text[]::int[])
         ORDER BY q.inserted_by, q.id LIMIT $3
           FOR UPDATE SKIP LOCKED) AS s
 ORDER BY s.inserted_by, s.id)"};

constinit Statement select_due{R"(
SELECT s.id, s.inserted_by::text::bigint, s.integration_id, s.event_id, s.attempts,
       CASE WHEN s.size <= 1048576 THEN s.payload ELSE '' END, s.place,
       sum(s.size) OVER (ORDER BY s.next_try, s.id) - s.size < $3, s.size
  FROM (SELECT q.id, q.inserted_by, q.integration_id, q.event_id, q.attempts, q.payload,
               q.next_try, octet_length(q.payload) AS size, q.ctid::text AS place
          FROM billstack_internal.inbox AS q
         WHERE q.next_try <= clock_timestamp() AND q.failed_at IS NULL
           AND NOT q.integration_id = ANY ($2::text[]::int[])
         ORDER BY q.next_try LIMIT $1
           FOR UPDATE SKIP LOCKED) AS s
 ORDER BY s.next_try, s.id)"};

constinit Statement select_next_try{R"(
SELECT q.next_try FROM billstack_internal.inbox AS q
 WHERE q.next_try IS NOT NULL AND q.failed_at IS NULL
   AND NOT q.integration_id = ANY ($1::text[]::int[])
 ORDER BY q.next_try LIMIT 1)"};

// The body goes from table to table as it is stored, without being unpacked.
constinit Statement move_to_ledger{R"(
WITH gone AS (
    DELETE FROM billstack_internal.inbox AS q WHERE q.ctid = ANY ($1::text[]::tid[])
    RETURNING q.ctid AS place, q.*
), done AS (
    INSERT INTO billstack_internal.event
           (integration_id, event_id, event_created, event_type, kind, object_id, outcome,
            attempts, received_at, processed_at, snapshot_event, project_id, routing, payload)
    SELECT g.integration_id, g.event_id, g.event_created, g.event_type, nullif(f.kind, ''),
           nullif(f.object_id, ''), f.outcome, g.attempts + 1, g.received_at, clock_timestamp(),
           nullif(f.snapshot_event, ''), nullif(f.project, ''), nullif(f.routing, ''), g.payload
      FROM gone AS g
      JOIN unnest($1::text[]::tid[], $2, $3, $4, $5, $6, $7)
           AS f (place, kind, object_id, outcome, snapshot_event, project, routing)
           ON f.place = g.place
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM done)"};

constinit Statement select_done{R"(
SELECT q.id FROM unnest($1::text[]::tid[]) AS c (place)
  JOIN billstack_internal.inbox AS q ON q.ctid = c.place
 WHERE EXISTS (SELECT FROM billstack_internal.event AS e
                WHERE e.integration_id = q.integration_id AND e.event_id = q.event_id
                  AND e.event_created = q.event_created))"};

constinit Statement select_twins{R"(
SELECT q.id FROM unnest($1::text[]::tid[], $2) AS c (place, snapshot)
  JOIN billstack_internal.inbox AS q ON q.ctid = c.place
 WHERE c.snapshot <> '' AND EXISTS (SELECT FROM billstack_internal.event AS e
                                     WHERE e.integration_id = q.integration_id
                                       AND e.event_id = c.snapshot)
    OR EXISTS (SELECT FROM billstack_internal.event AS e
                WHERE e.integration_id = q.integration_id AND e.snapshot_event = q.event_id))"};

constinit Statement any_twin{
    "SELECT 1 FROM billstack_internal.event WHERE snapshot_event IS NOT NULL LIMIT 1"};

constinit Statement delete_rows{
    "DELETE FROM billstack_internal.inbox WHERE ctid = ANY ($1::text[]::tid[])"};

constinit Statement add_processed{R"(
INSERT INTO billstack_internal.inbox_stat AS s (integration_id, processed, duplicates)
VALUES ($1, $2, $3)
ON CONFLICT (integration_id)
DO UPDATE SET processed = s.processed + $2, duplicates = s.duplicates + $3)"};

constinit Statement put_off{R"(
UPDATE billstack_internal.inbox AS q
   SET attempts = q.attempts + f.attempt::int, error = f.error,
       next_try = CASE WHEN f.dead::boolean THEN NULL
                       ELSE clock_timestamp() + f.delay::bigint * interval '1 ms' END,
       failed_at = CASE WHEN f.dead::boolean THEN clock_timestamp() END
  FROM unnest($1::text[]::tid[], $2, $3, $4, $5) AS f (place, attempt, dead, delay, error)
 WHERE q.ctid = f.place)"};

constinit Statement select_target{R"(
SELECT i.team, i.name, i.schema_name::text, i.schema_oid, i.owner_name::text,
       coalesce(i.account_id, ''), i.livemode, i.system_identifier, i.database_oid,
       i.mirror_version, k.fingerprint, k.sealed
  FROM billstack_internal.integration AS i
  LEFT JOIN billstack_internal.sealed_key AS k
       ON k.integration_id = i.id AND k.key_kind = 'secret_key'
 WHERE i.id = $1)"};

template <class Items, class Text> Param texts(const Items &items, Text text) {
    std::vector<std::string> values;
    values.reserve(items.size());
    for (const auto &item : items) {
        values.emplace_back(text(item));
    }
    return param_text_array(values);
}

template <class Number> Param number_texts(const std::vector<Number> &numbers) {
    return texts(numbers, [](Number number) { return std::to_string(number); });
}

std::vector<InboxEvent> read_events(const Rows &rows) {
    std::vector<InboxEvent> events;
    events.reserve(rows.size());
    for (std::uint64_t row = 0; row < rows.size() && rows.boolean(row, 8); ++row) {
        InboxEvent event;
        event.id = rows.int64(row, 1);
        event.inserted_by = static_cast<std::uint64_t>(rows.int64(row, 2));
        event.integration_id = rows.int32(row, 3);
        event.event_id = rows.text(row, 4);
        event.attempts = rows.int32(row, 5);
        event.payload = rows.bytes(row, 6);
        event.place = rows.text(row, 7);
        event.size = rows.int32(row, 9);
        events.push_back(std::move(event));
    }
    return events;
}

std::vector<std::int64_t> ids_of(const Rows &rows) {
    std::vector<std::int64_t> ids;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        ids.push_back(rows.int64(row, 1));
    }
    return ids;
}

} // namespace

std::uint64_t oldest_running_transaction() {
    return static_cast<std::uint64_t>(oldest_running.run().int64(0, 1));
}

std::vector<InboxEvent> claim_new(const InboxPosition &after, int limit,
                                  const std::vector<std::int32_t> &resting) {
    // By the index of the claim whatever the statistics say: they are of another moment.
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting in_order("enable_sort", "off");
    return read_events(select_new.run({param(std::to_string(after.inserted_by)), param(after.id),
                                       param(static_cast<std::int64_t>(limit)),
                                       number_texts(resting), param(most_batch_bytes)}));
}

std::vector<InboxEvent> claim_due(int limit, const std::vector<std::int32_t> &resting) {
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting in_order("enable_sort", "off");
    return read_events(select_due.run(
        {param(static_cast<std::int64_t>(limit)), number_texts(resting), param(most_batch_bytes)}));
}

std::optional<TimestampTz> next_try_at(const std::vector<std::int32_t> &resting) {
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting in_order("enable_sort", "off");
    Rows rows = select_next_try.run({number_texts(resting)});
    return rows.empty() ? std::nullopt : rows.time(0, 1);
}

std::int64_t finish_events(const std::vector<FinishedEvent> &events) {
    LocalSetting by_index("enable_seqscan", "off");
    Rows moved = move_to_ledger.run(
        {texts(events, [](const FinishedEvent &event) { return event.place; }),
         texts(events, [](const FinishedEvent &event) { return event.kind; }),
         texts(events, [](const FinishedEvent &event) { return event.object_id; }),
         texts(events, [](const FinishedEvent &event) { return event.outcome; }),
         texts(events, [](const FinishedEvent &event) { return event.snapshot_event; }),
         texts(events, [](const FinishedEvent &event) { return event.project; }),
         texts(events, [](const FinishedEvent &event) { return event.routing; })});
    return moved.int64(0, 1);
}

std::vector<std::int64_t> find_done(const std::vector<std::string> &places) {
    LocalSetting by_index("enable_seqscan", "off");
    return ids_of(select_done.run({param_text_array(places)}));
}

std::vector<std::int64_t> find_twins(const std::vector<std::string> &places,
                                     const std::vector<std::string> &snapshots) {
    LocalSetting by_index("enable_seqscan", "off");
    return ids_of(select_twins.run({param_text_array(places), param_text_array(snapshots)}));
}

bool has_twins() {
    LocalSetting by_index("enable_seqscan", "off");
    return !any_twin.run().empty();
}

std::int64_t drop_events(const std::vector<std::string> &places) {
    LocalSetting by_index("enable_seqscan", "off");
    return static_cast<std::int64_t>(delete_rows.run({param_text_array(places)}).size());
}

void count_processed(std::int32_t integration_id, std::int64_t processed, std::int64_t duplicates) {
    (void)add_processed.run({param(integration_id), param(processed), param(duplicates)});
}

void put_off_events(const std::vector<FailedEvent> &events) {
    LocalSetting by_index("enable_seqscan", "off");
    (void)put_off.run(
        {texts(events, [](const FailedEvent &event) { return event.place; }),
         texts(events, [](const FailedEvent &event) { return event.attempt ? "1" : "0"; }),
         texts(events, [](const FailedEvent &event) { return event.dead ? "true" : "false"; }),
         texts(events,
               [](const FailedEvent &event) { return std::to_string(event.delay.count()); }),
         texts(events, [](const FailedEvent &event) { return event.error; })});
}

EventTarget load_event_target(std::int32_t integration_id) {
    EventTarget target;
    target.integration_id = integration_id;
    Rows rows = select_target.run({param(integration_id)});
    if (rows.empty()) {
        return target;
    }
    target.found = true;
    target.team = rows.text(0, 1);
    target.integration = rows.text(0, 2);
    target.schema_name = rows.text(0, 3);
    target.schema_oid = rows.oid(0, 4);
    target.owner_name = rows.text(0, 5);
    target.account_id = rows.text(0, 6);
    target.livemode = rows.boolean(0, 7);
    bool armed = static_cast<std::uint64_t>(rows.int64(0, 8)) == GetSystemIdentifier() &&
                 rows.oid(0, 9) == MyDatabaseId;
    target.ready = armed && rows.int32(0, 10) >= stripe::mirror_version;
    target.fingerprint = rows.text(0, 11);
    target.sealed_key = rows.bytes(0, 12);
    return target;
}

} // namespace billstack::pg
