-- What status, webhook_url and the view tell, and to whom.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', integration => 'eu_west', webhook_secret => 'later') ->> 'success';
SELECT jsonb_pretty(pg_temp.timeless(billstack.status('acme') - 'readsThisMonth'));
SELECT (billstack.status('acme') ->> 'readsThisMonth')::int >= 0;
SELECT billstack.status('acme') ->> 'lastValidatedAt' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$';
SELECT billstack.status('acme', 'eu_west') -> 'webhook' -> 'secret';
SELECT pg_temp.refused($$SELECT billstack.status('acme', 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.status('nobody')$$);
SELECT jsonb_pretty(billstack.webhook_url('acme'));
-- a run that waits or runs is syncing
INSERT INTO billstack_internal.backfill_run (integration_id, objects, complete, requested_by)
    SELECT id, '{customer}', false, 'postgres' FROM billstack_internal.integration WHERE name = 'eu_west';
BEGIN;
UPDATE billstack_internal.backfill_run SET state = 'running';
SELECT billstack.status('acme', 'eu_west') ->> 'syncStatus';
SELECT integration, sync_status FROM billstack.integrations ORDER BY 1;
ROLLBACK;
-- a schema dropped by hand
BEGIN;
SET LOCAL client_min_messages = warning;
DROP SCHEMA stripe_team_acme CASCADE;
SELECT billstack.status('acme') -> 'schemaExists';
SELECT billstack.disconnect('acme');
ROLLBACK;
-- readers see, and may not act; a dropped role disturbs nobody
CREATE ROLE regress_status_reader;
CREATE ROLE regress_status_admin;
CREATE ROLE regress_status_gone;
INSERT INTO billstack_internal.access_grant (role_name, profile, team)
    VALUES ('regress_status_reader', 'reader', 'acme'), ('regress_status_admin', 'admin', ''), ('regress_status_gone', 'admin', '');
DROP ROLE regress_status_gone;
GRANT USAGE ON SCHEMA billstack TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA billstack TO PUBLIC;
GRANT SELECT ON billstack.integrations TO PUBLIC;
SET ROLE regress_status_reader;
SELECT billstack.status('acme') ->> 'accountName';
SELECT count(*) FROM billstack.integrations;
SELECT pg_temp.refused($$SELECT billstack.validate('acme')$$);
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
SET ROLE regress_status_admin;
SELECT billstack.validate('acme') ->> 'keyValid';
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
RESET ROLE;
CREATE ROLE regress_status_nobody;
SET ROLE regress_status_nobody;
SELECT pg_temp.refused($$SELECT billstack.status('acme')$$);
SELECT count(*) FROM billstack.integrations;
RESET ROLE;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA billstack FROM PUBLIC;
REVOKE ALL ON billstack.integrations FROM PUBLIC;
REVOKE ALL ON SCHEMA billstack FROM PUBLIC;
DELETE FROM billstack_internal.access_grant WHERE role_name LIKE 'regress\_status\_%';
DROP ROLE regress_status_reader, regress_status_admin, regress_status_nobody;
SELECT billstack.disconnect('acme', i) ->> 'droppedSchema' FROM unnest('{default,eu_west}'::text[]) AS i;
