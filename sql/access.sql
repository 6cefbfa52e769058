-- Who may do what: profiles, what comes later, and what the catalogue says of every object.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS billstack;
CREATE ROLE regress_access_owner;
CREATE ROLE regress_access_admin;
CREATE ROLE regress_access_all;
CREATE ROLE regress_access_app;
CREATE ROLE regress_access_webhook;
CREATE ROLE regress_access_reader;
CREATE ROLE regress_access_nobody;
CREATE ROLE regress_access_gone;

-- Two teams with their mirrors, made by hand: connect() is another test's topic.
CREATE SCHEMA stripe_team_axs_one AUTHORIZATION regress_access_owner;
CREATE SCHEMA stripe_team_axs_two AUTHORIZATION regress_access_owner;
SET ROLE regress_access_owner;
CREATE TABLE stripe_team_axs_one.customers (id text PRIMARY KEY);
CREATE TABLE stripe_team_axs_one.not_of_billstack (id text PRIMARY KEY);
CREATE TABLE stripe_team_axs_two.customers (id text PRIMARY KEY);
RESET ROLE;
INSERT INTO billstack_internal.team (team, owner_name)
VALUES ('axs_one', 'regress_access_owner'), ('axs_two', 'regress_access_owner');
INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode,
    key_restricted, key_masked, mirror_version, system_identifier, database_oid)
SELECT t.team, 'default', t.owner_name, 'stripe_team_' || t.team, to_regnamespace('stripe_team_' || t.team),
    false, false, 'sk_test_...', 1000, c.system_identifier, d.oid
  FROM billstack_internal.team AS t, pg_control_system() AS c, pg_database AS d
 WHERE t.team LIKE 'axs%' AND d.datname = current_database();
INSERT INTO billstack_internal.mirror_table (integration_id, kind, table_name)
SELECT i.id, 'customer', 'customers' FROM billstack_internal.integration AS i WHERE i.team LIKE 'axs%';

-- What a role may do in the schemas: functions and views of billstack, tables of the mirrors.
CREATE FUNCTION pg_temp.rights(role text) RETURNS TABLE (billstack text, mirrors text) LANGUAGE sql AS $$
SELECT (SELECT coalesce(string_agg(o.name, ' ' ORDER BY o.name), '') FROM (
            SELECT p.proname::text FROM pg_proc AS p
             WHERE p.pronamespace = 'billstack'::regnamespace AND has_schema_privilege(role, 'billstack', 'USAGE')
               AND has_function_privilege(role, p.oid, 'EXECUTE')
            UNION ALL
            SELECT c.relname FROM pg_class AS c
             WHERE c.relnamespace = 'billstack'::regnamespace AND c.relkind = 'v'
               AND has_schema_privilege(role, 'billstack', 'USAGE') AND has_table_privilege(role, c.oid, 'SELECT')
            UNION ALL
            SELECT c.relname || '(insert)' FROM pg_class AS c
             WHERE c.relnamespace = 'billstack'::regnamespace AND c.relkind = 'v'
               AND has_schema_privilege(role, 'billstack', 'USAGE') AND has_table_privilege(role, c.oid, 'INSERT')) AS o (name)),
       (SELECT coalesce(string_agg(replace(n.nspname, 'stripe_team_axs_', '') || '.' || c.relname, ' ' ORDER BY n.nspname, c.relname), '')
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname LIKE 'stripe\_team\_axs%' AND c.relkind = 'r'
           AND has_schema_privilege(role, n.oid, 'USAGE') AND has_table_privilege(role, c.oid, 'SELECT'))
$$;
CREATE FUNCTION pg_temp.matrix() RETURNS TABLE (role text, functions text, mirrors text) LANGUAGE sql AS $$
SELECT substr(r.rolname, 16), x.billstack, x.mirrors
  FROM pg_roles AS r, pg_temp.rights(r.rolname) AS x WHERE r.rolname LIKE 'regress\_access\_%' ORDER BY 1
