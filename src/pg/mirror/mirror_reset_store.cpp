#include "pg/mirror/mirror_reset_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/mirror/mirror_admin_store.hpp"

namespace billstack::pg {

namespace {

constinit Statement retire_events{R"(
WITH gone AS (DELETE FROM billstack_internal.inbox WHERE integration_id = $1 RETURNING *)
INSERT INTO billstack_internal.event
       (integration_id, event_id, event_created, event_type, outcome, attempts, received_at,
        processed_at, payload)
SELECT g.integration_id, g.event_id, g.event_created, g.event_type, 'other_account', g.attempts,
       g.received_at, clock_timestamp(), g.payload
  FROM gone AS g ON CONFLICT DO NOTHING)"};

constinit Statement delete_refetches{
    "DELETE FROM billstack_internal.refetch WHERE integration_id = $1"};
constinit Statement delete_marks{
    "DELETE FROM billstack_internal.event_mark WHERE integration_id = $1"};
constinit Statement delete_unlisted{
    "DELETE FROM billstack_internal.unlisted WHERE integration_id = $1"};
// The one canceled just now stays: somebody may be waiting for its end.
constinit Statement delete_runs{
    "DELETE FROM billstack_internal.backfill_run"
    " WHERE integration_id = $1 AND finished_at < pg_catalog.transaction_timestamp()"};

} // namespace

void empty_mirror(const Integration &integration) {
    std::string tables;
    {
        InternalAccess access;
        for (Statement *statement :
             {&retire_events, &delete_refetches, &delete_marks, &delete_unlisted, &delete_runs}) {
            (void)statement->run({param(integration.id)});
        }
        for (const MirrorTable &table : mirror_tables_of(integration.id)) {
            if (table_state(integration.schema_oid, table.table)) {
                tables += (tables.empty() ? "" : ", ") +
                          sync::quote_identifier(integration.schema_name) + "." +
                          sync::quote_identifier(table.table);
            }
        }
    }
    if (tables.empty()) {
        return;
    }
    UserContext owner(require_mirror_owner(integration.owner_name, integration.schema_name,
                                           integration.schema_oid),
                      UserContext::Rights::restricted);
    SpiSession spi;
    run_ddl("TRUNCATE TABLE " + tables);
}

} // namespace billstack::pg
