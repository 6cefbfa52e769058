-- create_customer, get_customer, list_customers, update_customer, delete_customer, assign_customers.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
SET client_min_messages = warning;
CREATE ROLE regress_billstack_app;
CREATE ROLE regress_billstack_reader;
CREATE ROLE regress_billstack_hook;
CREATE ROLE regress_billstack_other;
-- Made ids differ each time.
CREATE FUNCTION pg_temp.shown(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(answer::text, '(pc|pp|pri|ps)_[A-Za-z0-9]{16}', '\1_...', 'g'),
        '(cus|prod|price)_[A-Za-z0-9]{14,}', '\1_...', 'g'), '"(createdAt|updatedAt)": "[^"]*Z"', '"\1": "..."', 'g') $$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(pg_temp.refused(statement), '(pc|pp|pri|ps)_[A-Za-z0-9]{16}', '\1_...', 'g') $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('shop', 'sk_test_regressshop00000000000') ->> 'success';
-- three customers with one e-mail, and one at Stripe only
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_younger","email":"twin@example.com","name":"Younger","created":1650000000,"metadata":{}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_older","email":"Twin@Example.com","name":"Older","created":1600000000,"metadata":{"kept":"yes"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_carries","email":"twin@example.com","name":"Carries","created":1700000000,"metadata":{"project_id":"proj_gadgets"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_bare","email":"bare@example.com","name":"Bare","created":1700000001,"metadata":{}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_named","email":"named@example.com","name":"Named","created":1700000002,"metadata":{"project_id":"proj_widgets"}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_ours","email":"ours@example.com","name":"Ours","created":1700000003,"metadata":{"project_id":"proj_gadgets"}}}'
CALL billstack.run_backfill('shop') \g /dev/null
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST '/_sim/make?account=acct_RegressShop0004' '{"kind":"customer","fields":{"id":"cus_atstripe","email":"late@example.com","name":"Late","created":1700000000,"metadata":{}},"events":false}'
SELECT billstack.create_project('shop', 'Widgets', id => 'proj_widgets') IS NOT NULL, billstack.create_project('shop', 'Gadgets', id => 'proj_gadgets') IS NOT NULL,
       billstack.create_project('shop', 'Loose', integration => NULL, id => 'proj_loose') IS NOT NULL;
