-- has_active_subscription and has_feature: what they answer, in a policy, to whom, and that they follow the snapshot.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
CREATE ROLE regress_billstack_owner;
CREATE ROLE regress_billstack_policy;
CREATE ROLE regress_billstack_webhook;
CREATE ROLE regress_billstack_stranger;
GRANT EXECUTE ON FUNCTION pg_temp.refused(text, boolean) TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
INSERT INTO billstack_internal.team (team, owner_name) VALUES ('paid', 'regress_billstack_owner'), ('foreign', 'regress_billstack_owner');
INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode, key_restricted, key_masked, mirror_version, system_identifier, database_oid)
SELECT t.team, 'default', t.owner_name, 'stripe_team_' || t.team, 0, false, false, 'sk_test_...', 0, c.system_identifier, d.oid
  FROM billstack_internal.team AS t, pg_control_system() AS c, pg_database AS d
 WHERE t.team IN ('paid', 'foreign') AND d.datname = current_database();
SELECT id AS one FROM billstack_internal.integration WHERE team = 'paid' \gset
SELECT id AS two FROM billstack_internal.integration WHERE team = 'foreign' \gset
INSERT INTO billstack_internal.project (id, team, name, integration_id) VALUES
    ('proj_p', 'paid', 'p', :one), ('proj_q', 'paid', 'q', :one), ('proj_loose', 'paid', 'l', NULL), ('proj_f', 'foreign', 'f', :two);
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link, stale, deleted_at)
SELECT 'pc_' || c.id, c.project, c.id || '@example.com', 'cus_' || c.id, 'created', c.stale, c.deleted
  FROM (VALUES ('active', 'proj_p', false, NULL::timestamptz), ('trialing', 'proj_p', false, NULL), ('past_due', 'proj_p', false, NULL),
    ('canceled', 'proj_p', false, NULL), ('both', 'proj_p', false, NULL), ('stale', 'proj_p', true, NULL), ('gone', 'proj_p', false, now()),
    ('none', 'proj_p', false, NULL), ('of_q', 'proj_q', false, NULL), ('of_f', 'proj_f', false, NULL)) AS c (id, project, stale, deleted);
INSERT INTO billstack_internal.project_product (id, project_id, name, stripe_product_id) VALUES ('pp_1', 'proj_p', 'p', 'prod_1');
INSERT INTO billstack_internal.project_price (id, project_id, product_id, currency, stripe_price_id) VALUES
    ('pri_one', 'proj_p', 'pp_1', 'usd', 'price_one'), ('pri_two', 'proj_p', 'pp_1', 'usd', 'price_two'), ('pri_unused', 'proj_p', 'pp_1', 'usd', 'price_unused');
INSERT INTO billstack_internal.project_subscription (id, integration_id, stripe_subscription_id, project_id, customer_id, price_id, stripe_customer_id, stripe_price_id, stripe_price_ids, status, created_at, stale)
SELECT 'ps_' || s.id, s.integration, 'sub_' || s.id, s.project, 'pc_' || s.customer, 'pri_one', 'cus_' || s.customer, 'price_one', s.prices, s.status, now(), s.stale
  FROM (VALUES ('a', :one, 'proj_p', 'active', '{price_one,price_two}'::text[], 'active', false), ('t', :one, 'proj_p', 'trialing', '{price_one}', 'trialing', false),
    ('d', :one, 'proj_p', 'past_due', '{price_one}', 'past_due', false), ('c', :one, 'proj_p', 'canceled', '{price_one}', 'canceled', false),
    ('b1', :one, 'proj_p', 'both', '{price_one}', 'canceled', false), ('b2', :one, 'proj_p', 'both', '{price_one}', 'active', false),
    ('s', :one, 'proj_p', 'stale', '{price_one}', 'active', true), ('q', :one, 'proj_q', 'of_q', '{price_one}', 'active', false),
    ('g', :one, 'proj_p', 'gone', '{price_one,price_two}', 'active', false), ('x', :one, 'proj_p', 'of_q', '{price_one}', 'active', false),
    ('u', :one, 'proj_p', 'unknown', '{price_one}', 'active', false),
    ('f', :two, 'proj_f', 'of_f', '{price_one}', 'active', false)) AS s (id, integration, project, customer, prices, status, stale);
