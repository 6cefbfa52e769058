-- Bringing a mirror up to the current layout, and giving it to another owner.
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
-- the tables of further kinds, children included
SELECT (billstack.upgrade_mirror('acme') #> '{integrations,0,addedTables}') @> '["refunds", "credit_notes", "credit_note_line_items"]';
SELECT billstack.upgrade_mirror('acme');
CREATE TABLE public.regress_before AS SELECT to_jsonb(c) AS line FROM stripe_team_acme.customers c
    UNION ALL SELECT to_jsonb(i) FROM stripe_team_acme.invoices i UNION ALL SELECT to_jsonb(s) FROM stripe_team_acme.subscriptions s;
-- an older layout
ALTER TABLE stripe_team_acme.customers DROP COLUMN email, DROP COLUMN created, DROP COLUMN metadata, DROP COLUMN balance;
ALTER TABLE stripe_team_acme.invoices DROP COLUMN subscription, DROP COLUMN amount_paid;
ALTER TABLE stripe_team_acme.subscriptions DROP COLUMN current_period_end;
DROP TABLE stripe_team_acme.charges;
UPDATE billstack_internal.integration SET mirror_version = 0;
SELECT jsonb_pretty(billstack.upgrade_mirror('acme', 'default'));
SELECT mirror_version FROM billstack_internal.integration;
SELECT count(*) > 50 AS many, count(*) FILTER (WHERE a.line IS NULL) AS differ
  FROM public.regress_before b LEFT JOIN (SELECT to_jsonb(c) AS line FROM stripe_team_acme.customers c
    UNION ALL SELECT to_jsonb(i) FROM stripe_team_acme.invoices i UNION ALL SELECT to_jsonb(s) FROM stripe_team_acme.subscriptions s) a USING (line);
SELECT billstack.upgrade_mirror('acme') -> 'integrations' -> 0 -> 'addedColumns';
SELECT pg_temp.refused($$SELECT billstack.upgrade_mirror('acme', 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.upgrade_mirror('nobody')$$);
-- another owner: schema, tables, rows of the catalogue; the worker writes as the new one
CREATE ROLE regress_mirror_owner;
SELECT pg_temp.refused($$SELECT billstack.set_owner('acme', 0::oid)$$);
SELECT billstack.set_owner('acme', 'regress_mirror_owner');
SELECT owner FROM billstack.integrations;
SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'stripe_team_acme';
SELECT count(*) > 7 AS all_tables, count(*) FILTER (WHERE relowner <> 'regress_mirror_owner'::regrole) AS left_behind
  FROM pg_class WHERE relnamespace = 'stripe_team_acme'::regnamespace AND relkind IN ('r', 'i');
SET client_min_messages = warning;
CALL billstack.run_backfill('acme') \gset
RESET client_min_messages;
SELECT :'result'::jsonb ->> 'syncStatus';
SELECT billstack.status('acme') ->> 'syncStatus', billstack.status('acme') ->> 'lastError';
SELECT count(*) > 0 AS copied FROM stripe_team_acme.charges;
-- the new owner acts with its own rights
GRANT USAGE ON SCHEMA billstack TO regress_mirror_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA billstack TO regress_mirror_owner;
SET ROLE regress_mirror_owner;
SELECT billstack.upgrade_mirror('acme') ->> 'success';
SELECT pg_temp.refused($$SELECT billstack.set_owner('acme', 'postgres')$$);
SELECT billstack.disconnect('acme') ->> 'droppedSchema';
RESET ROLE;
DROP TABLE public.regress_before;
DROP OWNED BY regress_mirror_owner;
DROP ROLE regress_mirror_owner;
