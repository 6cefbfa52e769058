-- The live check of a stored key and the permission report.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.connect('acme', 'rk_test_regress0000000000reader', integration => 'reader') ->> 'success';
SELECT billstack.connect('acme', 'rk_test_regress00000000noaccount', integration => 'blind') ->> 'success';
SELECT pg_temp.timeless(billstack.validate('acme'));
SELECT pg_temp.timeless(billstack.validate('acme', 'reader'));
SELECT pg_temp.timeless(billstack.validate('acme', 'blind'));
SELECT integration, account_id, key_valid, last_error FROM billstack.integrations ORDER BY 1;
SELECT pg_temp.refused($$SELECT billstack.validate('acme', 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.validate('nobody')$$);
-- a kind that Stripe fails to list is an error, not a refusal
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/faults '[{"match":{"path":"^/v1/charges"},"action":{"status":500}}]'
SELECT pg_temp.timeless(billstack.validate('acme'));
\! $PG_ABS_SRCDIR/test/env/sim_post.sh DELETE /_sim/faults ''
-- a key revoked at Stripe is an answer, not an exception
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/faults '[{"action":{"status":401,"message":"Expired API Key provided: sk_test_regress0000000000000000"}}]'
SELECT pg_temp.timeless(billstack.validate('acme'));
SELECT billstack.status('acme') -> 'keyValid', billstack.status('acme') -> 'lastError';
\! $PG_ABS_SRCDIR/test/env/sim_post.sh DELETE /_sim/faults ''
SELECT billstack.validate('acme') -> 'keyValid';
SELECT billstack.status('acme') -> 'keyValid', billstack.status('acme') -> 'lastError';
SELECT billstack.disconnect('acme', i) ->> 'droppedSchema' FROM unnest('{default,reader,blind}'::text[]) AS i;
