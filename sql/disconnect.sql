-- Dropping what billstack made, and nothing that is not billstack's.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme', 'none')$$);
-- in the schema
CREATE TABLE stripe_team_acme.notes (id serial PRIMARY KEY, customer text REFERENCES stripe_team_acme.customers (id));
CREATE VIEW stripe_team_acme.active AS SELECT id FROM stripe_team_acme.customers;
CREATE FUNCTION stripe_team_acme.tell(c stripe_team_acme.customers) RETURNS text LANGUAGE sql AS 'SELECT c.id';
CREATE TYPE stripe_team_acme.mood AS ENUM ('good', 'bad');
-- upon our tables
CREATE INDEX customers_mine_idx ON stripe_team_acme.customers (name);
ALTER TABLE stripe_team_acme.customers ADD COLUMN note text, ADD CONSTRAINT customers_check CHECK (id <> '');
CREATE STATISTICS stripe_team_acme.customers_stat ON email, name FROM stripe_team_acme.customers;
CREATE FUNCTION public.regress_ring() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER bell BEFORE INSERT ON stripe_team_acme.charges FOR EACH ROW EXECUTE FUNCTION public.regress_ring();
CREATE POLICY mine ON stripe_team_acme.invoices USING (true);
CREATE RULE quiet AS ON DELETE TO stripe_team_acme.prices DO INSTEAD NOTHING;
-- outside
CREATE TABLE public.regress_bills (invoice text REFERENCES stripe_team_acme.invoices (id));
CREATE VIEW public.regress_revenue AS SELECT sum(amount_paid) FROM stripe_team_acme.invoices;
CREATE TABLE public.regress_row (c stripe_team_acme.customers);
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
SELECT billstack.status('acme') ->> 'schemaExists';
-- more than twenty
SELECT format('CREATE TABLE stripe_team_acme.t%s (a int)', n) FROM generate_series(10, 29) AS n \gexec
SELECT substring(pg_temp.refused($$SELECT billstack.disconnect('acme')$$) FROM 'and \d+ more');
-- only the owner of the schema
CREATE ROLE regress_disconnect;
ALTER SCHEMA stripe_team_acme OWNER TO regress_disconnect;
GRANT USAGE ON SCHEMA billstack TO regress_disconnect;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA billstack TO regress_disconnect;
INSERT INTO billstack_internal.access_grant (role_name, profile, team) VALUES ('regress_disconnect', 'admin', 'acme');
ALTER SCHEMA stripe_team_acme OWNER TO CURRENT_USER;
SET ROLE regress_disconnect;
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme')$$);
SELECT pg_temp.refused($$SELECT billstack.disconnect('acme', drop_dependents => true)$$);
RESET ROLE;
DELETE FROM billstack_internal.access_grant WHERE role_name = 'regress_disconnect';
DROP OWNED BY regress_disconnect;
DROP ROLE regress_disconnect;
-- another schema under the same name is not touched
BEGIN;
ALTER SCHEMA stripe_team_acme RENAME TO regress_elsewhere;
CREATE SCHEMA stripe_team_acme;
SELECT billstack.disconnect('acme', drop_dependents => true);
SELECT count(*) FROM pg_namespace WHERE nspname = 'stripe_team_acme';
ROLLBACK;
SELECT billstack.disconnect('acme', drop_dependents => true);
SELECT to_regclass('public.regress_revenue') IS NULL, to_regclass('public.regress_bills') IS NULL;
SELECT count(*) FROM billstack_internal.team;
DROP TABLE public.regress_bills, public.regress_row;
DROP FUNCTION public.regress_ring();
-- an open backfill does not hold it up
SELECT billstack.connect('acme', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.backfill('acme') ->> 'success';
SELECT billstack.disconnect('acme');
SELECT count(*) FROM billstack_internal.backfill_run;
