-- subscribe, unsubscribe and their views: who may, what a handler is, answers.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
CREATE ROLE regress_billstack_app;
CREATE ROLE regress_billstack_reader;
CREATE ROLE regress_billstack_hook;
CREATE SCHEMA hooks;
GRANT USAGE ON SCHEMA hooks TO regress_billstack_app, regress_billstack_reader, regress_billstack_hook;
GRANT EXECUTE ON FUNCTION pg_temp.refused(text, boolean) TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'syncStatus';
SELECT billstack.grant_access('regress_billstack_app', 'app', 'acme') ->> 'changed';
SELECT billstack.grant_access('regress_billstack_reader', 'reader', 'acme') ->> 'changed';
-- what can be a handler and what cannot
CREATE FUNCTION hooks.plain(event jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION hooks.answers(event jsonb, OUT a text, OUT b int) LANGUAGE sql AS $$ SELECT 'a', 1 $$;
CREATE FUNCTION hooks."Strange Name"(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION hooks.sets(event jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION hooks.text_one(event text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION hooks.two(event jsonb, more int DEFAULT 1) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION hooks.none() RETURNS void LANGUAGE sql AS '';
CREATE PROCEDURE hooks.procedure(event jsonb) LANGUAGE sql AS '';
CREATE AGGREGATE hooks.aggregate(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb);
CREATE FUNCTION pg_temp.passing(event jsonb) RETURNS void LANGUAGE sql AS '';
SELECT billstack.subscribe('acme', ARRAY['invoice.paid'], 'hooks.plain');
SELECT billstack.subscribe('acme', ARRAY['invoice.paid'], 'hooks.plain(jsonb)');
SELECT billstack.subscribe('acme', ARRAY['customer.subscription.*', 'charge.refunded', 'charge.refunded'], 'hooks.plain(jsonb)');
SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.answers(jsonb)');
SELECT billstack.subscribe('acme', ARRAY['v2.core.account.created', 'a_1.b'], 'hooks."Strange Name"(jsonb)');
SELECT pg_temp.refused(format($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.%s')$$, handler))
  FROM unnest(ARRAY['sets(jsonb)', 'text_one(text)', 'two(jsonb, int)', 'none()', 'procedure(jsonb)', 'aggregate(jsonb)']) AS t (handler);
SELECT regexp_replace(pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'pg_temp.passing(jsonb)')$$), 'pg_temp_\d+', 'pg_temp_N');
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.missing(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 1::oid::regprocedure)$$);
-- arguments
SELECT pg_temp.refused($$SELECT billstack.subscribe(NULL, ARRAY['*'], 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', NULL, 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.plain(jsonb)', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('nobody', ARRAY['*'], 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.plain(jsonb)', 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', '{}', 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*', NULL], 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', array_fill('*'::text, ARRAY[101]), 'hooks.plain(jsonb)')$$);
SELECT pattern, split_part(pg_temp.refused(format($$SELECT billstack.subscribe('acme', ARRAY[%L], 'hooks.plain(jsonb)')$$, pattern)), ':', 1)
  FROM unnest(ARRAY['', 'Invoice.paid', 'invoice paid', '.paid', 'invoice.', 'a..b', 'invoice*', '*.paid', '*.*', '.*', 'invoice.*.paid']) AS p (pattern);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['invoice.%'], 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['v1.invoice.paid'], 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused(format($$SELECT billstack.subscribe('acme', ARRAY[%L], 'hooks.plain(jsonb)')$$, repeat('a', 256))) LIKE '22023%';
BEGIN READ ONLY;
SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.plain(jsonb)');
ROLLBACK;
-- views
SELECT team, integration, handler, events, role = current_user, pending, failed, next_try, last_error
  FROM billstack.subscriptions ORDER BY handler COLLATE "C";
SELECT count(*) FROM billstack.failed_handler_calls;
-- roles: admin and app may, a reader may look, others see nothing
REVOKE EXECUTE ON FUNCTION hooks.plain(jsonb) FROM PUBLIC;
SET ROLE regress_billstack_app;
SELECT billstack.subscribe('acme', ARRAY['invoice.*'], 'hooks.two(jsonb, int)');
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.plain(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.answers(jsonb)')$$);
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('acme', 'hooks.answers')$$);
RESET ROLE;
CREATE FUNCTION hooks.of_app(event jsonb) RETURNS void LANGUAGE sql AS '';
SET ROLE regress_billstack_app;
SELECT billstack.subscribe('acme', ARRAY['invoice.*'], 'hooks.of_app(jsonb)');
SELECT handler, role FROM billstack.subscriptions WHERE role = current_user;
SET ROLE regress_billstack_reader;
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.of_app(jsonb)')$$);
SELECT count(*) FROM billstack.subscriptions;
RESET ROLE;
-- app for another team only: what it sees here it may not subscribe to
SELECT billstack.connect('shop', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.grant_access('regress_billstack_reader', 'app', 'shop') ->> 'changed';
SELECT billstack.grant_access('regress_billstack_hook', 'app', 'shop') ->> 'changed';
SET ROLE regress_billstack_reader;
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.of_app(jsonb)')$$);
SET ROLE regress_billstack_hook;
SELECT pg_temp.refused($$SELECT billstack.subscribe('acme', ARRAY['*'], 'hooks.of_app(jsonb)')$$);
SELECT count(*) FROM billstack.subscriptions;
RESET ROLE;
REVOKE USAGE ON SCHEMA hooks FROM regress_billstack_hook;
SELECT 'hooks.of_app(jsonb)'::regprocedure::oid AS of_app \gset
SET ROLE regress_billstack_hook;
SELECT pg_temp.refused(format($$SELECT billstack.subscribe('shop', ARRAY['*'], %s::oid::regprocedure)$$, :of_app));
RESET ROLE;
-- the end of a subscription
SELECT billstack.unsubscribe('acme', 'hooks.of_app(jsonb)'::regprocedure);
SELECT billstack.unsubscribe('acme', 'hooks.of_app(jsonb)');
DROP FUNCTION hooks.plain(jsonb);
SELECT billstack.unsubscribe('acme', 'hooks.plain(jsonb)');
SELECT billstack.unsubscribe('acme', 'Answers');
SELECT billstack.unsubscribe('acme', handler, integration) ->> 'unsubscribed' FROM billstack.subscriptions WHERE handler LIKE '%Strange%';
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('acme', NULL::text)$$);
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('acme', 'a.b.c')$$);
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('acme', '')$$);
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('nobody', 'hooks.answers')$$);
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('acme', 1::oid::regprocedure)$$);
CREATE SCHEMA hooks2;
CREATE FUNCTION hooks2.answers(event jsonb) RETURNS void LANGUAGE sql AS '';
SELECT billstack.subscribe('acme', ARRAY['a.b'], 'hooks2.answers(jsonb)') ->> 'success';
SELECT billstack.subscribe('acme', ARRAY['a.b'], 'hooks.answers(jsonb)') ->> 'success';
SELECT pg_temp.refused($$SELECT billstack.unsubscribe('acme', 'answers')$$);
SELECT billstack.unsubscribe('acme', 'hooks2.answers') ->> 'unsubscribed', billstack.unsubscribe('acme', 'answers') ->> 'handler';
SELECT billstack.unsubscribe('acme', 'answers');
SELECT count(*) FROM billstack.subscriptions;
-- disconnecting ends them too
SELECT billstack.subscribe('shop', ARRAY['*'], 'hooks2.answers(jsonb)') ->> 'success';
SELECT billstack.revoke_access('regress_billstack_app', 'app', 'acme') ->> 'changed', billstack.revoke_access('regress_billstack_reader', 'reader', 'acme') ->> 'changed',
       billstack.revoke_access('regress_billstack_reader', 'app', 'shop') ->> 'changed', billstack.revoke_access('regress_billstack_hook', 'app', 'shop') ->> 'changed';
SELECT billstack.disconnect('acme'), billstack.disconnect('shop');
SELECT count(*) FROM billstack_internal.subscription;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA hooks, hooks2 CASCADE;
DROP OWNED BY regress_billstack_app, regress_billstack_reader, regress_billstack_hook;
DROP ROLE regress_billstack_app, regress_billstack_reader, regress_billstack_hook;
