-- New keys of the same account; another account or mode only when asked for.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', 'pk_test_regress0000000000000000') ->> 'success';
CREATE TEMP TABLE before AS SELECT * FROM billstack_internal.sealed_key;
SELECT billstack.rotate_keys('acme', 'sk_test_regress000000000000next');
SELECT key, publishable_key, webhook_secret FROM billstack.integrations;
SELECT k.sealed <> b.sealed AS sealed_anew, substr(k.sealed, 2, 12) <> substr(b.sealed, 2, 12) AS other_nonce
  FROM billstack_internal.sealed_key k JOIN before b USING (integration_id, key_kind);
-- NULL keeps
SELECT billstack.rotate_keys('acme', NULL, webhook_secret => 'placeholder');
SELECT billstack.rotate_keys('acme', NULL, 'pk_test_regress000000000000next') ->> 'success';
SELECT key, publishable_key, webhook_secret FROM billstack.integrations;
SELECT billstack.rotate_keys('acme', NULL, webhook_secret => 'whsec_regress00000000000000000000') ->> 'success';
SELECT billstack.status('acme') -> 'webhook' -> 'secret';
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', NULL, 'pk_live_regress0000000000000000')$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'hello')$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_test_wrong000000000000000000')$$, false);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_test_regress000000000000next', allow_account_change => NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_test_regress000000000000next', integration => 'none')$$);
-- another account, another mode
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_test_regressother0000000000')$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_live_regress0000000000000000')$$);
SELECT pg_temp.refused($$SELECT billstack.rotate_keys('acme', 'sk_live_regress0000000000000000', allow_account_change => true)$$);
SELECT key, account_id FROM billstack.integrations;
-- a key that may not read the account cannot be compared
SELECT billstack.rotate_keys('acme', 'rk_test_regress00000000noaccount');
UPDATE billstack_internal.integration SET sync_status = 'ready';
-- the mirror of the old account is emptied with the change; a foreign key of one's own forbids it
SET client_min_messages = warning;
SELECT billstack.rotate_keys('acme', 'sk_test_regress0000000000000000') - 'webhookUrl' ->> 'success';
CALL billstack.run_backfill('acme', ARRAY['product']) \gset
RESET client_min_messages;
SELECT count(*) > 0 FROM stripe_team_acme.products;
INSERT INTO billstack_internal.refetch (integration_id, kind, object_id, reason) SELECT id, 'product', 'prod_old', 'tie' FROM billstack_internal.integration;
INSERT INTO billstack_internal.inbox (integration_id, event_id, event_created, received_at, payload, failed_at)
SELECT id, 'evt_of_the_old', '2025-01-01', now(), '{}', now() FROM billstack_internal.integration;
CREATE TABLE public.note (product text REFERENCES stripe_team_acme.products);
SELECT billstack.rotate_keys('acme', 'sk_test_regressother0000000000', allow_account_change => true);
SELECT account_id, (SELECT count(*) > 0 FROM stripe_team_acme.products) FROM billstack.integrations;
DROP TABLE public.note;
SELECT billstack.rotate_keys('acme', 'sk_test_regressother0000000000', allow_account_change => true);
SELECT count(*) FROM stripe_team_acme.products;
SELECT count(*) FROM billstack.sync_progress;
SELECT (SELECT count(*) FROM billstack_internal.refetch), (SELECT count(*) FROM billstack_internal.inbox), outcome
  FROM billstack_internal.event WHERE event_id = 'evt_of_the_old';
UPDATE billstack_internal.integration SET sync_status = 'ready';
SELECT billstack.rotate_keys('acme', 'sk_live_regress0000000000000000', 'pk_live_regress0000000000000000', allow_account_change => true);
SELECT billstack.validate('acme') -> 'keyValid';
SELECT billstack.disconnect('acme') ->> 'droppedSchema';