$$;
\pset format unaligned
SELECT * FROM pg_temp.matrix();

SELECT billstack.grant_access('regress_access_all', 'admin');
SELECT billstack.grant_access('regress_access_admin', 'admin', 'axs_one');
SELECT billstack.grant_access('regress_access_app', 'app', 'axs_one');
SELECT billstack.grant_access('regress_access_webhook', 'webhook', 'axs_one');
SELECT billstack.grant_access('regress_access_reader', 'reader', 'axs_one');
SELECT billstack.grant_access('regress_access_reader', 'reader', 'axs_one');
SELECT * FROM pg_temp.matrix();

-- Mistakes
SELECT billstack.grant_access('regress_access_reader', 'owner');
SELECT billstack.grant_access(NULL, 'reader');
SELECT billstack.grant_access('regress_access_reader', NULL);
SELECT billstack.grant_access('regress_access_reader', 'reader', 'Not A Slug');
SELECT billstack.grant_access('regress_access_reader', 'reader', 'axs_none');
SELECT billstack.grant_access('-', 'reader', 'axs_one');
SELECT billstack.grant_access('0', 'reader', 'axs_one');

-- An admin of one team acts for that team only; others do not even see it.
SET ROLE regress_access_admin;
SELECT billstack.grant_access('regress_access_gone', 'reader', 'axs_one');
SELECT billstack.grant_access('regress_access_gone', 'reader', 'axs_two');
SELECT billstack.grant_access('regress_access_gone', 'reader');
SET ROLE regress_access_all;
SELECT billstack.grant_access('regress_access_gone', 'app');
SET ROLE regress_access_reader;
SELECT billstack.grant_access('regress_access_gone', 'reader', 'axs_one');
SELECT count(*) FROM stripe_team_axs_one.customers;
SELECT count(*) FROM stripe_team_axs_one.not_of_billstack;
SELECT count(*) FROM stripe_team_axs_two.customers;
SELECT count(*) FROM billstack_internal.team;
SET ROLE regress_access_nobody;
SELECT billstack.grant_access('regress_access_nobody', 'admin');
RESET ROLE;

-- What comes later: a kind of a team, a team covered by a grant for all, a function made anew.
SELECT * FROM pg_temp.rights('regress_access_gone');
CREATE SCHEMA stripe_team_axs_new AUTHORIZATION regress_access_owner;
SET ROLE regress_access_owner;
CREATE TABLE stripe_team_axs_two.invoices (id text PRIMARY KEY);
CREATE TABLE stripe_team_axs_new.customers (id text PRIMARY KEY);
RESET ROLE;
INSERT INTO billstack_internal.team (team, owner_name) VALUES ('axs_new', 'regress_access_owner');
INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode,
    key_restricted, key_masked, mirror_version, system_identifier, database_oid)
SELECT 'axs_new', i.name, i.owner_name, 'stripe_team_axs_new', 'stripe_team_axs_new'::regnamespace,
    false, false, 'sk_test_...', 1000, i.system_identifier, i.database_oid
  FROM billstack_internal.integration AS i WHERE i.team = 'axs_two';
INSERT INTO billstack_internal.mirror_table (integration_id, kind, table_name)
SELECT i.id, 'customer', 'customers' FROM billstack_internal.integration AS i WHERE i.team = 'axs_new'
UNION ALL
SELECT i.id, 'invoice', 'invoices' FROM billstack_internal.integration AS i WHERE i.team = 'axs_two';
REVOKE EXECUTE ON FUNCTION billstack.status(text, text) FROM regress_access_gone;
SELECT billstack_internal.apply_access();
SELECT * FROM pg_temp.rights('regress_access_gone');

