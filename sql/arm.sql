-- A restored or copied database stays silent until it is armed.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', integration => 'eu') ->> 'success';
-- as a restore into another database leaves it
UPDATE billstack_internal.integration SET database_oid = 1, schema_oid = 1;
SELECT billstack.status('acme') -> 'isActive', billstack.status('acme') -> 'schemaExists', billstack.status('acme') -> 'lastError';
SELECT integration, is_active, schema_exists, last_error FROM billstack.integrations ORDER BY 1;
SELECT pg_temp.refused($$SELECT billstack.validate('acme')$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_test_regress000000000000next')$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme')$$);
SELECT pg_temp.refused($$SELECT billstack.upgrade_mirror('acme')$$);
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
SELECT pg_temp.refused($$SELECT billstack.arm('nobody')$$);
-- the root key is not at hand
BEGIN;
UPDATE billstack_internal.sealed_key SET fingerprint = '0123456789abcdef';
SELECT regexp_replace(pg_temp.refused($$SELECT billstack.arm('acme')$$, false), '"/[^"]*"', '"FILE"', 'g');
ROLLBACK;
-- a sealed value moved to another integration does not open
BEGIN;
UPDATE billstack_internal.sealed_key AS k SET sealed = o.sealed
  FROM billstack_internal.sealed_key AS o WHERE o.integration_id <> k.integration_id;
SELECT pg_temp.refused($$SELECT billstack.arm('acme')$$);
ROLLBACK;
SELECT billstack.arm('acme');
SELECT billstack.status('acme') -> 'isActive', billstack.status('acme') -> 'schemaExists', billstack.status('acme') -> 'lastError';
SELECT billstack.validate('acme') -> 'keyValid';
-- the same after the cluster changed
UPDATE billstack_internal.integration SET system_identifier = 1 WHERE name = 'eu';
SELECT integration, is_active FROM billstack.integrations ORDER BY 1;
SELECT billstack.arm('acme');
SELECT integration, is_active FROM billstack.integrations ORDER BY 1;
SELECT billstack.disconnect('acme', i) ->> 'droppedSchema' FROM unnest('{default,eu}'::text[]) AS i;
