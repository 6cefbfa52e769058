-- backfill, run_backfill, cancel_backfill and sync_progress: arguments, answers, states.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'syncStatus';
-- what is refused
SELECT pg_temp.refused($$SELECT billstack.backfill(NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('nobody')$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', integration => 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', '{}')$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', ARRAY['customers'])$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', ARRAY['subscription_item'])$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', ARRAY['all', 'customer'])$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', ARRAY[NULL])$$);
SELECT pg_temp.refused($$SELECT billstack.backfill('acme', created_after => 'infinity')$$);
SELECT pg_temp.refused($$SELECT billstack.cancel_backfill('nobody')$$);
SELECT pg_temp.refused($$CALL billstack.run_backfill('acme')$$);
BEGIN;
CALL billstack.run_backfill('acme');
ROLLBACK;
CALL billstack.run_backfill('nobody');
-- a run that rolls back never was
BEGIN;
SELECT billstack.backfill('acme') - 'runId';
SELECT billstack.status('acme') ->> 'syncStatus';
SELECT regexp_replace(pg_temp.refused($$SELECT billstack.backfill('acme')$$), 'runId \d+', 'runId N');
SELECT billstack.cancel_backfill('acme');
SELECT billstack.cancel_backfill('acme');
ROLLBACK;
SELECT billstack.status('acme') ->> 'syncStatus';
SELECT count(*) FROM billstack.sync_progress WHERE team = 'acme';
-- a part of the kinds does not make the mirror ready
SET client_min_messages = warning;
CALL billstack.run_backfill('acme', ARRAY['price', 'product']) \gset
SELECT :'result'::jsonb - 'runId' - 'result', :'result'::jsonb -> 'result' -> 'product' -> 'synced' = to_jsonb(count(*))
  FROM stripe_team_acme.products;
SELECT object, state, percent, synced = estimated_total, error FROM billstack.sync_progress WHERE team = 'acme' ORDER BY object;
-- nor does a date limit, which keeps what is older out
CALL billstack.run_backfill('acme', created_after => '2025-01-01') \gset
SELECT :'result'::jsonb ->> 'syncStatus', count(*) > 0, min(created) >= '2025-01-01' FROM stripe_team_acme.customers;
-- all of them do
CALL billstack.run_backfill('acme') \gset
SELECT :'result'::jsonb ->> 'syncStatus', :'result'::jsonb ->> 'message';
SELECT key, (value -> 'synced')::int > 0 FROM jsonb_each(:'result'::jsonb -> 'result') ORDER BY key;
SELECT object, state, percent, error FROM billstack.sync_progress WHERE team = 'acme' ORDER BY object;
-- kinds once each, in the catalogue's order; all is every kind
BEGIN;
SELECT jsonb_object_keys(billstack.backfill('acme', ARRAY['invoice', 'customer', 'invoice']) -> 'result') ORDER BY 1;
ROLLBACK;
BEGIN;
SELECT count(*) > 30 AS many, bool_and(kind !~ '(subscription|line)_item$') AS no_children
  FROM jsonb_object_keys(billstack.backfill('acme', ARRAY['all']) -> 'result') AS kind;
ROLLBACK;
-- the tables of other kinds are made when they are first asked for, with the rights given before
CREATE ROLE regress_backfill_reader;
SELECT billstack.grant_access('regress_backfill_reader', 'reader', 'acme') ->> 'success';
BEGIN;
SELECT billstack.backfill('acme', ARRAY['checkout_session', 'refund']) ->> 'success';
SELECT table_name FROM information_schema.tables WHERE table_schema = 'stripe_team_acme' ORDER BY 1;
SELECT has_table_privilege('regress_backfill_reader', 'stripe_team_acme.checkout_session_line_items', 'SELECT');
SELECT kind FROM billstack_internal.mirror_table WHERE kind ~ '^(checkout|refund)' ORDER BY 1;
ROLLBACK;
SELECT to_regclass('stripe_team_acme.refunds');
SELECT billstack.revoke_access('regress_backfill_reader', 'reader', 'acme') ->> 'success';
DROP ROLE regress_backfill_reader;
-- a key that may not read two kinds: the others are copied, the reason is told
SELECT billstack.connect('narrow', 'rk_test_regress0000000000reader') ->> 'success';
CALL billstack.run_backfill('narrow', ARRAY['customer']) \gset
SELECT :'result'::jsonb ->> 'success';
\set VERBOSITY terse
CALL billstack.run_backfill('narrow');
SELECT object, state, regexp_replace(error, ':.*', '') FROM billstack.sync_progress WHERE team = 'narrow' ORDER BY object;
SELECT state, error_code, error ~ '^charge: this key cannot read charges: .* \(request req_\w+\); invoice: ', hint FROM billstack.backfills WHERE team = 'narrow' ORDER BY run_id DESC LIMIT 1;
SELECT left(last_error, 37), last_error LIKE '%. Allow the key to read it%' FROM billstack.integrations WHERE team = 'narrow';
-- all that it may read: these two are skipped and named, the run is done, the mirror is not ready
CALL billstack.run_backfill('narrow', ARRAY['all']) \gset
SELECT :'result'::jsonb ->> 'success', :'result'::jsonb ->> 'syncStatus', jsonb_object_keys(:'result'::jsonb -> 'skipped');
SELECT state, percent, skipped, open_kinds, to_check, error FROM billstack.backfills WHERE team = 'narrow' ORDER BY run_id DESC LIMIT 1;
SELECT object, state, percent FROM billstack.sync_progress WHERE team = 'narrow' AND object ~ '^(charge|invoice|customer)$' ORDER BY object;
SELECT status, regexp_replace(detail, ':.*|\d+', 'N') FROM billstack.health() WHERE check_name = 'integration narrow/default';
SELECT sync_status, last_error IS NOT NULL FROM billstack.integrations WHERE team = 'narrow';
SELECT billstack.disconnect('acme'), billstack.disconnect('narrow');