-- Taking back: what another grant still gives stays.
SELECT billstack.revoke_access('regress_access_gone', 'app');
SELECT * FROM pg_temp.rights('regress_access_gone');
SELECT billstack.revoke_access('regress_access_gone', 'app');
SELECT billstack.revoke_access('regress_access_gone', 'reader', 'axs_one');
SELECT * FROM pg_temp.rights('regress_access_gone');

-- The owner of a mirror keeps his rights whatever is granted and taken back.
SELECT billstack.grant_access('regress_access_owner', 'reader', 'axs_one');
SELECT billstack.revoke_access('regress_access_owner', 'reader', 'axs_one');
SELECT mirrors FROM pg_temp.rights('regress_access_owner');

-- A role that is gone is skipped and reported.
SELECT billstack.grant_access('regress_access_gone', 'reader', 'axs_one');
DROP OWNED BY regress_access_gone;
DROP ROLE regress_access_gone;
SELECT billstack_internal.apply_access();
SELECT status, detail FROM billstack.health() WHERE check_name = 'roles';
SET ROLE regress_access_reader;
SELECT check_name, status FROM billstack.health() WHERE check_name LIKE 'integration axs%' OR check_name = 'roles' ORDER BY 1, 2;
RESET ROLE;
SELECT billstack.revoke_access('regress_access_reader', 'reader', 'axs_one');
SELECT billstack.revoke_access('regress_access_webhook', 'webhook', 'axs_one');
SELECT billstack.revoke_access('regress_access_app', 'app', 'axs_one');
SELECT billstack.revoke_access('regress_access_admin', 'admin', 'axs_one');
SELECT billstack.revoke_access('regress_access_all', 'admin');
SELECT * FROM pg_temp.matrix();

-- The catalogue: empty lists are right.
SELECT p.oid::regprocedure AS without_search_path FROM pg_proc AS p
 WHERE p.pronamespace::regnamespace::text ~ '^billstack' AND p.proname NOT IN ('run_backfill', 'has_active_subscription', 'has_feature')
   AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);
SELECT p.oid::regprocedure AS security_definer FROM pg_proc AS p
 WHERE p.pronamespace::regnamespace::text ~ '^billstack' AND p.prosecdef;
SELECT p.oid::regprocedure AS strict FROM pg_proc AS p
 WHERE p.pronamespace::regnamespace::text ~ '^billstack' AND p.proisstrict;
SELECT p.oid::regprocedure AS executable_by_public FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
 WHERE p.pronamespace::regnamespace::text ~ '^billstack' AND a.grantee = 0;
SELECT c.oid::regclass AS usable_by_public FROM pg_class AS c, aclexplode(c.relacl) AS a
 WHERE c.relnamespace::regnamespace::text ~ '^billstack' AND a.grantee = 0;
SELECT n.nspname AS open_to_public FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
 WHERE n.nspname ~ '^billstack' AND a.grantee = 0;
SELECT c.oid::regclass AS internal_but_granted FROM pg_class AS c, aclexplode(c.relacl) AS a
 WHERE c.relnamespace = 'billstack_internal'::regnamespace AND a.grantee <> c.relowner;
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS without_comment FROM pg_depend AS d
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT e.oid FROM pg_extension AS e WHERE e.extname = 'billstack')
   AND obj_description(d.objid, d.classid::regclass::name) IS NULL
   AND NOT (d.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type AS t
        WHERE t.oid = d.objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
   AND NOT EXISTS (SELECT FROM pg_class AS c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'S')
 ORDER BY 1;

DELETE FROM billstack_internal.access_grant WHERE role_name = 'regress_access_gone';
DELETE FROM billstack_internal.integration WHERE team LIKE 'axs%';
DELETE FROM billstack_internal.team WHERE team LIKE 'axs%';
DROP SCHEMA stripe_team_axs_one, stripe_team_axs_two, stripe_team_axs_new CASCADE;
DROP ROLE regress_access_owner, regress_access_admin, regress_access_all, regress_access_app, regress_access_webhook,
    regress_access_reader, regress_access_nobody;
