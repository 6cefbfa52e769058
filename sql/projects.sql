-- create_project, list_projects, link_project, unlink_project, relink_project: answers, refusals, and what
-- becomes of a project's rows on the way from test to live and back.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
SET client_min_messages = warning;
CREATE ROLE regress_billstack_admin;
CREATE ROLE regress_billstack_app;
CREATE ROLE regress_billstack_reader;
CREATE ROLE regress_billstack_other;
GRANT EXECUTE ON FUNCTION pg_temp.refused(text, boolean) TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
-- Made ids differ each time.
CREATE FUNCTION pg_temp.masked(answer text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(answer, '(proj|pc|pp|pri)_[A-Za-z0-9]{16}', '\1_...', 'g'), '"createdAt": "[^"]*Z"', '"createdAt": "..."', 'g') $$;
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('shop', 'sk_test_regressshop00000000000') ->> 'success';
CALL billstack.run_backfill('shop') \g /dev/null
-- made, linked, listed
SELECT billstack.create_project('shop', 'Widgets', id => 'proj_widgets');
SELECT pg_temp.masked(billstack.create_project('shop', 'Anonymous')::text);
SELECT billstack.create_project('shop', 'Loose', integration => NULL, id => 'proj_loose');
SELECT pg_temp.masked(billstack.list_projects('shop')::text);
SELECT billstack.status('shop') #> '{linkedProjects,1}', linked_projects FROM billstack.integrations WHERE team = 'shop';
-- the tables billing needs are in the mirror
SELECT string_agg(relname, ' ' ORDER BY relname COLLATE "C") FROM pg_class WHERE relnamespace = 'stripe_team_shop'::regnamespace AND relkind = 'r'
   AND relname IN ('checkout_sessions', 'payment_intents', 'payment_methods', 'refunds', 'coupons');
-- told to who listens, at commit
\setenv PGDATABASE :DBNAME
\! psql -XAtq -c 'LISTEN billstack' -c "SELECT FROM billstack.unlink_project('proj_widgets')" -c "SELECT FROM billstack.link_project('proj_widgets', 'default')" | grep -o '{.*}'
-- refused
SELECT pg_temp.refused($$SELECT billstack.create_project(NULL, 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', ' ')$$);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', 'of 6011 1111 1111 1117')$$);
SELECT pg_temp.refused(format($$SELECT billstack.create_project('shop', %L)$$, repeat('x', 251)));
SELECT id, split_part(pg_temp.refused(format($$SELECT billstack.create_project('shop', 'x', id => %L)$$, id)), ':', 1)
  FROM unnest(ARRAY['', 'proj_', 'widgets', 'pc_widgets', 'proj_a b', 'proj_ä', 'proj_' || repeat('x', 60)]) AS i (id);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', 'x', id => 'widgets')$$);
