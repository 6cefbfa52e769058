#include "pg/team/health_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_version{
    "SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'billstack'"};
constinit Statement select_mark{
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase = $1"
    " AND s.setrole = 0 AND 'billstack.enabled=on' = ANY (s.setconfig))"};
constinit Statement select_teams{"SELECT t.team FROM billstack_internal.team AS t ORDER BY 1"};
constinit Statement select_last_run{R"(
SELECT r.id, r.state, r.error, r.hint,
       extract(epoch FROM clock_timestamp() - r.requested_at)::bigint,
       concat_ws('; ',
           (SELECT string_agg(DISTINCT g.object || ': ' || g.error, '; ')
              FROM billstack_internal.backfill_range AS g
             WHERE g.run_id = r.id AND g.state = 'open' AND g.error IS NOT NULL),
           (SELECT min(f.error) || ' (' || count(*) || ' such objects)'
              FROM billstack_internal.refetch AS f
             WHERE f.run_id = r.id AND f.error IS NOT NULL)),
       (SELECT array_agg(DISTINCT g.object) FROM billstack_internal.backfill_range AS g
         WHERE g.run_id = r.id AND g.state = 'skipped')
  FROM billstack_internal.backfill_run AS r
 WHERE r.integration_id = $1 ORDER BY r.id DESC LIMIT 1)"};

} // namespace

std::string installed_extension_version() {
    InternalAccess access;
    Rows rows = select_version.run({}, true);
    return rows.empty() ? "" : rows.text(0, 1);
}

bool database_is_marked() {
    InternalAccess access;
    return select_mark.run({param_oid(MyDatabaseId)}, true).boolean(0, 1);
}

std::vector<std::string> all_teams() {
    InternalAccess access;
    Rows rows = select_teams.run({}, true);
    std::vector<std::string> teams;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        teams.push_back(rows.text(row, 1));
    }
    return teams;
}

std::optional<LastRun> last_run_of(std::int32_t integration_id) {
    InternalAccess access;
    Rows rows = select_last_run.run({param(integration_id)}, true);
    if (rows.empty()) {
        return std::nullopt;
    }
    return LastRun{rows.int64(0, 1),         rows.text(0, 2),  rows.optional_text(0, 3),
                   rows.optional_text(0, 4), rows.int64(0, 5), rows.text(0, 6),
                   rows.text_array(0, 7)};
}

} // namespace billstack::pg
