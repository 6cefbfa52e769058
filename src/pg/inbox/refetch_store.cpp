#include "pg/inbox/refetch_store.hpp"

#include "pg/access/internal_access.hpp"

namespace billstack::pg {

namespace {

// No backfill waits for what the key may not read, nor for long for what fails again and again.
constexpr core::Milliseconds longest_run_wait{600000};
constexpr std::int32_t most_run_attempts = 6; // two minutes

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

constinit Statement delay_row{R"(
UPDATE billstack_internal.refetch
   SET due_at = clock_timestamp() + $4 * interval '1 ms', attempts = $5, error = nullif($6, '')
 WHERE integration_id = $1 AND kind = $2 AND object_id = $3)"};

// The first such object of a run is told of.
constinit Statement leave_run{R"(
WITH left_alone AS (
    SELECT run_id FROM billstack_internal.refetch
     WHERE integration_id = $1 AND kind = $2 AND object_id = $3 AND run_id IS NOT NULL FOR UPDATE),
noted AS (
    UPDATE billstack_internal.backfill_run AS b
       SET error = coalesce(b.error, $2 || ' ' || $3 || ' is not listed, and could not be checked: ' || $4),
           hint = coalesce(b.hint, 'It is read on, see billstack.refetches. Until that succeeds it stays in the mirror.')
      FROM left_alone AS l WHERE b.id = l.run_id AND b.state IN ('queued', 'running'))
UPDATE billstack_internal.refetch AS r SET run_id = NULL FROM left_alone AS l
 WHERE r.integration_id = $1 AND r.kind = $2 AND r.object_id = $3)"};

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
    if (delay >= longest_run_wait || attempts >= most_run_attempts) {
        (void)leave_run.run({param(refetch.integration_id), param(refetch.kind),
                             param(refetch.object_id), param(error)});
    }
}

void delay_late_refetch(const DueRefetch &refetch, core::Milliseconds delay) {
    (void)delay_late_row.run({param(refetch.integration_id), param(refetch.kind),
                              param(refetch.object_id), param(std::int64_t{delay.count()})});
}

} // namespace billstack::pg
