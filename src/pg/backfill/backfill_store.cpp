#include "pg/backfill/backfill_store.hpp"

namespace billstack::pg {

namespace {

constinit Statement open_runs{R"(
SELECT r.id, i.id, i.team, i.name, i.owner_name::text, i.schema_name::text, i.schema_oid,
       i.system_identifier, i.database_oid, r.complete, r.stripe_started_at IS NOT NULL,
       r.objects, r.created_after, k.fingerprint, k.sealed,
       i.mirror_version, coalesce(i.account_id, ''), i.livemode, r.every_kind
  FROM billstack_internal.backfill_run AS r
  JOIN billstack_internal.integration AS i ON i.id = r.integration_id
  LEFT JOIN billstack_internal.sealed_key AS k
       ON k.integration_id = i.id AND k.key_kind = 'secret_key'
 WHERE r.state IN ('queued', 'running')
 ORDER BY r.id)"};

constinit Statement any_range{
    "SELECT 1 FROM billstack_internal.backfill_range WHERE run_id = $1 LIMIT 1"};

constinit Statement make_range{R"(
INSERT INTO billstack_internal.backfill_range (run_id, object, range_no, created_gte)
VALUES ($1, $2, $3, $4))"};

constinit Statement lock_run{R"(
SELECT 1 FROM billstack_internal.backfill_run
 WHERE id = $1 AND state IN ('queued', 'running') FOR KEY SHARE)"};

constinit Statement start_run{R"(
UPDATE billstack_internal.backfill_run
   SET state = 'running', started_at = coalesce(started_at, clock_timestamp()),
       stripe_started_at = coalesce(stripe_started_at, $2),
       newest_event_id = coalesce(newest_event_id, nullif($3, '')),
       error = NULL, error_code = NULL, hint = NULL
 WHERE id = $1 AND state IN ('queued', 'running'))"};

constinit Statement run_trouble{R"(
UPDATE billstack_internal.backfill_run SET error = nullif($2, '')
 WHERE id = $1 AND state IN ('queued', 'running'))"};

// Fetching begins with the run: a kind's speed is counted from there, not from its first page.
constinit Statement start_ranges{R"(
UPDATE billstack_internal.backfill_range
   SET started_at = clock_timestamp() WHERE run_id = $1 AND started_at IS NULL)"};

constinit Statement move_range{R"(
UPDATE billstack_internal.backfill_range
   SET cursor = nullif($4, ''), cursor_created = $5, created_lte = $6,
       synced = synced + $7, changed = changed + $8,
       newest_created = coalesce(newest_created, $9), edge_ids = CASE WHEN NOT $10 THEN $11 END,
       state = CASE WHEN $10 THEN 'done' ELSE 'open' END,
       started_at = coalesce(started_at, clock_timestamp()),
       finished_at = CASE WHEN $10 THEN clock_timestamp() END,
       error = NULL, error_code = NULL, hint = NULL
 WHERE run_id = $1 AND object = $2 AND range_no = $3 AND state = 'open')"};

constinit Statement range_error{R"(
UPDATE billstack_internal.backfill_range
   SET state = CASE WHEN $4 = 'skipped' AND EXISTS (
           SELECT FROM billstack_internal.backfill_range AS o
            WHERE o.run_id = $1 AND o.object = $2 AND (o.state = 'done' OR o.synced > 0))
           THEN 'failed' ELSE $4 END,
       error = nullif($5, ''), error_code = nullif($6, ''), hint = nullif($7, ''),
       started_at = coalesce(started_at, clock_timestamp()),
       finished_at = CASE WHEN $4 <> 'open' THEN clock_timestamp() END
 WHERE run_id = $1 AND object = $2 AND range_no = $3)"};

// Waits for whoever writes a page of the run: none of its ranges changes after this.
constinit Statement lock_run_end{R"(
SELECT 1 FROM billstack_internal.backfill_run
 WHERE id = $1 AND state IN ('queued', 'running') FOR UPDATE)"};

// Half a kind is no kind: another key has read a part of it.
constinit Statement fail_halves{R"(
UPDATE billstack_internal.backfill_range AS r SET state = 'failed'
 WHERE r.run_id = $1 AND r.state = 'skipped' AND EXISTS (
       SELECT FROM billstack_internal.backfill_range AS o
        WHERE o.run_id = r.run_id AND o.object = r.object AND (o.state = 'done' OR o.synced > 0)))"};

constinit Statement unfinished_ranges{R"(
SELECT object, state, error, error_code, hint FROM billstack_internal.backfill_range
 WHERE run_id = $1 AND state <> 'done' ORDER BY finished_at, object, range_no)"};

constinit Statement end_run{R"(
UPDATE billstack_internal.backfill_run
   SET state = $2, error = CASE WHEN $2 = 'done' THEN error ELSE nullif($3, '') END,
       error_code = nullif($4, ''), hint = CASE WHEN $2 = 'done' THEN hint ELSE nullif($5, '') END,
       finished_at = clock_timestamp()
 WHERE id = $1)"};

constinit Statement note_outcome{R"(
UPDATE billstack_internal.integration
   SET sync_status = CASE WHEN $2 <> '' THEN 'error' WHEN $3 THEN 'ready' ELSE sync_status END,
       last_error = coalesce(nullif($2, ''), CASE WHEN $3 THEN NULL ELSE last_error END),
       last_error_at = CASE WHEN $2 <> '' THEN clock_timestamp()
                            WHEN $3 THEN NULL ELSE last_error_at END,
       key_valid = key_valid AND NOT ($4 AND EXISTS (
           SELECT 1 FROM billstack_internal.sealed_key AS k
            WHERE k.integration_id = $1 AND k.key_kind = 'secret_key' AND k.sealed = $5)),
       updated_at = clock_timestamp()
 WHERE id = $1)"};

constinit Statement new_run{R"(
INSERT INTO billstack_internal.backfill_run
       (integration_id, objects, created_after, complete, requested_by, every_kind)
VALUES ($1, $2, $3, $4, $5::name, $6)
ON CONFLICT (integration_id) WHERE state IN ('queued', 'running') DO NOTHING RETURNING id)"};

// The newest of each kind stays, however old: sync_progress shows it.
constinit Statement purge_runs{R"(
DELETE FROM billstack_internal.backfill_run AS r
 WHERE r.integration_id = $1 AND r.finished_at < clock_timestamp() - interval '30 days'
   AND NOT EXISTS (
       SELECT FROM unnest(r.objects) AS o (object)
        WHERE NOT EXISTS (
              SELECT FROM billstack_internal.backfill_run AS n
               WHERE n.integration_id = r.integration_id AND n.id > r.id
                 AND o.object = ANY (n.objects)))
)"};

constinit Statement open_run_of{R"(
SELECT id FROM billstack_internal.backfill_run
 WHERE integration_id = $1 AND state IN ('queued', 'running'))"};

constinit Statement run_state{
    "SELECT state, error, error_code, hint FROM billstack_internal.backfill_run WHERE id = $1"};

constinit Statement object_progress{R"(
SELECT p.object, p.synced, p.estimated_total, p.state, p.error
  FROM billstack_internal.object_progress AS p WHERE p.run_id = $1 ORDER BY p.object)"};

std::optional<std::int64_t> seconds_of(std::optional<TimestampTz> at) {
    if (!at) {
        return std::nullopt;
    }
    // Rounded down: `created >=` the second.
    std::int64_t us = unix_us_from_timestamp(*at);
    return us >= 0 ? us / 1000000 : (us - 999999) / 1000000;
}

OpenRun read_run(const Rows &rows, std::uint64_t row) {
    OpenRun run;
    run.id = rows.int64(row, 1);
    run.integration_id = rows.int32(row, 2);
    run.team = rows.text(row, 3);
    run.integration = rows.text(row, 4);
    run.owner_name = rows.text(row, 5);
    run.schema_name = rows.text(row, 6);
    run.schema_oid = rows.oid(row, 7);
    run.armed = static_cast<std::uint64_t>(rows.int64(row, 8)) == GetSystemIdentifier() &&
                rows.oid(row, 9) == MyDatabaseId;
    run.complete = rows.boolean(row, 10);
    run.start_known = rows.boolean(row, 11);
    run.objects = rows.text_array(row, 12);
    run.created_after = seconds_of(rows.time(row, 13));
    run.fingerprint = rows.text(row, 14);
    run.sealed_key = rows.bytes(row, 15);
    run.mirror_version = rows.int32(row, 16);
    run.account_id = rows.text(row, 17);
    run.livemode = rows.boolean(row, 18);
    run.every_kind = rows.boolean(row, 19);
    return run;
}

} // namespace

std::vector<OpenRun> load_open_runs() {
    Rows rows = open_runs.run();
    std::vector<OpenRun> runs;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        runs.push_back(read_run(rows, row));
    }
    return runs;
}

