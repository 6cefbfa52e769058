#include "pg/calls/intent_store.hpp"

#include "pg/access/internal_access.hpp"

namespace billstack::pg {

namespace {

constinit Statement upsert_count{R"(
INSERT INTO billstack_internal.intent_count AS c (digest, uses, used_at)
VALUES ($1, 1, clock_timestamp())
ON CONFLICT (digest) DO UPDATE SET uses = c.uses + 1, used_at = excluded.used_at
RETURNING uses)"};

constinit Statement insert_intent{R"(
INSERT INTO billstack_internal.intent (integration_id, idempotency_key, operation, project_id, method,
                                       path, digest, kind, creates, object_id, caller, caller_named, account,
                                       caller_key)
VALUES ($1, $2, $3, nullif($4, ''), $5, $6, $7, nullif($8, ''), $9, nullif($10, ''), $11::name, $12,
        nullif($13, ''), nullif($14, ''))
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id, extract(epoch FROM created_at)::bigint)"};

constinit Statement select_intent{R"(
SELECT id, state, object_id, round, digest, operation, extract(epoch FROM created_at)::bigint,
       extract(epoch FROM last_sent_at)::bigint, extract(epoch FROM clock_timestamp() - sent_at)::bigint,
       account, integration_id
  FROM billstack_internal.intent WHERE idempotency_key = $1 FOR UPDATE)"};

// The same account, connected anew.
constinit Statement take_intent{
    "UPDATE billstack_internal.intent SET integration_id = $2 WHERE id = $1"};

constinit Statement send_again{R"(
UPDATE billstack_internal.intent
   SET sends = sends + 1, last_sent_at = clock_timestamp(), error = NULL,
       sent_at = CASE WHEN round = $2 THEN sent_at ELSE clock_timestamp() END,
       object_id = CASE WHEN round = $2 OR NOT creates THEN object_id END,
       state = CASE WHEN round = $2 AND state = 'done' THEN state ELSE 'sent' END,
       finished_at = CASE WHEN round = $2 AND state = 'done' THEN finished_at END,
       round = $2, account = coalesce(nullif($3, ''), account)
 WHERE id = $1)"};

constinit Statement update_outcome{R"(
UPDATE billstack_internal.intent
   SET state = coalesce($2, state), object_id = coalesce(nullif($3, ''), object_id),
       request_id = nullif($4, ''), http_status = nullif($5, 0), error = nullif($6, ''),
       finished_at = CASE WHEN $2 IS NULL THEN finished_at ELSE clock_timestamp() END
 WHERE id = $1)"};

constinit Statement select_open{R"(
SELECT id, integration_id, idempotency_key, kind, creates, object_id,
       extract(epoch FROM created_at)::bigint, last_sent_at, account
  FROM billstack_internal.intent
 WHERE state = 'sent' AND last_sent_at <= clock_timestamp() - $1 * interval '1 ms'
   AND NOT integration_id = ANY ($3::text[]::int[]) AND NOT id = ANY ($4::text[]::bigint[])
   AND NOT concat(integration_id, '/', kind) = ANY ($5::text[])
 ORDER BY last_sent_at LIMIT $2)"};

constinit Statement select_oldest_open{R"(
SELECT last_sent_at FROM billstack_internal.intent
 WHERE state = 'sent' AND NOT integration_id = ANY ($1::text[]::int[])
   AND NOT id = ANY ($2::text[]::bigint[]) AND NOT concat(integration_id, '/', kind) = ANY ($3::text[])
 ORDER BY last_sent_at LIMIT 1)"};

constinit Statement settle{R"(
UPDATE billstack_internal.intent
   SET state = $3, object_id = coalesce(nullif($4, ''), object_id),
       error = CASE WHEN $3 = 'done' THEN NULL ELSE coalesce(nullif($5, ''), error) END,
       finished_at = clock_timestamp()
 WHERE id = $1 AND state = 'sent' AND last_sent_at = $2)"};

// A count may go only after the rows that were made with it, or the same arguments would count from
// 1 again and meet them. Their keys begin with its digest (stripe::key_of_intent()).
constinit Statement purge_rows{R"(
DELETE FROM billstack_internal.intent WHERE id IN (
    SELECT id FROM billstack_internal.intent
     WHERE created_at < clock_timestamp() - interval '30 days' AND state <> 'sent' AND NOT caller_named
     ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED))"};

// What they were made with is no count: nothing but the row says that they were made.
constinit Statement purge_named{R"(
DELETE FROM billstack_internal.intent WHERE id IN (
    SELECT id FROM billstack_internal.intent
     WHERE created_at < clock_timestamp() - interval '400 days' AND state <> 'sent' AND caller_named
     ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED))"};

constinit Statement purge_counts{R"(
DELETE FROM billstack_internal.intent_count WHERE digest IN (
    SELECT digest FROM billstack_internal.intent_count AS c
     WHERE used_at < clock_timestamp() - interval '31 days'
       AND NOT EXISTS (SELECT FROM billstack_internal.intent AS i
                        WHERE i.state = 'sent'
                          AND substr(i.idempotency_key, 11, 64)
                              = translate(encode(c.digest, 'hex'), '0123456789abcdef', 'abcdefghijklmnop'))
     ORDER BY used_at LIMIT 1000 FOR UPDATE OF c SKIP LOCKED))"};

template <class Number> Param numbers(const std::vector<Number> &items) {
    std::vector<std::string> texts;
    for (Number item : items) {
        texts.push_back(std::to_string(item));
    }
    return param_text_array(texts);
}

Param kinds_param(const IntentsLeftOut &left_out) {
    std::vector<std::string> texts;
    for (const auto &[integration, kind] : left_out.kinds) {
        texts.push_back(std::to_string(integration) + "/" + kind);
    }
    return param_text_array(texts);
}

std::string_view bytes_view(const stripe::IntentDigest &digest) {
    return {reinterpret_cast<const char *>(digest.data()), digest.size()};
}

} // namespace

std::int64_t count_use(const stripe::IntentDigest &digest) {
    InternalAccess access;
    return upsert_count.run({param_bytes(bytes_view(digest))}).int64(0, 1);
}

IntentRow note_intent(const RequestIntent &intent, const std::string &key,
                      const stripe::Call &call) {
    IntentRow row;
    Rows made = insert_intent.run(
        {param(intent.integration_id), param(key), param(intent.operation),
         param(intent.project_id), param(call.method), param(call.path), param_bytes(intent.digest),
         param(intent.kind), param(intent.creates), param(intent.object_id), param(intent.caller),
         param(intent.caller_named), param(known_account(call.account)), param(intent.caller_key)});
    if (!made.empty()) {
        row.id = made.int64(0, 1);
        row.object_id = intent.object_id;
        row.account = known_account(call.account);
        row.created_at = row.last_sent_at = made.int64(0, 2);
        return row;
    }
    Rows there = select_intent.run({param(key)});
    if (there.empty()) { // purged in this moment
        throw core::Error(core::Code::changed_meanwhile, "the record of the call has just gone");
    }
    row.is_new = false;
    row.id = there.int64(0, 1);
    row.state = stripe::intent_state_of(there.text(0, 2));
    row.object_id = there.text(0, 3);
    row.round = there.int32(0, 4);
    row.digest = there.bytes(0, 5);
    row.operation = there.text(0, 6);
    row.created_at = there.int64(0, 7);
    row.last_sent_at = there.int64(0, 8);
    row.age_s = there.int64(0, 9);
    row.account = there.text(0, 10);
    if (there.int32(0, 11) != intent.integration_id) {
        (void)take_intent.run({param(row.id), param(intent.integration_id)});
    }
    return row;
}

void note_sent_again(std::int64_t id, std::int32_t round, const stripe::Call &call) {
    (void)send_again.run({param(id), param(round), param(known_account(call.account))});
}

std::string known_account(const std::string &rate_account) {
    return rate_account.starts_with("acct_") ? rate_account : std::string();
}

void store_outcome(const IntentOutcome &outcome) {
    std::optional<std::string> state;
    if (outcome.state) {
        state = std::string(stripe::intent_state_name(*outcome.state));
    }
    (void)update_outcome.run({param(outcome.id), param(state), param(outcome.object_id),
                              param(outcome.request_id), param(std::int32_t{outcome.http_status}),
                              param(outcome.error)});
}

std::vector<OpenIntent> load_open_intents(core::Milliseconds age, int limit,
                                          const IntentsLeftOut &left_out) {
    LocalSetting by_index("enable_seqscan", "off");
    Rows rows = select_open.run(
        {param(std::int64_t{age.count()}), param(static_cast<std::int64_t>(limit)),
         numbers(left_out.integrations), numbers(left_out.rows), kinds_param(left_out)});
    std::vector<OpenIntent> open;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        open.push_back({rows.int64(row, 1), rows.int32(row, 2), rows.text(row, 3),
                        rows.text(row, 4), rows.boolean(row, 5), rows.text(row, 6),
                        rows.int64(row, 7), rows.time(row, 8).value_or(0), rows.text(row, 9)});
    }
    return open;
}

std::optional<TimestampTz> oldest_open_intent(const IntentsLeftOut &left_out) {
    LocalSetting by_index("enable_seqscan", "off");
    Rows rows = select_oldest_open.run(
        {numbers(left_out.integrations), numbers(left_out.rows), kinds_param(left_out)});
    return rows.empty() ? std::nullopt : rows.time(0, 1);
}

void settle_intent(const OpenIntent &intent, stripe::IntentState state,
                   const std::string &object_id, const std::string &error) {
    (void)settle.run({param(intent.id), param_time(intent.last_sent_at),
                      param(stripe::intent_state_name(state)), param(object_id), param(error)});
}

std::int64_t purge_intents() {
    LocalSetting by_index("enable_seqscan", "off");
    std::uint64_t gone = purge_rows.run().size() + purge_named.run().size();
    return static_cast<std::int64_t>(gone == 0 ? purge_counts.run().size() : gone);
}

} // namespace billstack::pg
