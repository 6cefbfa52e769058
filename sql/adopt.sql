-- Taking over a left-over schema whose tables fit and whose owner is the caller.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
SET client_min_messages = warning;
CALL billstack.run_backfill('acme') \gset
RESET client_min_messages;
SELECT :'result'::jsonb ->> 'syncStatus';
CREATE TABLE public.regress_customers AS SELECT * FROM stripe_team_acme.customers;
-- what remains after DROP EXTENSION or a lost catalogue
DELETE FROM billstack_internal.integration;
DELETE FROM billstack_internal.team;
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000')$$);
-- does not fit
BEGIN;
ALTER TABLE stripe_team_acme.customers ALTER COLUMN balance TYPE text;
ALTER TABLE stripe_team_acme.products DROP COLUMN _raw;
ALTER TABLE stripe_team_acme.charges DROP CONSTRAINT charges_pkey;
ALTER TABLE stripe_team_acme.prices RENAME TO prices_old;
CREATE VIEW stripe_team_acme.prices AS SELECT * FROM stripe_team_acme.prices_old;
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', adopt => true)$$);
ROLLBACK;
-- not the owner
CREATE ROLE regress_adopt;
GRANT USAGE ON SCHEMA billstack TO regress_adopt;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA billstack TO regress_adopt;
SET ROLE regress_adopt;
SELECT pg_temp.refused($$SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', adopt => true)$$);
RESET ROLE;
DROP OWNED BY regress_adopt;
DROP ROLE regress_adopt;
-- fits: what is missing is added and filled, what is foreign stays
ALTER TABLE stripe_team_acme.customers DROP COLUMN email, DROP COLUMN created, DROP COLUMN metadata;
DROP TABLE stripe_team_acme.charges;
CREATE VIEW stripe_team_acme.mine AS SELECT id FROM stripe_team_acme.customers;
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000', adopt => true) ->> 'syncStatus';
SELECT count(*) FROM stripe_team_acme.charges;
SELECT count(*) AS customers, count(*) FILTER (WHERE c.email IS NOT DISTINCT FROM r.email AND c.created = r.created
                                                 AND c.metadata = r.metadata) AS same
  FROM stripe_team_acme.customers c JOIN public.regress_customers r USING (id);
SELECT count(*) FROM pg_indexes WHERE schemaname = 'stripe_team_acme' AND tablename = 'customers' AND indexname ~ 'email|created';
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
DROP VIEW stripe_team_acme.mine;
DROP TABLE public.regress_customers;
SELECT billstack.disconnect('acme');
