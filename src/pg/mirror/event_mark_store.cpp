#include "pg/mirror/event_mark_store.hpp"

#include "pg/access/internal_access.hpp"

#include <algorithm>

namespace billstack::pg {

namespace {

constinit Statement select_marks{
    "SELECT object_id, as_of FROM billstack_internal.event_mark"
    " WHERE integration_id = $1 AND kind = $2 AND object_id = ANY ($3)"};

constinit Statement upsert_marks{R"(
INSERT INTO billstack_internal.event_mark AS m (integration_id, kind, object_id, as_of)
SELECT $1, $2, u.object_id, to_timestamp(u.second::double precision)
  FROM unnest($3, $4::bigint[]) AS u (object_id, second) ORDER BY u.object_id
ON CONFLICT (integration_id, kind, object_id)
DO UPDATE SET as_of = EXCLUDED.as_of WHERE m.as_of < EXCLUDED.as_of)"};

constinit Statement upsert_refetches{R"(
INSERT INTO billstack_internal.refetch AS r (integration_id, kind, object_id, reason, due_at)
SELECT $1, u.kind, u.object_id, min(u.reason), clock_timestamp() + min(u.delay::bigint) * interval '1 ms'
  FROM unnest($2, $3, $4, $5) AS u (kind, object_id, reason, delay)
 GROUP BY u.kind, u.object_id ORDER BY u.kind, u.object_id
ON CONFLICT (integration_id, kind, object_id)
DO UPDATE SET requests = r.requests + 1, reason = EXCLUDED.reason, attempts = 0, error = NULL,
              due_at = least(r.due_at, EXCLUDED.due_at))"};

std::vector<std::string> strings(const std::vector<std::string_view> &views) {
    return {views.begin(), views.end()};
}

} // namespace

std::vector<EventMark> load_event_marks(std::int32_t integration_id, std::string_view kind,
                                        const std::vector<std::string_view> &object_ids) {
    InternalAccess access;
    LocalSetting by_index("enable_seqscan", "off");
    Rows rows = select_marks.run(
        {param(integration_id), param(kind), param_text_array(strings(object_ids))});
    std::vector<EventMark> marks;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        marks.push_back(
            {rows.text(row, 1), unix_us_from_timestamp(rows.time(row, 2).value_or(0)) / 1000000});
    }
    return marks;
}

void store_event_marks(std::int32_t integration_id, std::string_view kind,
                       const std::vector<EventMark> &marks) {
    std::vector<std::string> ids;
    std::vector<std::string> seconds;
    for (const EventMark &mark : marks) {
        ids.push_back(mark.object_id);
        seconds.push_back(std::to_string(mark.second));
    }
    InternalAccess access;
    (void)upsert_marks.run(
        {param(integration_id), param(kind), param_text_array(ids), param_text_array(seconds)});
}

void request_refetches(std::int32_t integration_id,
                       const std::vector<sync::RefetchRequest> &requests) {
    std::vector<std::string> kinds;
    std::vector<std::string> ids;
    std::vector<std::string> reasons;
    std::vector<std::string> delays;
    for (const sync::RefetchRequest &request : requests) {
        kinds.emplace_back(request.kind->name);
        ids.push_back(request.id);
        reasons.emplace_back(request.reason);
        delays.push_back(std::to_string(request.delay.count()));
    }
    InternalAccess access;
    (void)upsert_refetches.run({param(integration_id), param_text_array(kinds),
                                param_text_array(ids), param_text_array(reasons),
                                param_text_array(delays)});
}

} // namespace billstack::pg