INSERT INTO billstack_internal.project_entitlement (integration_id, stripe_entitlement_id, stripe_customer_id, lookup_key)
SELECT :one, 'ent_' || c, 'cus_' || c, 'export' FROM unnest(ARRAY['active', 'stale', 'gone', 'of_q']) AS c UNION ALL SELECT :two, 'ent_none', 'cus_none', 'export';
CREATE TABLE article (id text, customer_id text);
INSERT INTO article SELECT c, 'pc_' || c FROM unnest(ARRAY['active', 'trialing', 'past_due', 'canceled', 'both', 'stale', 'gone', 'none', 'of_q', 'of_f', 'nobody']) AS c
UNION ALL VALUES ('null', NULL), ('empty', '');
CREATE TABLE feature (LIKE article);
INSERT INTO feature SELECT * FROM article;
ALTER TABLE article ENABLE ROW LEVEL SECURITY;
ALTER TABLE feature ENABLE ROW LEVEL SECURITY;
CREATE POLICY paid ON article USING (billstack.has_active_subscription('proj_p', customer_id));
CREATE POLICY entitled ON feature USING (billstack.has_feature('proj_p', customer_id, 'export'));
GRANT SELECT, INSERT ON article, feature TO regress_billstack_policy, regress_billstack_webhook, regress_billstack_stranger, regress_billstack_owner;
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT id, billstack.has_active_subscription('proj_p', customer_id), billstack.has_feature('proj_p', customer_id, 'export') FROM article ORDER BY id;
-- a price: the first one, one of another item, one nobody has, unknown ones
SELECT price, billstack.has_active_subscription('proj_p', 'pc_active', price), billstack.has_active_subscription('proj_p', 'pc_trialing', price),
       billstack.has_active_subscription('proj_p', 'pc_canceled', price)
  FROM unnest(ARRAY['pri_one', 'pri_two', 'pri_unused', 'price_two', 'pri_x', '', NULL]) AS price;
-- never an error, never NULL
SELECT billstack.has_active_subscription(NULL, 'pc_active'), billstack.has_active_subscription('proj_p', NULL), billstack.has_active_subscription(NULL, NULL, NULL),
       billstack.has_active_subscription('', 'pc_active'), billstack.has_active_subscription(repeat('x', 1000), 'pc_active'), billstack.has_active_subscription('proj_p', repeat('x', 100000)),
       billstack.has_active_subscription('proj_x', 'pc_active'), billstack.has_active_subscription('proj_q', 'pc_active');
-- a customer that was deleted, of another project, or that nobody knows has none, whatever its subscriptions say
SELECT customer, billstack.has_active_subscription('proj_p', customer), billstack.has_active_subscription('proj_p', customer, 'pri_one'), billstack.has_active_subscription('proj_p', customer, 'pri_two')
  FROM unnest(ARRAY['pc_active', 'pc_gone', 'pc_of_q', 'pc_unknown']) AS customer;
SELECT billstack.has_feature(NULL, 'pc_active', 'export'), billstack.has_feature('proj_p', NULL, 'export'), billstack.has_feature('proj_p', 'pc_active', NULL),
       billstack.has_feature('proj_p', 'pc_active', 'import'), billstack.has_feature('proj_loose', 'pc_active', 'export'), billstack.has_feature('proj_q', 'pc_active', 'export'),
       billstack.has_feature('proj_q', 'pc_of_q', 'export'), billstack.has_feature('proj_p', 'pc_none', 'export');
-- a policy, for a role that may ask these two and nothing else
SELECT billstack.grant_access('regress_billstack_policy', 'policy', 'paid') ->> 'changed', billstack.grant_access('regress_billstack_webhook', 'webhook', 'paid') ->> 'changed',
       billstack.grant_access('regress_billstack_stranger', 'policy', 'foreign') ->> 'changed';