-- a new customer is made at Stripe, with the project's id, and is in the mirror at once
SELECT pg_temp.shown(billstack.create_customer('proj_widgets', 'Grace@example.com', 'Ada', '{"plan": "gold", "seats": 3, "vip": true}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
SELECT email, name, metadata - 'billstack_intent', metadata ? 'billstack_intent' FROM stripe_team_shop.customers WHERE email = 'Grace@example.com';
SELECT id AS ada, stripe_customer_id AS cus_ada FROM billstack_internal.project_customer WHERE email = 'Grace@example.com' \gset
-- undone and done again: the same Stripe customer
BEGIN;
SELECT billstack.create_customer('proj_widgets', 'again@example.com') #>> '{customer,stripeCustomerId}' AS first \gset
ROLLBACK;
SELECT billstack.create_customer('proj_widgets', 'again@example.com') #>> '{customer,stripeCustomerId}' = :'first' AS same;
-- six at once: one makes it, the others are told
\setenv PGDATABASE :DBNAME
\! for i in 1 2 3 4 5 6; do psql -XAtq -v VERBOSITY=sqlstate -c "SELECT billstack.create_customer('proj_widgets', 'Race@example.com') #> '{customer,link}'" 2>&1 & done | sort
SELECT count(*) FROM stripe_team_shop.customers WHERE email = 'Race@example.com';
-- an existing one is linked: of several the oldest, that of the project before it; named by what is in the call
SELECT pg_temp.shown(billstack.create_customer('proj_widgets', 'TWIN@example.com', metadata => '{"mine": 1}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
SELECT id, metadata FROM stripe_team_shop.customers WHERE lower(email) = 'twin@example.com' ORDER BY id;
SELECT pg_temp.shown(billstack.create_customer('proj_gadgets', 'twin@example.com', 'Mine'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl --count '^/v1/customers/cus_carries'
-- one that only Stripe has yet
SELECT pg_temp.shown(billstack.create_customer('proj_widgets', 'Late@example.com'));
SELECT name, metadata FROM stripe_team_shop.customers WHERE id = 'cus_atstripe';
-- refused
SELECT pg_temp.refusal($$SELECT billstack.create_customer(NULL, 'x@example.com')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'x@example.com', metadata => NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_none', 'x@example.com')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_loose', 'x@example.com')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'GRACE@example.com')$$);
SELECT email, split_part(pg_temp.refusal(format($$SELECT billstack.create_customer('proj_widgets', %L)$$, email)), ':', 1)
  FROM unnest(ARRAY['', 'ada', '@example.com', 'a@b', 'a@b.', 'a@.c', 'a@b..c', 'a b@c.de', 'a@b@c.de', E'a@b.c\n', '<a@b.cd>', repeat('x', 250) || '@b.cd']) AS e (email);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'no address')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'x@example.com', ' ')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'x@example.com', 'Ada 4242 4242 4242 4242')$$);
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', '4242424242424242@example.com')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.create_customer('proj_widgets', 'x@example.com', metadata => %L)$$, metadata))
  FROM unnest(ARRAY['[]', '{"a": null}', '{"a": {"b": 1}}', '{"project_id": "proj_gadgets"}', '{"billstack_intent": "x"}', '{"card": "4242 4242 4242 4242"}']) AS m (metadata);
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/faults '[{"match":{"method":"POST","path":"^/v1/customers"},"action":{"status":400,"message":"Invalid email address"}}]'
SELECT regexp_replace(pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'refused@example.com')$$), 'req_\w+|DETAIL.*|HINT.*', '', 'g');
\! $PG_ABS_SRCDIR/test/env/sim_post.sh DELETE /_sim/faults ''
SELECT count(*) FROM billstack_internal.project_customer WHERE email = 'refused@example.com';
BEGIN READ ONLY;
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_widgets', 'x@example.com')$$);
SELECT jsonb_array_length(billstack.list_customers('proj_widgets') -> 'customers');
COMMIT;
-- read
SELECT pg_temp.shown(billstack.get_customer('proj_widgets', :'ada')) = pg_temp.shown(jsonb_build_object('customer', billstack.list_customers('proj_widgets', 1, 4) #> '{customers,0}'));
SELECT string_agg(c ->> 'email', ' ') FROM jsonb_array_elements(billstack.list_customers('proj_widgets') -> 'customers') AS c;
SELECT string_agg(c ->> 'email', ' ') FROM jsonb_array_elements(billstack.list_customers('proj_widgets', 2, 1) -> 'customers') AS c;
SELECT billstack.list_customers('proj_loose');
SELECT pg_temp.refusal($$SELECT billstack.get_customer('proj_widgets', 'pc_none')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.get_customer('proj_gadgets', %L)$$, :'ada'));
SELECT pg_temp.refusal($$SELECT billstack.get_customer('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.get_customer(NULL, 'pc_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.get_customer('proj_none', 'pc_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.list_customers(NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_widgets', 0)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_widgets', 1001)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_widgets', 1, -1)$$);
-- changed: NULL keeps; metadata replaces and what is left out is unset at Stripe, but never project_id
SELECT pg_temp.shown(billstack.update_customer('proj_widgets', :'ada', email => 'countess@example.com', metadata => '{"plan": "silver"}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/cus_[A-Za-z0-9]*/cus_.../'
SELECT email, name, metadata - 'billstack_intent' FROM stripe_team_shop.customers WHERE id = :'cus_ada';
SELECT pg_temp.shown(billstack.update_customer('proj_widgets', :'ada')) = pg_temp.shown(billstack.get_customer('proj_widgets', :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, 'LATE@example.com')$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, 'nonsense')$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, name => '')$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, name => '378282246310005')$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, '378282246310005@example.com')$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, metadata => '{"project_id": "x"}')$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_gadgets', %L, name => 'x')$$, :'ada'));
SELECT pg_temp.refusal($$SELECT billstack.update_customer('proj_widgets', NULL, name => 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.update_customer(NULL, 'pc_none', name => 'x')$$);
SELECT pg_temp.refusal($$SELECT billstack.update_customer('proj_none', 'pc_none', name => 'x')$$);
-- deleted: not while a subscription lives; the e-mail is free again and Stripe's customer is found
INSERT INTO billstack_internal.project_subscription (id, integration_id, stripe_subscription_id, project_id, customer_id, status, created_at)
SELECT 'ps_live', integration_id, 'sub_live', 'proj_widgets', :'ada', 'past_due', now() FROM billstack_internal.project WHERE id = 'proj_widgets';
SELECT pg_temp.refusal(format($$SELECT billstack.delete_customer('proj_widgets', %L)$$, :'ada'));
UPDATE billstack_internal.project_subscription SET status = 'canceled' WHERE id = 'ps_live';
SELECT pg_temp.refusal(format($$SELECT billstack.delete_customer('proj_gadgets', %L)$$, :'ada'));
SELECT billstack.delete_customer('proj_widgets', :'ada');
SELECT pg_temp.refusal(format($$SELECT billstack.delete_customer('proj_widgets', %L)$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.get_customer('proj_widgets', %L)$$, :'ada'));
SELECT pg_temp.refusal(format($$SELECT billstack.update_customer('proj_widgets', %L, name => 'x')$$, :'ada'));
SELECT pg_temp.refusal($$SELECT billstack.delete_customer('proj_widgets', NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.delete_customer(NULL, 'pc_none')$$);
SELECT c ->> 'id' <> :'ada' AS other, c ->> 'stripeCustomerId' = :'cus_ada' AS same, c -> 'link' FROM billstack.create_customer('proj_widgets', 'countess@example.com') AS a, LATERAL (SELECT a -> 'customer') AS b (c);
-- for a key of one project the customers of another one are unknown, whether a row says whose they are or Stripe's metadata
SELECT billstack.create_api_key('shop', 'gadgets', 'proj_gadgets') ->> 'rawKey' AS gadgets_key, billstack.create_api_key('shop', 'team') ->> 'rawKey' AS team_key \gset
SELECT billstack.assign_customers('proj_widgets', ARRAY['cus_bare']) -> 'assigned';
BEGIN;
SELECT billstack.authenticate(:'gadgets_key') ->> 'projectId';
SELECT billstack.assign_customers('proj_gadgets', ARRAY['cus_bare', 'cus_named', 'cus_nowhere', 'cus_ours']);
SELECT pg_temp.shown(billstack.assign_customers('proj_gadgets', ARRAY['cus_ours', 'cus_bare']));
SELECT (billstack.assign_customers('proj_gadgets') -> 'assigned')::int > 0;
SELECT string_agg(stripe_customer_id, ' ' ORDER BY 1) FROM billstack_internal.project_customer WHERE project_id = 'proj_gadgets' AND stripe_customer_id IN ('cus_bare', 'cus_named', 'cus_ours', 'cus_younger');
ROLLBACK;
BEGIN;
SELECT billstack.unlink_project('proj_widgets') IS NOT NULL;
SELECT billstack.authenticate(:'gadgets_key') ->> 'projectId';
SELECT billstack.assign_customers('proj_gadgets', ARRAY['cus_bare']);
ROLLBACK;
-- not for a key of the team, nor without one; what was given up is free
BEGIN;
SELECT billstack.authenticate(:'team_key') ->> 'team';
SELECT billstack.assign_customers('proj_gadgets', ARRAY['cus_bare', 'cus_named']);
ROLLBACK;
SELECT id AS bare FROM billstack_internal.project_customer WHERE stripe_customer_id = 'cus_bare' \gset
BEGIN;
SELECT billstack.delete_customer('proj_widgets', :'bare') -> 'success', billstack.authenticate(:'gadgets_key') ->> 'projectId';
SELECT billstack.assign_customers('proj_gadgets', ARRAY['cus_bare']);
ROLLBACK;
-- assigned in bulk, without a call
SELECT pg_temp.shown(billstack.assign_customers('proj_gadgets', ARRAY['cus_younger', 'cus_younger', 'cus_carries', 'cus_none', 'prod_x']) #- '{skipped,1,reason}');
SELECT pg_temp.shown(billstack.assign_customers('proj_gadgets', ARRAY['cus_younger', 'cus_carries', 'cus_atstripe', 'cus_older']));
SELECT email, name, stripe_customer_id, metadata, link FROM billstack_internal.project_customer WHERE link = 'assigned' ORDER BY email;
SELECT billstack.assign_customers('proj_gadgets', '{}');
SELECT count(*) AS free FROM stripe_team_shop.customers WHERE id NOT IN (SELECT stripe_customer_id FROM billstack_internal.project_customer WHERE deleted_at IS NULL) \gset
SELECT (a ->> 'assigned')::int + (a ->> 'skippedCount')::int = :free, pg_temp.shown(a -> 'skipped') FROM billstack.assign_customers('proj_widgets') AS a;
SELECT billstack.assign_customers('proj_widgets') -> 'assigned';
SELECT pg_temp.refusal($$SELECT billstack.assign_customers(NULL)$$);
SELECT pg_temp.refusal($$SELECT billstack.assign_customers('proj_none')$$);
SELECT pg_temp.refusal($$SELECT billstack.assign_customers('proj_loose')$$);
SELECT pg_temp.refusal($$SELECT billstack.assign_customers('proj_widgets', ARRAY[NULL])$$);
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl --count '^/v1/customers/cus_younger'
-- rights: app writes, a reader reads, for others there is nothing
SELECT billstack.grant_access('regress_billstack_app', 'app', 'shop') ->> 'changed', billstack.grant_access('regress_billstack_reader', 'reader', 'shop') ->> 'changed',
       billstack.grant_access('regress_billstack_hook', 'webhook', 'shop') ->> 'changed';
SELECT billstack.connect('elsewhere', 'sk_test_regressshop00000000000') ->> 'success', billstack.grant_access('regress_billstack_other', 'admin', 'elsewhere') ->> 'changed';
SET ROLE regress_billstack_app;
SELECT billstack.create_customer('proj_gadgets', 'ofapp@example.com') #>> '{customer,id}' AS ofapp \gset
SELECT billstack.update_customer('proj_gadgets', :'ofapp', name => 'Of app') #> '{customer,name}', billstack.delete_customer('proj_gadgets', :'ofapp'), billstack.assign_customers('proj_gadgets', '{}') -> 'assigned';
SET ROLE regress_billstack_reader;
SELECT jsonb_array_length(billstack.list_customers('proj_gadgets') -> 'customers');
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_gadgets', 'x@example.com')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION billstack.create_customer(text, text, text, jsonb), billstack.delete_customer(text, text) TO regress_billstack_reader;
GRANT EXECUTE ON FUNCTION billstack.list_customers(text, int, int) TO regress_billstack_hook;
SET ROLE regress_billstack_reader;
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_gadgets', 'x@example.com')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.delete_customer('proj_gadgets', %L)$$, :'ofapp'));
SET ROLE regress_billstack_hook;
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_gadgets')$$);
SET ROLE regress_billstack_other;
SELECT pg_temp.refusal($$SELECT billstack.list_customers('proj_gadgets')$$);
SELECT pg_temp.refusal(format($$SELECT billstack.get_customer('proj_gadgets', %L)$$, :'ofapp'));
SELECT pg_temp.refusal($$SELECT billstack.create_customer('proj_gadgets', 'x@example.com')$$);
SELECT pg_temp.refusal($$SELECT billstack.assign_customers('proj_gadgets')$$);
RESET ROLE;
SELECT billstack.revoke_access('regress_billstack_app', 'app', 'shop') ->> 'changed', billstack.revoke_access('regress_billstack_reader', 'reader', 'shop') ->> 'changed',
       billstack.revoke_access('regress_billstack_hook', 'webhook', 'shop') ->> 'changed', billstack.revoke_access('regress_billstack_other', 'admin', 'elsewhere') ->> 'changed';
\set ECHO none
DELETE FROM billstack_internal.api_key WHERE team = 'shop';
DELETE FROM billstack_internal.project_subscription;
DELETE FROM billstack_internal.project_customer;
DELETE FROM billstack_internal.project;
SELECT billstack.disconnect('shop'), billstack.disconnect('elsewhere') \g /dev/null
DROP OWNED BY regress_billstack_app, regress_billstack_reader, regress_billstack_hook, regress_billstack_other;
DROP ROLE regress_billstack_app, regress_billstack_reader, regress_billstack_hook, regress_billstack_other;
