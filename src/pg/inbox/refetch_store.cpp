#include "pg/inbox/refetch_store.hpp"

#include "pg/access/internal_access.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_due{R"(
SELECT r.integration_id, r.kind, r.object_id, r.reason, r.requests, r.attempts, r.late_reads
  FROM billstack_internal.refetch AS r
 WHERE r.due_at <= clock_timestamp() AND NOT r.integration_id = ANY ($2::text[]::int[])
 ORDER BY r.due_at LIMIT $1)"};

constinit Statement select_next{R"(
SELECT r.due_at FROM billstack_internal.refetch AS r
 WHERE r.due_at > clock_timestamp() AND NOT r.integration_id = ANY ($1::text[]::int[])
 ORDER BY r.due_at LIMIT 1)"};

constinit Statement select_row{R"(
SELECT requests FROM billstack_internal.refetch
 WHERE integration_id = $1 AND kind = $2 AND object_id = $3 FOR UPDATE)"};

constinit Statement delete_row{R"(
DELETE FROM billstack_internal.refetch
 WHERE integration_id = $1 AND kind = $2 AND object_id = $3)"};

// No backfill waits for what the key may not read.
constinit Statement delay_row{R"(
UPDATE billstack_internal.refetch
   SET due_at = clock_timestamp() + $4 * interval '1 ms', attempts = $5, error = nullif($6, ''),
       run_id = CASE WHEN $4 < 600000 THEN run_id END
 WHERE integration_id = $1 AND kind = $2 AND object_id = $3)"};

constinit Statement delay_late_row{R"(
UPDATE billstack_internal.refetch
   SET due_at = clock_timestamp() + $4 * interval '1 ms', attempts = 0, error = NULL,
       reason = 'late', late_reads = late_reads + 1, run_id = NULL
 WHERE integration_id = $1 AND kind = $2 AND object_id = $3)"};

Param ids(const std::vector<std::int32_t> &numbers) {
    std::vector<std::string> texts;
    for (std::int32_t number : numbers) {
        texts.push_back(std::to_string(number));
    }
    return param_text_array(texts);
}

} // namespace

std::vector<DueRefetch> load_due_refetches(int limit, const std::vector<std::int32_t> &resting) {
    LocalSetting by_index("enable_seqscan", "off");
    Rows rows = select_due.run({param(static_cast<std::int64_t>(limit)), ids(resting)});
    std::vector<DueRefetch> due;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        due.push_back({rows.int32(row, 1), rows.text(row, 2), rows.text(row, 3), rows.text(row, 4),
                       rows.int32(row, 5), rows.int32(row, 6), rows.int32(row, 7)});
    }
    return due;
}

std::optional<TimestampTz> next_refetch_at(const std::vector<std::int32_t> &resting) {
    LocalSetting by_index("enable_seqscan", "off");
    Rows rows = select_next.run({ids(resting)});
    return rows.empty() ? std::nullopt : rows.time(0, 1);
}

bool lock_refetch(const DueRefetch &refetch, bool &asked_again) {
    Rows rows = select_row.run(
        {param(refetch.integration_id), param(refetch.kind), param(refetch.object_id)});
    asked_again = !rows.empty() && rows.int32(0, 1) != refetch.requests;
    return !rows.empty();
}

void delete_refetch(const DueRefetch &refetch) {
    (void)delete_row.run(
        {param(refetch.integration_id), param(refetch.kind), param(refetch.object_id)});
}

void delay_refetch(const DueRefetch &refetch, core::Milliseconds delay, std::int32_t attempts,
                   const std::string &error) {
    (void)delay_row.run({param(refetch.integration_id), param(refetch.kind),
                         param(refetch.object_id), param(std::int64_t{delay.count()}),
                         param(attempts), param(error)});
}

void delay_late_refetch(const DueRefetch &refetch, core::Milliseconds delay) {
    (void)delay_late_row.run({param(refetch.integration_id), param(refetch.kind),
                              param(refetch.object_id), param(std::int64_t{delay.count()})});
}

} // namespace billstack::pg
