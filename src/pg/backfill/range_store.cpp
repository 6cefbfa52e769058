#include "pg/backfill/range_store.hpp"

#include "pg/backfill/backfill_store.hpp"

namespace billstack::pg {

namespace {

constexpr int most_tries = 5; // for a number that no other cut takes meanwhile

constinit Statement open_ranges{R"(
SELECT object, range_no, tableoid
  FROM billstack_internal.backfill_range
 WHERE run_id = $1 AND state = 'open'
 ORDER BY object, range_no)"};

constinit Statement one_range{R"(
SELECT created_gte, created_lte, cursor, cursor_created
  FROM billstack_internal.backfill_range
 WHERE run_id = $1 AND object = $2 AND range_no = $3 AND state = 'open')"};

constinit Statement keep_newer{R"(
UPDATE billstack_internal.backfill_range SET created_gte = $4
 WHERE run_id = $1 AND object = $2 AND range_no = $3 AND state = 'open'
   AND created_gte IS NOT DISTINCT FROM $5)"};

// Two cuts of a kind at once: the second waits for the first one's row and tries the next number.
constinit Statement add_older{R"(
INSERT INTO billstack_internal.backfill_range
       (run_id, object, range_no, created_gte, created_lte, started_at)
SELECT $1, $2, max(r.range_no) + 1, $3, $4, pg_catalog.clock_timestamp()
  FROM billstack_internal.backfill_range AS r WHERE r.run_id = $1 AND r.object = $2
ON CONFLICT DO NOTHING
RETURNING range_no, tableoid)"};

constinit Statement lock_for_end{R"(
SELECT 1 FROM billstack_internal.backfill_run
 WHERE id = $1 AND state IN ('queued', 'running') FOR NO KEY UPDATE)"};

constinit Statement any_open{R"(
SELECT 1 FROM billstack_internal.backfill_range WHERE run_id = $1 AND state = 'open' LIMIT 1)"};

constinit Statement stored_key{R"(
SELECT 1 FROM billstack_internal.sealed_key
 WHERE integration_id = $1 AND key_kind = 'secret_key' AND sealed = $2)"};

} // namespace

std::vector<OpenRange> load_open_ranges(std::int64_t run_id) {
    Rows rows = open_ranges.run({param(run_id)});
    std::vector<OpenRange> ranges;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        const stripe::Kind *kind = stripe::find_kind(rows.text(row, 1));
        if (kind != nullptr) {
            ranges.push_back({kind, rows.int32(row, 2), rows.oid(row, 3)});
        } else {
            note_range_error(run_id, {rows.text(row, 1),
                                      rows.int32(row, 2),
                                      "failed",
                                      "this version of billstack does not know the kind",
                                      {}});
        }
    }
    return ranges;
}

std::optional<sync::RangePosition> load_range(std::int64_t run_id, const OpenRange &range) {
    Rows rows = one_range.run(
        {param(run_id), param(range.kind->name), param(static_cast<std::int32_t>(range.range_no))});
    if (rows.empty()) {
        return std::nullopt;
    }
    sync::RangePosition position;
    position.created_gte = rows.optional_int64(0, 1);
    position.created_lte = rows.optional_int64(0, 2);
    position.cursor = rows.text(0, 3);
    position.cursor_created = rows.optional_int64(0, 4);
    return position;
}

std::optional<OpenRange> store_cut(std::int64_t run_id, const sync::RangeCut &cut) {
    std::string_view object = cut.kind->name;
    Rows newer = keep_newer.run({param(run_id), param(object),
                                 param(static_cast<std::int32_t>(cut.range_no)),
                                 param(cut.kept_gte), param(cut.older.created_gte)});
    if (newer.size() != 1) {
        return std::nullopt;
    }
    for (int i = 0; i < most_tries; ++i) {
        Rows older = add_older.run({param(run_id), param(object), param(cut.older.created_gte),
                                    param(cut.older.created_lte)});
        if (!older.empty()) {
            return OpenRange{cut.kind, older.int32(0, 1), older.oid(0, 2)};
        }
    }
    return std::nullopt;
}

RunEnd look_for_run_end(std::int64_t run_id) {
    if (lock_for_end.run({param(run_id)}).empty()) {
        return RunEnd::closed;
    }
    return any_open.run({param(run_id)}).empty() ? RunEnd::due : RunEnd::others;
}

bool run_key_is_stored(std::int32_t integration_id, const std::string &sealed_key) {
    return !stored_key.run({param(integration_id), param_bytes(sealed_key)}).empty();
}

} // namespace billstack::pg