SELECT pg_temp.refused(format($$SELECT billstack.create_project('shop', 'x', id => %L)$$, id)) FROM unnest(ARRAY['proj_4242424242424242', 'proj_4242-4242-4242-4242_eu']) AS i (id);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', 'x', id => 'proj_widgets')$$);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', 'x', integration => 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.create_project('nobody', 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.list_projects(NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.list_projects('nobody')$$);
SELECT pg_temp.refused($$SELECT billstack.link_project(NULL, 'default')$$);
SELECT pg_temp.refused($$SELECT billstack.link_project('proj_loose', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.link_project('proj_none', 'default')$$);
SELECT pg_temp.refused($$SELECT billstack.link_project('proj_loose', 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.link_project('proj_widgets', 'default')$$);
SELECT pg_temp.refused($$SELECT billstack.unlink_project(NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.unlink_project('proj_none')$$);
SELECT pg_temp.refused($$SELECT billstack.unlink_project('proj_loose')$$);
SELECT pg_temp.refused($$SELECT billstack.relink_project(NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.relink_project('proj_none')$$);
SELECT pg_temp.refused($$SELECT billstack.relink_project('proj_loose')$$);
SELECT pg_temp.masked(pg_temp.refused($$SELECT billstack.disconnect('shop')$$));
BEGIN READ ONLY;
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.unlink_project('proj_widgets')$$);
COMMIT;
-- rights: the team's owner and admins manage, app and reader look, for others there is nothing
SELECT billstack.grant_access('regress_billstack_admin', 'admin', 'shop') ->> 'changed', billstack.grant_access('regress_billstack_app', 'app', 'shop') ->> 'changed',
       billstack.grant_access('regress_billstack_reader', 'reader', 'shop') ->> 'changed';
SELECT billstack.connect('elsewhere', 'sk_test_regressshop00000000000') ->> 'success', billstack.grant_access('regress_billstack_other', 'admin', 'elsewhere') ->> 'changed';
SET ROLE regress_billstack_admin;
SELECT billstack.unlink_project('proj_widgets'), billstack.link_project('proj_widgets', 'default');
SET ROLE regress_billstack_app;
SELECT jsonb_array_length(billstack.list_projects('shop') -> 'projects');
SELECT pg_temp.refused($$SELECT billstack.unlink_project('proj_widgets')$$);
RESET ROLE;
-- without the function's own right there is still the project's
GRANT EXECUTE ON FUNCTION billstack.unlink_project(text), billstack.relink_project(text) TO regress_billstack_app, regress_billstack_reader;
SET ROLE regress_billstack_app;
SELECT pg_temp.refused($$SELECT billstack.unlink_project('proj_widgets')$$);
SET ROLE regress_billstack_reader;
SELECT jsonb_array_length(billstack.list_projects('shop') -> 'projects');
SELECT pg_temp.refused($$SELECT billstack.relink_project('proj_widgets')$$);
SET ROLE regress_billstack_other;
SELECT pg_temp.refused($$SELECT billstack.list_projects('shop')$$);
SELECT pg_temp.refused($$SELECT billstack.unlink_project('proj_widgets')$$);
SELECT pg_temp.refused($$SELECT billstack.link_project('proj_loose', 'default')$$);
SELECT pg_temp.refused($$SELECT billstack.create_project('shop', 'x')$$);
RESET ROLE;
SELECT billstack.revoke_access('regress_billstack_admin', 'admin', 'shop') ->> 'changed', billstack.revoke_access('regress_billstack_app', 'app', 'shop') ->> 'changed',
       billstack.revoke_access('regress_billstack_reader', 'reader', 'shop') ->> 'changed', billstack.revoke_access('regress_billstack_other', 'admin', 'elsewhere') ->> 'changed';
-- an id that a team has: one text, whosever it is
SELECT DISTINCT pg_temp.refused(format('SELECT billstack.create_project(%L, %L, integration => %L, id => %L)', team, 'x', integration, 'proj_loose'))
  FROM (VALUES ('shop', NULL), ('shop', 'default'), ('elsewhere', NULL), ('elsewhere', 'default')) AS t (team, integration);
-- from test to live: the rows become stale and are refused by name
SELECT billstack.create_customer('proj_widgets', 'ada@example.com', 'Ada') #>> '{customer,id}' AS ada \gset
SELECT billstack.create_customer('proj_widgets', 'bob@example.com', 'Bob') #>> '{customer,id}' AS bob \gset
SELECT billstack.create_product('proj_widgets', 'Cloud') #>> '{product,id}' AS cloud \gset
SELECT billstack.create_product('proj_widgets', 'Twin') #>> '{product,id}' AS twin \gset
SELECT billstack.create_price('proj_widgets', :'cloud', 1900, 'eur', 'month') #>> '{price,id}' AS monthly \gset
SELECT billstack.create_price('proj_widgets', :'cloud', 19000, 'eur', 'year') #>> '{price,id}' AS yearly \gset
SELECT billstack.create_price('proj_widgets', :'twin', 500, 'eur') #>> '{price,id}' AS once \gset
SELECT stripe_customer_id AS old_ada FROM billstack_internal.project_customer WHERE id = :'ada' \gset
SELECT billstack.connect('shop', 'sk_live_regressshop00000000000', integration => 'live') ->> 'livemode';
SELECT billstack.unlink_project('proj_widgets');
SELECT pg_temp.refused($$SELECT billstack.create_customer('proj_widgets', 'new@example.com')$$);
SELECT billstack.link_project('proj_widgets', 'live');
SELECT count(*) FILTER (WHERE (c ->> 'stale')::boolean), count(*) FROM jsonb_array_elements(billstack.list_customers('proj_widgets') -> 'customers') AS c;
SELECT pg_temp.masked(pg_temp.refused(format($$SELECT billstack.update_customer('proj_widgets', %L, name => 'x')$$, :'ada')));
SELECT pg_temp.masked(pg_temp.refused(format($$SELECT billstack.update_product('proj_widgets', %L, name => 'x')$$, :'cloud')));
SELECT pg_temp.masked(pg_temp.refused(format($$SELECT billstack.update_price('proj_widgets', %L, false)$$, :'monthly')));
SELECT pg_temp.masked(pg_temp.refused(format($$SELECT billstack.create_price('proj_widgets', %L, 1, 'eur')$$, :'cloud')));
-- what the live account has: two of Ada's e-mail, the younger one carries the project's id; Cloud with one
-- price that fits and two that do; Twin twice
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"customer","fields":{"id":"cus_liveolder","email":"Ada@Example.com","created":1600000000}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"customer","fields":{"id":"cus_liveours","email":"ada@example.com","created":1700000000,"metadata":{"project_id":"proj_widgets"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"product","fields":{"id":"prod_livecloud","name":"Cloud"}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"product","fields":{"id":"prod_liveforeign","name":"Cloud","metadata":{"project_id":"proj_other"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"product","count":2,"fields":{"name":"Twin"}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"price","fields":{"id":"price_livemonthly","product":"prod_livecloud","active":true,"currency":"eur","unit_amount":1900,"type":"recurring","recurring":{"interval":"month","interval_count":1}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0005' '{"kind":"price","count":2,"fields":{"product":"prod_livecloud","active":true,"currency":"eur","unit_amount":19000,"type":"recurring","recurring":{"interval":"year","interval_count":1}}}'
CALL billstack.run_backfill('shop', integration => 'live') \g /dev/null
SELECT pg_temp.masked(billstack.relink_project('proj_widgets')::text);
SELECT email, stripe_customer_id = :'old_ada' AS unchanged, CASE WHEN stale THEN '' ELSE stripe_customer_id END, link, link_detail, stale FROM billstack_internal.project_customer WHERE project_id = 'proj_widgets' ORDER BY email;
SELECT name, CASE WHEN NOT stale THEN stripe_product_id END, stale FROM billstack_internal.project_product WHERE project_id = 'proj_widgets' ORDER BY name;
SELECT unit_amount, CASE WHEN NOT stale THEN stripe_price_id END, stale FROM billstack_internal.project_price WHERE project_id = 'proj_widgets' ORDER BY unit_amount;
-- again: nothing new
SELECT billstack.relink_project('proj_widgets') -> 'relinked';
-- one that was not found is made by its e-mail, and keeps its id
SELECT c ->> 'id' = :'bob' AS same, c -> 'link', c -> 'stale', c -> 'name' FROM billstack.create_customer('proj_widgets', 'BOB@example.com') AS a, LATERAL (SELECT a -> 'customer') AS b (c);
-- back to test: what was not relinked is good again, what was belongs to the live account now
SELECT billstack.unlink_project('proj_widgets') -> 'stale';
SELECT billstack.link_project('proj_widgets', 'default') -> 'stale';
SELECT email, stale FROM billstack_internal.project_customer WHERE project_id = 'proj_widgets' ORDER BY email;
SELECT name, stale FROM billstack_internal.project_product WHERE project_id = 'proj_widgets' ORDER BY name;
SELECT pg_temp.masked(billstack.relink_project('proj_widgets')::text);
SELECT stripe_customer_id = :'old_ada' AS as_before FROM billstack_internal.project_customer WHERE id = :'ada';
-- keys of another account: the same without a link; and back
SELECT billstack.rotate_keys('shop', 'sk_test_regressother0000000000', allow_account_change => true) ->> 'accountId';
SELECT count(*) FILTER (WHERE stale), count(*) FROM billstack_internal.project_customer WHERE project_id = 'proj_widgets';
SELECT billstack.rotate_keys('shop', 'sk_test_regressshop00000000000', allow_account_change => true) ->> 'accountId';
SELECT count(*) FILTER (WHERE stale), count(*) FROM billstack_internal.project_customer WHERE project_id = 'proj_widgets';
SELECT account_id, livemode FROM billstack_internal.project WHERE id = 'proj_widgets';
-- a team that has projects outlives its last integration
SELECT billstack.unlink_project(p ->> 'id') IS NOT NULL FROM jsonb_array_elements(billstack.list_projects('shop') -> 'projects') AS p WHERE p ->> 'integration' IS NOT NULL;
SELECT billstack.disconnect('shop', 'live') ->> 'success', billstack.disconnect('shop') ->> 'success', billstack.disconnect('elsewhere') ->> 'success';
SELECT jsonb_array_length(billstack.list_projects('shop') -> 'projects');
SELECT billstack.connect('shop', 'sk_test_regressshop00000000000') ->> 'success', billstack.link_project('proj_widgets', 'default') -> 'stale';
SELECT pg_temp.masked(billstack.update_customer('proj_widgets', :'ada', name => 'Countess') #>> '{customer,name}');
-- the end
SELECT billstack.unlink_project('proj_widgets') -> 'project';
\set ECHO none
DELETE FROM billstack_internal.project_price;
DELETE FROM billstack_internal.project_product;
DELETE FROM billstack_internal.project_customer;
DELETE FROM billstack_internal.project;
SELECT billstack.disconnect('shop') \g /dev/null
DROP OWNED BY regress_billstack_admin, regress_billstack_app, regress_billstack_reader, regress_billstack_other;
DROP ROLE regress_billstack_admin, regress_billstack_app, regress_billstack_reader, regress_billstack_other;