void make_ranges(const OpenRun &run) {
    if (!any_range.run({param(run.id)}).empty()) {
        return;
    }
    for (const std::string &object : run.objects) {
        make_range.run(
            {param(run.id), param(object), param(std::int32_t{0}), param(run.created_after)});
    }
}

bool lock_open_run(std::int64_t run_id) {
    return !lock_run.run({param(run_id)}).empty();
}

bool store_run_start(std::int64_t run_id, const sync::BackfillRun::Start &start) {
    Rows started = start_run.run({param(run_id), param_time(timestamp_from_unix(start.stripe_time)),
                                  param(start.newest_event_id)});
    (void)start_ranges.run({param(run_id)});
    return !started.empty();
}

void note_run_trouble(std::int64_t run_id, const std::string &error) {
    (void)run_trouble.run({param(run_id), param(error)});
}

bool advance_range(const RangeAdvance &advance) {
    const sync::RangePosition &after = advance.page->after;
    Rows moved = move_range.run(
        {param(advance.run_id), param(advance.object),
         param(static_cast<std::int32_t>(advance.range_no)), param(after.cursor),
         param(after.cursor_created), param(after.created_lte), param(advance.synced),
         param(advance.changed), param(advance.page->newest_created), param(advance.page->last),
         param_optional_array(advance.edge_ids)});
    return moved.size() == 1;
}

