-- create_product and the like, adopt_product, create_price and the like: answers, what is sent, refusals.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
SET client_min_messages = warning;
CREATE ROLE regress_billstack_app;
CREATE ROLE regress_billstack_reader;
CREATE ROLE regress_billstack_other;
-- Made ids differ each time.
CREATE FUNCTION pg_temp.shown(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(answer::text, '(pc|pp|pri|ps)_[A-Za-z0-9]{16}', '\1_...', 'g'),
        '(prod|price)_[A-Za-z0-9]{14,}', '\1_...', 'g'), '"(createdAt|updatedAt)": "[^"]*Z"', '"\1": "..."', 'g') $$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(pg_temp.refused(statement), '(pc|pp|pri|ps)_[A-Za-z0-9]{16}', '\1_...', 'g') $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('shop', 'sk_test_regressshop00000000000') ->> 'success';
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"product","fields":{"id":"prod_adopt","name":"Legacy","description":"from before","active":true,"metadata":{"tier":"one"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"price","fields":{"id":"price_adoptmonthly","product":"prod_adopt","active":true,"currency":"usd","unit_amount":900,"type":"recurring","recurring":{"interval":"month","interval_count":3},"metadata":{"a":"b"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"price","fields":{"id":"price_adoptold","product":"prod_adopt","active":false,"currency":"usd","unit_amount":800,"type":"one_time","recurring":null,"metadata":{}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"product","fields":{"id":"prod_named","name":"Named","active":true,"metadata":{"project_id":"proj_elsewhere"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"product","fields":{"id":"prod_meant","name":"Meant","active":true,"metadata":{"project_id":"proj_widgets"}}}'
CALL billstack.run_backfill('shop') \g /dev/null
SELECT billstack.create_project('shop', 'Widgets', id => 'proj_widgets') IS NOT NULL, billstack.create_project('shop', 'Gadgets', id => 'proj_gadgets') IS NOT NULL,
       billstack.create_project('shop', 'Loose', integration => NULL, id => 'proj_loose') IS NOT NULL;
-- products: made here and at Stripe
SELECT pg_temp.shown(billstack.create_product('proj_widgets', 'Nimbus', 'by the month', '{"tier": 1}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
SELECT id AS cloud FROM billstack_internal.project_product WHERE name = 'Nimbus' \gset
SELECT pg_temp.shown(billstack.create_product('proj_widgets', 'Plain'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
SELECT p.name, p.description, p.active, p.metadata - 'billstack_intent' FROM stripe_team_shop.products AS p WHERE p.name IN ('Nimbus', 'Plain') ORDER BY 1;
SELECT pg_temp.shown(billstack.get_product('proj_widgets', :'cloud'));
-- undone and done again: the same product
BEGIN;
SELECT billstack.create_product('proj_widgets', 'Again') #>> '{product,stripeProductId}' AS first \gset
ROLLBACK;
SELECT billstack.create_product('proj_widgets', 'Again') #>> '{product,stripeProductId}' = :'first' AS same;
SELECT billstack.create_product('proj_widgets', 'Again') #>> '{product,stripeProductId}' = :'first' AS same;
-- changed and archived, at Stripe too
SELECT pg_temp.shown(billstack.update_product('proj_widgets', :'cloud', name => 'Nimbus 2', description => '', is_active => false, metadata => '{"new": true}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/prod_[A-Za-z0-9]*/prod_.../'
SELECT pg_temp.shown(billstack.update_product('proj_widgets', :'cloud')) = pg_temp.shown(billstack.get_product('proj_widgets', :'cloud'));
SELECT string_agg(p ->> 'name', ' ') FROM jsonb_array_elements(billstack.list_products('proj_widgets') -> 'products') AS p;
SELECT string_agg(p ->> 'name', ' ') FROM jsonb_array_elements(billstack.list_products('proj_widgets', active_only => false) -> 'products') AS p;
SELECT billstack.update_product('proj_widgets', :'cloud', is_active => true) #> '{product,isActive}';
SELECT billstack.list_products('proj_gadgets');
-- refused
SELECT pg_temp.refusal($$SELECT billstack.create_product(NULL, 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', ' ')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'for 5555-5555-5555-4444')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x', 'paid with 5555-5555-5555-4444')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x', metadata => NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x', metadata => '{"project_id": "x"}')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_none', 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_loose', 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.get_product('proj_widgets', 'pp_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.get_product('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.get_product(NULL, 'pp_none')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.get_product('proj_gadgets', %L)$$, :'cloud'));
SELECT pg_temp.refusal($$SELECT billstack.list_products(NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_products('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_products('proj_none')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.update_product('proj_gadgets', %L, 'x')$$, :'cloud'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_product('proj_widgets', %L, '')$$, :'cloud'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_product('proj_widgets', %L, '4242424242424242')$$, :'cloud'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_product('proj_widgets', %L, description => '4242424242424242')$$, :'cloud'));
SELECT pg_temp.refusal($$SELECT billstack.update_product('proj_widgets', NULL, 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.update_product('proj_widgets', 'pp_none', 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.update_product(NULL, 'pp_none', 'x')$$);
-- adopted, with its prices; project_id is written only where there is none
SELECT pg_temp.shown(jsonb_set(a, '{prices}', (SELECT jsonb_agg(p ORDER BY p ->> 'unitAmount') FROM jsonb_array_elements(a -> 'prices') AS p)))
  FROM billstack.adopt_product('proj_widgets', 'prod_adopt') AS a;
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
SELECT billstack.adopt_product('proj_widgets', 'prod_named') #> '{product,metadata}';
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl --count '^/v1/products/prod_named'
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_widgets', 'prod_adopt')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_gadgets', 'prod_adopt')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_widgets', 'prod_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_widgets', NULL)$$);
-- for a key of one project the products of another one are unknown, whether a row says whose they are or Stripe's metadata
SELECT billstack.create_api_key('shop', 'gadgets', 'proj_gadgets') ->> 'rawKey' AS gadgets_key, billstack.create_api_key('shop', 'widgets', 'proj_widgets') ->> 'rawKey' AS widgets_key \gset
BEGIN;
SELECT billstack.authenticate(:'gadgets_key') ->> 'projectId';
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_gadgets', 'prod_adopt')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_gadgets', 'prod_meant')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_gadgets', 'prod_none')$$);
ROLLBACK;
BEGIN;
SELECT billstack.unlink_project('proj_widgets') IS NOT NULL, billstack.authenticate(:'gadgets_key') ->> 'projectId';
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_gadgets', 'prod_adopt')$$);
ROLLBACK;
BEGIN;
SELECT billstack.authenticate(:'widgets_key') ->> 'projectId';
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_widgets', 'prod_adopt')$$);
SELECT billstack.adopt_product('proj_widgets', 'prod_meant') #>> '{product,name}';
ROLLBACK;
SELECT pg_temp.refusal($$SELECT billstack.adopt_product(NULL, 'prod_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_none', 'prod_adopt')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_loose', 'prod_adopt')$$);
-- prices
SELECT pg_temp.shown(billstack.create_price('proj_widgets', :'cloud', 1900, 'usd', 'month', 2, '{"plan": "gold"}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/prod_[A-Za-z0-9]*/prod_.../'
SELECT pg_temp.shown(billstack.create_price('proj_widgets', :'cloud', 0, 'jpy'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/prod_[A-Za-z0-9]*/prod_.../'
SELECT id AS price FROM billstack_internal.project_price WHERE unit_amount = 1900 \gset
SELECT currency, unit_amount, type, recurring_interval, recurring_interval_count, active, metadata - 'billstack_intent' FROM stripe_team_shop.prices
 WHERE id IN (SELECT stripe_price_id FROM billstack_internal.project_price WHERE product_id = :'cloud') ORDER BY unit_amount;
SELECT pg_temp.shown(billstack.get_price('proj_widgets', :'price'));
SELECT pg_temp.shown(billstack.update_price('proj_widgets', :'price', is_active => false, metadata => '{"other": 1}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/price_[A-Za-z0-9]*/price_.../'
SELECT pg_temp.shown(billstack.update_price('proj_widgets', :'price')) = pg_temp.shown(billstack.get_price('proj_widgets', :'price'));
SELECT string_agg(p ->> 'unitAmount', ' ' ORDER BY (p ->> 'unitAmount')::int) FROM jsonb_array_elements(billstack.list_prices('proj_widgets') -> 'prices') AS p;
SELECT string_agg(p ->> 'unitAmount', ' ' ORDER BY (p ->> 'unitAmount')::int) FROM jsonb_array_elements(billstack.list_prices('proj_widgets', active_only => false) -> 'prices') AS p;
SELECT string_agg(p ->> 'unitAmount', ' ' ORDER BY (p ->> 'unitAmount')::int) FROM jsonb_array_elements(billstack.list_prices('proj_widgets', :'cloud', false) -> 'prices') AS p;
-- refused
SELECT pg_temp.refusal(format($$SELECT billstack.create_price('proj_widgets', %L, %s)$$, :'cloud', terms))
  FROM unnest(ARRAY['-1, ''usd''', '1, ''USD''', '1, ''us''', '1, ''usd'', ''fortnight''', '1, ''usd'', ''month'', 37', '1, ''usd'', ''day'', 0', '1, ''usd'', NULL, 2',
    'NULL, ''usd''', '1, NULL', '1, ''usd'', ''month'', NULL', '1, ''usd'', metadata => NULL', '1, ''usd'', metadata => ''[]''']) AS t (terms);
SELECT pg_temp.refusal($$SELECT billstack.create_price('proj_widgets', NULL, 1, 'usd')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_price('proj_widgets', 'pp_none', 1, 'usd')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.create_price('proj_gadgets', %L, 1, 'usd')$$, :'cloud'));
SELECT pg_temp.refusal($$SELECT billstack.create_price(NULL, 'pp_none', 1, 'usd')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_price('proj_none', 'pp_none', 1, 'usd')$$);
SELECT pg_temp.refusal($$SELECT billstack.get_price('proj_widgets', 'pri_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.get_price('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.get_price(NULL, 'pri_none')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.get_price('proj_gadgets', %L)$$, :'price'));
SELECT pg_temp.refusal($$SELECT billstack.list_prices(NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_prices('proj_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.list_prices('proj_widgets', 'pp_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.list_prices('proj_widgets', active_only => NULL)$$);
SELECT pg_temp.refusal(format($$SELECT billstack.update_price('proj_gadgets', %L, true)$$, :'price'));
SELECT pg_temp.refusal($$SELECT billstack.update_price('proj_widgets', 'pri_none', true)$$);
SELECT pg_temp.refusal($$SELECT billstack.update_price('proj_widgets', NULL, true)$$);
SELECT pg_temp.refusal($$SELECT billstack.update_price(NULL, 'pri_none', true)$$);
BEGIN READ ONLY;
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.update_price('proj_widgets', 'pri_none', true)$$);
COMMIT;
-- what Stripe refuses leaves nothing
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/faults '[{"match":{"method":"POST"},"action":{"status":400,"message":"No"}}]'
SELECT split_part(pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'Refused')$$), E'\n', 1);
SELECT split_part(pg_temp.refusal(format($$SELECT billstack.create_price('proj_widgets', %L, 77, 'usd')$$, :'cloud')), E'\n', 1);
SELECT split_part(pg_temp.refusal(format($$SELECT billstack.update_product('proj_widgets', %L, 'Refused')$$, :'cloud')), E'\n', 1);
\! $PG_ABS_SRCDIR/test/env/sim_post.sh DELETE /_sim/faults ''
SELECT count(*) FROM billstack_internal.project_product WHERE name = 'Refused';
-- rights: app writes, a reader reads, for others there is nothing
SELECT billstack.grant_access('regress_billstack_app', 'app', 'shop') ->> 'changed', billstack.grant_access('regress_billstack_reader', 'reader', 'shop') ->> 'changed';
SELECT billstack.connect('elsewhere', 'sk_test_regressshop00000000000') ->> 'success', billstack.grant_access('regress_billstack_other', 'admin', 'elsewhere') ->> 'changed';
SET ROLE regress_billstack_app;
SELECT billstack.update_product('proj_widgets', :'cloud', 'Of app') #> '{product,name}', billstack.update_price('proj_widgets', :'price', true) #> '{price,isActive}';
SET ROLE regress_billstack_reader;
SELECT billstack.get_product('proj_widgets', :'cloud') #> '{product,name}', billstack.get_price('proj_widgets', :'price') #> '{price,isActive}', jsonb_array_length(billstack.list_prices('proj_widgets', :'cloud') -> 'prices');
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION billstack.create_product(text, text, text, jsonb), billstack.update_price(text, text, boolean, jsonb) TO regress_billstack_reader;
SET ROLE regress_billstack_reader;
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.update_price('proj_widgets', %L, true)$$, :'price'));
SET ROLE regress_billstack_other;
SELECT pg_temp.refusal(format($$SELECT billstack.get_product('proj_widgets', %L)$$, :'cloud'));
SELECT pg_temp.refusal($$SELECT billstack.list_prices('proj_widgets')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_product('proj_widgets', 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.adopt_product('proj_widgets', 'prod_adopt')$$);
RESET ROLE;
SELECT billstack.revoke_access('regress_billstack_app', 'app', 'shop') ->> 'changed', billstack.revoke_access('regress_billstack_reader', 'reader', 'shop') ->> 'changed',
       billstack.revoke_access('regress_billstack_other', 'admin', 'elsewhere') ->> 'changed';
\set ECHO none
DELETE FROM billstack_internal.api_key WHERE team = 'shop';
DELETE FROM billstack_internal.project_price;
DELETE FROM billstack_internal.project_product;
DELETE FROM billstack_internal.project;
SELECT billstack.disconnect('shop'), billstack.disconnect('elsewhere') \g /dev/null
DROP OWNED BY regress_billstack_app, regress_billstack_reader, regress_billstack_other;
DROP ROLE regress_billstack_app, regress_billstack_reader, regress_billstack_other;