SET ROLE regress_billstack_policy;
SELECT string_agg(id, ' ' ORDER BY id) FROM article;
SELECT string_agg(id, ' ' ORDER BY id) FROM feature;
SELECT pg_temp.refused($$INSERT INTO article VALUES ('mine', 'pc_canceled')$$), pg_temp.refused($$INSERT INTO article VALUES ('mine', 'pc_active')$$);
SELECT pg_temp.refused($$SELECT billstack.status('paid')$$), pg_temp.refused($$SELECT * FROM billstack.integrations$$), pg_temp.refused($$SELECT billstack.analytics('proj_p')$$);
SET ROLE regress_billstack_stranger;
SELECT count(*) FROM article;
SELECT billstack.has_active_subscription('proj_p', 'pc_active'), billstack.has_active_subscription('proj_f', 'pc_of_f');
SET ROLE regress_billstack_webhook;
SELECT pg_temp.refused('SELECT count(*) FROM article');
RESET ROLE;
-- one session, several roles in one transaction: what one may says nothing of the other
BEGIN;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
SET LOCAL ROLE regress_billstack_stranger;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
SET LOCAL ROLE regress_billstack_policy;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
COMMIT;
-- what this transaction changes is seen by the next statement: the row, the right, the project
BEGIN;
SELECT billstack.has_active_subscription('proj_p', 'pc_canceled'), billstack.has_active_subscription('proj_later', 'pc_later');
UPDATE billstack_internal.project_subscription SET status = 'active' WHERE id = 'ps_c';
INSERT INTO billstack_internal.project (id, team, name, integration_id) VALUES ('proj_later', 'paid', 'later', :one);
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link) VALUES ('pc_later', 'proj_later', 'later@example.com', 'cus_later', 'created');
UPDATE billstack_internal.project_subscription SET project_id = 'proj_later', customer_id = 'pc_later' WHERE id = 'ps_d';
UPDATE billstack_internal.project_subscription SET status = 'trialing' WHERE id = 'ps_d';
SELECT billstack.has_active_subscription('proj_p', 'pc_canceled'), billstack.has_active_subscription('proj_later', 'pc_later');
SELECT billstack.revoke_access('regress_billstack_policy', 'policy', 'paid') ->> 'changed';
GRANT USAGE ON SCHEMA billstack TO regress_billstack_policy;
GRANT EXECUTE ON FUNCTION billstack.has_active_subscription TO regress_billstack_policy;
SET LOCAL ROLE regress_billstack_policy;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
ROLLBACK;
SELECT billstack.has_active_subscription('proj_p', 'pc_canceled'), billstack.has_active_subscription('proj_later', 'pc_later');
-- a principal limits them too
SELECT billstack.create_api_key('paid', 'other project', 'proj_q') ->> 'rawKey' AS q_key, billstack.create_api_key('paid', 'without the scope', scopes => '{customers:read}') ->> 'rawKey' AS c_key \gset
BEGIN;
SELECT billstack.has_active_subscription('proj_p', 'pc_active'), billstack.has_feature('proj_p', 'pc_active', 'export');
SELECT billstack.authenticate(:'q_key') ->> 'projectId';
SELECT billstack.has_active_subscription('proj_p', 'pc_active'), billstack.has_feature('proj_p', 'pc_active', 'export'), billstack.has_active_subscription('proj_q', 'pc_of_q');
SELECT billstack.authenticate(:'c_key') ->> 'scopes';
SELECT billstack.has_active_subscription('proj_p', 'pc_active'), billstack.has_feature('proj_p', 'pc_active', 'export');
COMMIT;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
-- what the planner is told
SELECT proname, provolatile, proparallel, proconfig IS NULL FROM pg_proc WHERE pronamespace = 'billstack'::regnamespace AND proname LIKE 'has\_%' ORDER BY 1;
-- found again after the table was made anew and its index rebuilt
REINDEX TABLE billstack_internal.project_subscription;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
VACUUM FULL billstack_internal.project_subscription;
SELECT billstack.has_active_subscription('proj_p', 'pc_active');
\set ECHO none
DROP TABLE article, feature;
DELETE FROM billstack_internal.project_entitlement WHERE integration_id IN (:one, :two);
DELETE FROM billstack_internal.project_subscription WHERE integration_id IN (:one, :two);
DELETE FROM billstack_internal.project_price WHERE project_id = 'proj_p';
DELETE FROM billstack_internal.project_product WHERE project_id = 'proj_p';
DELETE FROM billstack_internal.project_customer WHERE project_id IN ('proj_p', 'proj_q', 'proj_f');
DELETE FROM billstack_internal.api_key WHERE team = 'paid';
DELETE FROM billstack_internal.project WHERE team IN ('paid', 'foreign');
DELETE FROM billstack_internal.integration WHERE team IN ('paid', 'foreign');
DELETE FROM billstack_internal.team WHERE team IN ('paid', 'foreign');
DELETE FROM billstack_internal.access_grant WHERE role_name::text LIKE 'regress_billstack%';
DROP OWNED BY regress_billstack_owner, regress_billstack_policy, regress_billstack_webhook, regress_billstack_stranger;
DROP ROLE regress_billstack_owner, regress_billstack_policy, regress_billstack_webhook, regress_billstack_stranger;
