-- API keys: made once, listed without themselves, revoked; the principal that authenticate() sets, what it may
-- and that nothing but the end of its (sub)transaction removes or changes it.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
CREATE ROLE regress_billstack_owner;
CREATE ROLE regress_billstack_app;
CREATE ROLE regress_billstack_admin;
CREATE ROLE regress_billstack_reader;
GRANT EXECUTE ON FUNCTION pg_temp.refused(text, boolean) TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
INSERT INTO billstack_internal.team (team, owner_name) VALUES ('keys_one', 'regress_billstack_owner'), ('keys_two', 'regress_billstack_owner');
INSERT INTO billstack_internal.project (id, team, name) VALUES ('proj_k1', 'keys_one', 'one'), ('proj_k2', 'keys_one', 'two'), ('proj_k3', 'keys_two', 'other');
CREATE FUNCTION pg_temp.tried(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
GRANT EXECUTE ON FUNCTION pg_temp.tried(text) TO PUBLIC;
-- Which principal the transaction has: a key for one project sees that project only.
CREATE FUNCTION pg_temp.principal() RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' ', 'team:' || pg_temp.tried('SELECT billstack.list_projects(''keys_one'')'),
    'k1:' || pg_temp.tried('SELECT billstack.analytics(''proj_k1'')'),
    'k2:' || pg_temp.tried('SELECT billstack.analytics(''proj_k2'')'),
    'k3:' || pg_temp.tried('SELECT billstack.analytics(''proj_k3'')')) $$;
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.grant_access('regress_billstack_app', 'app', 'keys_one') ->> 'changed',
       billstack.grant_access('regress_billstack_admin', 'admin', 'keys_one') ->> 'changed',
       billstack.grant_access('regress_billstack_reader', 'reader', 'keys_one') ->> 'changed';
-- made: the raw key, and what is stored of it
SELECT answer #>> '{rawKey}' AS full_key, answer #>> '{key,id}' AS full_id, answer AS answer
  FROM billstack.create_api_key('keys_one', 'web') AS answer \gset
SELECT :'full_key' ~ '^bs_[0-9a-f]{48}$', :'full_id' ~ '^key_[A-Za-z0-9]{16}$';
SELECT a.j -> 'key' #- '{id}' #- '{createdAt}' #- '{prefix}', a.j #>> '{key,prefix}' = left(:'full_key', 7), a.j - '{key,rawKey}'::text[] FROM (SELECT :'answer'::jsonb) AS a (j);
SELECT key_sha256 = sha256(convert_to(:'full_key', 'UTF8')), created_by, row_to_json(k)::text LIKE '%' || substr(:'full_key', 8) || '%'
  FROM billstack_internal.api_key AS k WHERE id = :'full_id';
SELECT answer #>> '{rawKey}' AS one_key, answer #>> '{key,id}' AS one_id
  FROM billstack.create_api_key('keys_one', 'one', 'proj_k1', '{customers:read,customers:read,analytics:read}', now() + interval '1 day') AS answer \gset
SELECT answer #>> '{rawKey}' AS two_key FROM billstack.create_api_key('keys_one', 'two', project => 'proj_k2', scopes => NULL) AS answer \gset
SELECT answer #>> '{rawKey}' AS other_key FROM billstack.create_api_key('keys_two', 'other team') AS answer \gset
SELECT key - 'id' - 'prefix' - 'createdAt' - 'expiresAt' - 'lastUsedAt', key ? 'rawKey', key ->> 'expiresAt' > key ->> 'createdAt'
  FROM jsonb_array_elements(billstack.list_api_keys('keys_one') -> 'keys') AS key ORDER BY key ->> 'name';
