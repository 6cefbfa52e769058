#include "pg/backfill/vanished_store.hpp"

#include "pg/access/internal_access.hpp"

namespace billstack::pg {

namespace {

constinit Statement insert_refetches{R"(
INSERT INTO billstack_internal.refetch AS r (integration_id, kind, object_id, reason, run_id)
SELECT $1, $2, u.object_id, 'vanished', $3
  FROM unnest($4) AS u (object_id)
 WHERE NOT EXISTS (SELECT FROM billstack_internal.unlisted AS n
                    WHERE n.integration_id = $1 AND n.kind = $2 AND n.object_id = u.object_id
                      AND n.times > 1 AND n.found_at > clock_timestamp() - interval '30 days')
 ORDER BY u.object_id
ON CONFLICT (integration_id, kind, object_id)
DO UPDATE SET requests = r.requests + 1, reason = EXCLUDED.reason, attempts = 0, error = NULL,
              run_id = EXCLUDED.run_id, due_at = least(r.due_at, EXCLUDED.due_at)
RETURNING 1)"};

constinit Statement upsert_unlisted{R"(
INSERT INTO billstack_internal.unlisted AS n (integration_id, kind, object_id)
VALUES ($1, $2, $3)
ON CONFLICT (integration_id, kind, object_id) DO UPDATE SET found_at = clock_timestamp(), times = n.times + 1)"};

constinit Statement delete_unlisted{R"(
DELETE FROM billstack_internal.unlisted
 WHERE integration_id = $1 AND kind = $2 AND object_id = ANY ($3))"};

constinit Statement any_unlisted{R"(
SELECT 1 FROM billstack_internal.unlisted WHERE integration_id = $1 AND kind = $2 LIMIT 1)"};

constinit Statement store_notice{R"(
UPDATE billstack_internal.backfill_run SET error = $2, hint = $3
 WHERE id = $1 AND state IN ('queued', 'running') AND error IS NULL)"};

constinit Statement select_open{
    "SELECT 1 FROM billstack_internal.refetch WHERE run_id = $1 LIMIT 1"};

constinit Statement settle_kinds{R"(
UPDATE billstack_internal.backfill_run SET vanished_kinds = coalesce(vanished_kinds, $2)
 WHERE id = $1 RETURNING vanished_kinds)"};

constinit Statement select_kinds{
    "SELECT vanished_kinds FROM billstack_internal.backfill_run WHERE id = $1"};

constinit Statement select_edge{R"(
SELECT edge_ids FROM billstack_internal.backfill_range
 WHERE run_id = $1 AND object = $2 AND range_no = $3)"};

Param bound(const std::optional<std::int64_t> &second, bool upper) {
    TimestampTz open = upper ? DT_NOEND : DT_NOBEGIN;
    return param_time(second && fits_timestamp(*second) ? timestamp_from_unix(*second) : open);
}

} // namespace

SpanPlans::~SpanPlans() {
    for (auto &[kind, plan] : plans_) {
        SPIPlanPtr kept = plan;
        try {
            call([&] { SPI_freeplan(kept); });
        } catch (...) { // a leak of one plan is better than the end of the worker
        }
    }
}

std::vector<std::string> SpanPlans::rows_of_span(const MirrorTarget &target,
                                                 const SpanQuery &query) {
    MemoryScope scope("billstack rows of a span");
    // A plan made while the table was empty would read all of it for every page ever after.
    LocalSetting by_index("enable_seqscan", "off");
    SPIPlanPtr &plan = plans_[query.kind];
    if (plan == nullptr) {
        plan = keep_plan(sync::rows_of_span_statement(target.schema_name, *query.kind),
                         {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT8OID});
    }
    Rows rows = run_plan(plan, {bound(query.span.from, false), bound(query.span.to, true),
                                bound(query.as_of, true), param(query.after), param(query.limit)});
    std::vector<std::string> ids;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        ids.push_back(rows.text(row, 1));
    }
    return ids;
}

bool has_rows(const MirrorTarget &target, const stripe::Kind &kind) {
    return run_once(sync::any_row_statement(target.schema_name, kind)).boolean(0, 1);
}

std::int64_t request_vanished(std::int32_t integration_id, std::int64_t run_id,
                              const stripe::Kind &kind, const std::vector<std::string> &ids) {
    InternalAccess access;
    Rows rows = insert_refetches.run(
        {param(integration_id), param(kind.name), param(run_id), param_text_array(ids)});
    return static_cast<std::int64_t>(rows.size());
}

void note_unlisted(std::int32_t integration_id, const std::string &kind, const std::string &id) {
    InternalAccess access;
    (void)upsert_unlisted.run({param(integration_id), param(kind), param(id)});
}

void forget_unlisted(std::int32_t integration_id, const stripe::Kind &kind,
                     const std::vector<std::string> &ids) {
    InternalAccess access;
    if (!any_unlisted.run({param(integration_id), param(kind.name)}).empty()) {
        (void)delete_unlisted.run({param(integration_id), param(kind.name), param_text_array(ids)});
    }
}

void note_notice(std::int64_t run_id, const std::string &text, const std::string &hint) {
    InternalAccess access;
    (void)store_notice.run({param(run_id), param(text), param(hint)});
}

bool has_vanished_open(std::int64_t run_id) {
    InternalAccess access;
    return !select_open.run({param(run_id)}).empty();
}

std::vector<std::string> settle_vanished_kinds(std::int64_t run_id,
                                               const std::vector<std::string> &found) {
    InternalAccess access;
    Rows rows = settle_kinds.run({param(run_id), param_text_array(found)});
    return rows.empty() ? std::vector<std::string>{} : rows.text_array(0, 1);
}

std::optional<std::vector<std::string>> vanished_kinds_of(std::int64_t run_id) {
    InternalAccess access;
    Rows rows = select_kinds.run({param(run_id)});
    if (rows.empty() || rows.is_null(0, 1)) {
        return std::nullopt;
    }
    return rows.text_array(0, 1);
}

sync::ListEdge load_edge(std::int64_t run_id, const std::string &object, int range_no) {
    InternalAccess access;
    Rows rows =
        select_edge.run({param(run_id), param(object), param(static_cast<std::int32_t>(range_no))});
    if (rows.empty() || rows.is_null(0, 1)) {
        return std::nullopt;
    }
    return rows.text_array(0, 1);
}

} // namespace billstack::pg
