-- Connecting: verified before anything is stored, one schema each, refused when it exists.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_wrong000000000000000000')$$, false);
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', 'pk_live_regress0000000000000000')$$);
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', webhook_secret => '')$$);
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', webhook_secret => 'whsec_with space00000000000000')$$);
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', adopt => NULL)$$);
-- Stripe down: retried, then told
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/faults '[{"match":{"path":"^/v1/account$"},"action":{"status":500}}]'
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000')$$, false);
\! $PG_ABS_SRCDIR/test/env/sim_post.sh DELETE /_sim/faults ''
SELECT (SELECT count(*) FROM billstack_internal.team), (SELECT count(*) FROM billstack_internal.sealed_key),
       (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'stripe\_team\_%');
BEGIN READ ONLY;
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000');
ROLLBACK;
-- a rollback leaves nothing
BEGIN;
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
ROLLBACK;
SELECT count(*) FROM billstack.integrations;
-- the real thing
SELECT jsonb_pretty(billstack.connect('acme', 'sk_test_regress0000000000000000', 'pk_test_regress0000000000000000', 'whsec_regress00000000000000000000'));
SELECT c.relname, count(a.*) > 5 AS has_columns, c.relowner::regrole
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace = 'stripe_team_acme'::regnamespace AND c.relkind = 'r' GROUP BY c.oid ORDER BY 1;
SELECT kind, table_name FROM billstack_internal.mirror_table ORDER BY kind;
-- sealed: neither the key nor a piece of it is in the row
SELECT key_kind, length(sealed), position('regress'::bytea IN sealed) AS found, fingerprint ~ '^[0-9a-f]{16}$' AS has_fingerprint
  FROM billstack_internal.sealed_key ORDER BY 1;
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000')$$);
-- further integrations: another account, a restricted key, one that may not read the account, live beside test
SELECT billstack.connect('acme', 'sk_test_regressother0000000000', integration => 'other');
SELECT billstack.connect('acme', 'rk_test_regress0000000000reader', webhook_secret => 'todo', integration => 'reader');
SELECT billstack.connect('acme', 'rk_test_regress00000000noaccount', integration => 'blind');
SELECT billstack.connect('acme', 'sk_live_regress0000000000000000', integration => 'live');
SELECT team, integration, account_id, account_name, country, default_currency, livemode, key, publishable_key, webhook_secret,
       key_valid, is_active, sync_status, linked_projects, last_error, schema_name, schema_exists, owner
  FROM billstack.integrations ORDER BY team, integration;
-- a schema in the way
CREATE SCHEMA stripe_team_taken;
SELECT pg_temp.refused($$SELECT billstack.connect('taken', 'sk_test_regress0000000000000000')$$);
DROP SCHEMA stripe_team_taken;
-- roles: EXECUTE alone does not make a schema
CREATE ROLE regress_connect_plain;
CREATE ROLE regress_connect_owner;
GRANT USAGE ON SCHEMA billstack TO regress_connect_plain, regress_connect_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA billstack TO regress_connect_plain, regress_connect_owner;
GRANT SELECT ON billstack.integrations TO regress_connect_plain, regress_connect_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_connect_owner', current_database()) \gexec
SET ROLE regress_connect_plain;
SELECT replace(pg_temp.refused($$SELECT billstack.connect('shop', 'sk_test_regress0000000000000000')$$), current_database(), 'DATABASE');
RESET ROLE;
SET ROLE regress_connect_owner;
SELECT billstack.connect('shop', 'sk_test_regress0000000000000000') ->> 'success';
SELECT team, integration, owner FROM billstack.integrations;
-- foreign teams do not exist, whatever is asked
SELECT pg_temp.refused(format('SELECT billstack.%s', call)) AS refused
  FROM (VALUES ($$status('acme')$$), ($$status('nobody')$$), ($$webhook_url('acme')$$), ($$validate('acme')$$),
               ($$rotate_keys('acme', 'sk_test_regress0000000000000000')$$), ($$disconnect('acme')$$), ($$arm('acme')$$),
               ($$upgrade_mirror('acme')$$), ($$set_owner('acme', 'regress_connect_owner')$$),
               ($$connect('acme', 'sk_test_regress0000000000000000', integration => 'mine')$$)) AS t (call);
RESET ROLE;
SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'stripe_team_shop';
SET ROLE regress_connect_owner;
SELECT billstack.disconnect('shop');
RESET ROLE;
SELECT billstack.disconnect('acme', i) ->> 'droppedSchema' FROM unnest('{default,other,reader,blind,live}'::text[]) AS i;
SELECT (SELECT count(*) FROM billstack_internal.team), (SELECT count(*) FROM billstack_internal.sealed_key),
       (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'stripe\_team\_%');
DROP OWNED BY regress_connect_plain, regress_connect_owner;
DROP ROLE regress_connect_plain, regress_connect_owner;