-- refused
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x', scopes => '{customers:read,customers:all}')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x', scopes => ARRAY[NULL::text])$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x', expires_at => now() - interval '1 second')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x', expires_at => 'infinity')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', '')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', repeat('x', 201))$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'for 4242-4242-4242-4242')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key(NULL, 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_none', 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x', 'proj_none')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x', 'proj_k3')$$);
SELECT pg_temp.refused($$SELECT billstack.revoke_api_key('key_none')$$);
SELECT pg_temp.refused($$SELECT billstack.revoke_api_key(NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.list_api_keys('keys_none')$$);
-- who may
SET ROLE regress_billstack_app;
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x')$$), pg_temp.refused($$SELECT billstack.list_api_keys('keys_one')$$);
SELECT billstack.authenticate(:'one_key') - 'keyId';
SET ROLE regress_billstack_reader;
SELECT pg_temp.refused(format('SELECT billstack.authenticate(%L)', :'one_key'));
SET ROLE regress_billstack_admin;
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_two', 'x')$$);
SELECT billstack.create_api_key('keys_one', 'by an admin') #>> '{key,name}';
RESET ROLE;
SELECT id AS other_id FROM billstack_internal.api_key WHERE team = 'keys_two' \gset
SET ROLE regress_billstack_admin;
SELECT pg_temp.refused(format('SELECT billstack.revoke_api_key(%L)', :'other_id')) LIKE '42704: API key "key_%" does not exist%';
RESET ROLE;
-- one answer for unknown, malformed, revoked and expired keys
UPDATE billstack_internal.api_key SET expires_at = now() - interval '1 second' WHERE id = :'one_id';
SELECT pg_temp.refused(format('SELECT billstack.authenticate(%L)', :'one_key'));
UPDATE billstack_internal.api_key SET expires_at = NULL WHERE id = :'one_id';
SELECT answer #>> '{rawKey}' AS gone_key, answer #>> '{key,id}' AS gone_id FROM billstack.create_api_key('keys_one', 'gone') AS answer \gset
SELECT billstack.authenticate(:'gone_key') ->> 'team';
SELECT billstack.revoke_api_key(:'gone_id') ->> 'success';
SELECT revoked_at AS first_revocation FROM billstack_internal.api_key WHERE id = :'gone_id' \gset
SELECT billstack.revoke_api_key(:'gone_id') #>> '{key,revokedAt}' IS NOT NULL;
SELECT revoked_at = :'first_revocation' FROM billstack_internal.api_key WHERE id = :'gone_id';
SELECT count(DISTINCT answer), min(answer) FROM (VALUES (:'gone_key'), (:'one_key' || '0'), ('bs_' || repeat('0', 48)), (''), ('sk_test_x'),
    (upper(:'full_key'))) AS tried (key), pg_temp.refused(format('SELECT billstack.authenticate(%L)', tried.key)) AS answer;
SELECT pg_temp.refused('SELECT billstack.authenticate(NULL)');
-- the principal: this transaction and no other
SELECT pg_temp.principal() AS none;
BEGIN;
SELECT billstack.authenticate(:'one_key') ->> 'projectId';
SELECT pg_temp.principal() AS one;
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_k2')$$);
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_none')$$);
SELECT pg_temp.refused($$SELECT billstack.list_products('proj_k1')$$);
SELECT pg_temp.refused($$SELECT billstack.create_api_key('keys_one', 'x')$$);
COMMIT;
SELECT pg_temp.principal() AS none;
BEGIN; SELECT billstack.authenticate(:'one_key') ->> 'projectId'; ROLLBACK;
SELECT pg_temp.principal() AS none;
SELECT billstack.authenticate(:'one_key') ->> 'projectId', 'ends with its statement outside of a transaction block';
SELECT pg_temp.principal() AS none;
-- nothing takes it away
BEGIN;
SELECT billstack.authenticate(:'one_key') ->> 'projectId';
RESET ALL;
SET ROLE regress_billstack_app;
SELECT pg_temp.tried('SELECT billstack.analytics(''proj_k2'')'), pg_temp.tried('SELECT billstack.analytics(''proj_k1'')');
RESET ROLE;
SET SESSION AUTHORIZATION DEFAULT;
DISCARD PLANS;
DISCARD SEQUENCES;
SELECT pg_temp.tried('DISCARD ALL'), pg_temp.tried('SET billstack.principal = ''none''') IS NOT NULL;
SELECT pg_temp.principal() AS one;
ROLLBACK;
-- savepoints: what a rolled-back one set is gone, what it found set is there again
BEGIN;
SAVEPOINT before;
SELECT billstack.authenticate(:'one_key') ->> 'projectId';
ROLLBACK TO before;
SELECT pg_temp.principal() AS none;
SELECT billstack.authenticate(:'one_key') ->> 'projectId';
SAVEPOINT inner_one;
SELECT billstack.authenticate(:'two_key') ->> 'projectId';
SAVEPOINT inner_two;
SELECT billstack.authenticate(:'other_key') ->> 'team';
SELECT pg_temp.principal() AS other;
RELEASE inner_two;
SELECT pg_temp.principal() AS other;
ROLLBACK TO inner_one;
SELECT pg_temp.principal() AS one;
SELECT billstack.authenticate(:'two_key') ->> 'projectId';
RELEASE inner_one;
SELECT pg_temp.principal() AS two;
COMMIT;
SELECT pg_temp.principal() AS none;
-- nested functions: a block that fails takes back what it set, one that ends well keeps it
CREATE FUNCTION pg_temp.nested(key text, fails boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM billstack.authenticate(key);
        IF fails THEN RAISE division_by_zero; END IF;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    RETURN pg_temp.principal();
END $$;
SELECT pg_temp.nested(:'one_key', true);
SELECT pg_temp.nested(:'one_key', false);
BEGIN;
SELECT billstack.authenticate(:'one_key') ->> 'projectId';
SELECT pg_temp.refused('SELECT billstack.authenticate(''bs_nonsense'')') LIKE '28000%';
SELECT pg_temp.principal() AS one;
COMMIT;
-- procedures that commit on their way start without it
CREATE PROCEDURE pg_temp.two_transactions(key text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM billstack.authenticate(key);
    RAISE NOTICE '%', pg_temp.principal();
    COMMIT;
    RAISE NOTICE '%', pg_temp.principal();
END $$;
CALL pg_temp.two_transactions(:'one_key');
-- functions on teams never accept a key, whatever it may
BEGIN;
SELECT billstack.authenticate(:'full_key') ->> 'scopes';
SELECT statement, pg_temp.refused(statement, false) LIKE '42501: an API key does not reach functions on teams%'
  FROM (VALUES ($$billstack.status('keys_one')$$), ($$billstack.webhook_url('keys_one')$$), ($$billstack.validate('keys_one')$$),
    ($$billstack.backfill('keys_one')$$), ($$billstack.cancel_backfill('keys_one')$$), ($$billstack.disconnect('keys_one')$$),
    ($$billstack.connect('keys_new', 'sk_test_regress0000000000000000')$$), ($$billstack.check_keys('sk_test_regress0000000000000000')$$),
    ($$billstack.rotate_keys('keys_one', 'sk_test_regress0000000000000000')$$), ($$billstack.set_webhook_secret('keys_one', 'x')$$),
    ($$billstack.create_webhook_endpoint('keys_one')$$), ($$billstack.grant_access('regress_billstack_app', 'app')$$),
    ($$billstack.revoke_access('regress_billstack_app', 'app', 'keys_one')$$), ($$billstack.arm('keys_one')$$),
    ($$billstack.set_owner('keys_one', 'regress_billstack_app')$$), ($$billstack.upgrade_mirror('keys_one')$$), ($$billstack.health()$$),
    ($$billstack.receive_webhook('keys_one', '{}', '')$$), ($$billstack.receive_webhook_raw('keys_one', '', '')$$),
    ($$billstack.replay('evt_1')$$), ($$billstack.retry_failed()$$), ($$billstack.subscribe('keys_one', '{*}', 'now()')$$),
    ($$billstack.create_project('keys_one', 'x')$$), ($$billstack.list_projects('keys_one')$$), ($$billstack.link_project('proj_k1', 'default')$$),
    ($$billstack.unlink_project('proj_k1')$$), ($$billstack.map_account('keys_one', 'cus_1', 'x')$$),
    ($$billstack.create_api_key('keys_one', 'x')$$), ($$billstack.list_api_keys('keys_one')$$), ($$billstack.revoke_api_key('key_x')$$))
    AS f (call), LATERAL (SELECT 'SELECT ' || f.call) AS s (statement);
ROLLBACK;
-- last use: at once in the list, in the table when the worker comes round
SELECT key ->> 'lastUsedAt' IS NOT NULL FROM jsonb_array_elements(billstack.list_api_keys('keys_one') -> 'keys') AS key
 WHERE key ->> 'name' IN ('one', 'web', 'by an admin') ORDER BY key ->> 'name';
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_write FROM billstack.authenticate(:'one_key');
\set ECHO none
DELETE FROM billstack_internal.api_key WHERE team LIKE 'keys%';
DELETE FROM billstack_internal.project WHERE team LIKE 'keys%';
DELETE FROM billstack_internal.team WHERE team LIKE 'keys%';
DELETE FROM billstack_internal.access_grant WHERE role_name::text LIKE 'regress_billstack%';
DROP OWNED BY regress_billstack_owner, regress_billstack_app, regress_billstack_admin, regress_billstack_reader;
DROP ROLE regress_billstack_owner, regress_billstack_app, regress_billstack_admin, regress_billstack_reader;