void note_range_error(std::int64_t run_id, const RangeNote &note) {
    range_error.run({param(run_id), param(note.object), param(static_cast<std::int32_t>(note.no)),
                     param(note.state), param(note.error), param(note.trouble.sqlstate),
                     param(note.trouble.hint)});
}

namespace {

struct RunRanges {
    bool any_open = false;
    bool default_skipped = false;
    std::vector<RangeFailure> failures;
};

RunRanges read_unfinished(std::int64_t run_id) {
    RunRanges ranges;
    Rows rows = unfinished_ranges.run({param(run_id)});
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        std::string state = rows.text(row, 2);
        const stripe::Kind *kind = stripe::find_kind(rows.text(row, 1));
        ranges.any_open |= state == "open";
        ranges.default_skipped |= state == "skipped" && kind != nullptr && kind->is_default;
        if (state == "failed") {
            ranges.failures.push_back(
                {rows.text(row, 1), rows.text(row, 3), rows.text(row, 4), rows.text(row, 5)});
        }
    }
    return ranges;
}

} // namespace

bool finish_run(const OpenRun &run, const std::optional<core::Error> &fatal) {
    if (lock_run_end.run({param(run.id)}).empty()) {
        return true; // canceled meanwhile, or ended by another worker
    }
    (void)fail_halves.run({param(run.id)});
    RunRanges ranges = read_unfinished(run.id);
    if (ranges.any_open && !fatal) {
        return false;
    }
    bool failed = fatal || !ranges.failures.empty();
    RunTrouble trouble;
    std::string shown;
    if (failed) {
        trouble = outcome_of(ranges.failures, fatal);
        shown = with_hint(trouble.error, trouble.hint);
    }
    end_run.run({param(run.id), param(failed ? "failed" : "done"), param(trouble.error),
                 param(trouble.sqlstate), param(trouble.hint)});
    bool rejected = fatal && fatal->code == core::Code::stripe_key_rejected;
    note_outcome.run({param(run.integration_id), param(shown),
                      param(!failed && run.complete && !ranges.default_skipped), param(rejected),
                      param_bytes(run.sealed_key)});
    return true;
}

std::optional<std::int64_t> insert_run(std::int32_t integration_id,
                                       const std::vector<std::string> &objects,
                                       std::optional<TimestampTz> created_after, bool complete,
                                       bool every_kind, const std::string &requested_by) {
    Rows rows =
        new_run.run({param(integration_id), param_text_array(objects), param_time(created_after),
                     param(complete), param(requested_by), param(every_kind)});
    if (rows.empty()) {
        return std::nullopt;
    }
    purge_runs.run({param(integration_id)});
    return rows.int64(0, 1);
}

std::optional<std::int64_t> find_open_run(std::int32_t integration_id) {
    Rows rows = open_run_of.run({param(integration_id)});
    return rows.empty() ? std::nullopt : std::optional(rows.int64(0, 1));
}

std::optional<RunProgress> read_progress(std::int64_t run_id) {
    Rows state = run_state.run({param(run_id)});
    if (state.empty()) {
        return std::nullopt;
    }
    RunProgress progress;
    progress.state = state.text(0, 1);
    progress.error = state.text(0, 2);
    progress.error_code = state.text(0, 3);
    progress.hint = state.text(0, 4);
    Rows rows = object_progress.run({param(run_id)});
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        RunProgress::Object object;
        object.object = rows.text(row, 1);
        object.synced = rows.int64(row, 2);
        object.estimated_total = rows.optional_int64(row, 3);
        object.state = rows.text(row, 4);
        object.error = rows.text(row, 5);
        progress.objects.push_back(std::move(object));
    }
    return progress;
}

} // namespace billstack::pg
