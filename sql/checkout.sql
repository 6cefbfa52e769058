-- Checkout and portal sessions: what is sent, what is answered, and every refusal.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/make '{"kind":"customer","fields":{"id":"cus_checkoutann","email":"ann@example.com"}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/make '{"kind":"product","fields":{"id":"prod_checkoutgold","name":"Gold","active":true}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/make '{"kind":"price","fields":{"id":"price_checkoutmonthly","product":"prod_checkoutgold","active":true,"currency":"usd","unit_amount":2000,"type":"recurring"}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/make '{"kind":"price","fields":{"id":"price_checkoutonce","product":"prod_checkoutgold","active":true,"currency":"usd","unit_amount":500,"type":"one_time","recurring":null}}'
SELECT billstack.connect('shop', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.create_project('shop', 'Shop', id => 'proj_shop');
SELECT billstack.create_project('shop', 'Loose', integration => NULL, id => 'proj_loose');
SELECT billstack.create_project('shop', 'Other', id => 'proj_other');
-- as the functions that make them would
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link, stale, deleted_at)
VALUES ('pc_ann', 'proj_shop', 'ann@example.com', 'cus_checkoutann', 'created', false, NULL),
       ('pc_gone', 'proj_shop', 'gone@example.com', 'cus_checkoutgone', 'created', false, now()),
       ('pc_lost', 'proj_shop', 'lost@example.com', 'cus_checkoutlost', 'created', false, NULL),
       ('pc_stale', 'proj_shop', 'stale@example.com', 'cus_checkoutstale', 'created', true, NULL),
       ('pc_loose', 'proj_loose', 'ann@example.com', 'cus_checkoutann', 'created', false, NULL),
       ('pc_other', 'proj_other', 'ann@example.com', 'cus_checkoutann', 'created', false, NULL);
INSERT INTO billstack_internal.project_product (id, project_id, name, stripe_product_id, is_active, stale)
VALUES ('pp_gold', 'proj_shop', 'Gold', 'prod_checkoutgold', true, false),
       ('pp_off', 'proj_shop', 'Off', 'prod_checkoutoff', false, false),
       ('pp_stale', 'proj_shop', 'Stale', 'prod_checkoutstale', true, true);
INSERT INTO billstack_internal.project_price (id, project_id, product_id, unit_amount, currency, recurring_interval, interval_count, is_active, stripe_price_id, stale)
VALUES ('pri_monthly', 'proj_shop', 'pp_gold', 2000, 'usd', 'month', 1, true, 'price_checkoutmonthly', false),
       ('pri_once', 'proj_shop', 'pp_gold', 500, 'usd', NULL, NULL, true, 'price_checkoutonce', false),
       ('pri_off', 'proj_shop', 'pp_gold', 500, 'usd', NULL, NULL, false, 'price_checkoutoff', false),
       ('pri_ofoff', 'proj_shop', 'pp_off', 500, 'usd', NULL, NULL, true, 'price_checkoutofoff', false),
       ('pri_stale', 'proj_shop', 'pp_gold', 500, 'usd', NULL, NULL, true, 'price_checkoutstale', true),
       ('pri_ofstale', 'proj_shop', 'pp_stale', 500, 'usd', NULL, NULL, true, 'price_checkoutofstale', false);
CREATE FUNCTION pg_temp.buy(more text, customer text DEFAULT 'pc_ann', price text DEFAULT 'pri_monthly', project text DEFAULT 'proj_shop')
RETURNS text LANGUAGE sql AS $$ SELECT format('SELECT billstack.create_checkout(%L, %L, %L%s)', project, customer, price,
    CASE WHEN more LIKE '%success_url%' THEN ', ' || more
         ELSE ', ''https://shop.example/ok?s={CHECKOUT_SESSION_ID}'', ''https://shop.example/no''' || CASE WHEN more <> '' THEN ', ' || more ELSE '' END END) $$;
-- What Stripe was asked, newest last: without the write's own mark.
CREATE FUNCTION pg_temp.shown(answer jsonb) RETURNS text LANGUAGE sql AS
    $$ SELECT concat(left(answer ->> 'sessionId', 4), ' ', regexp_replace(answer ->> 'url', '^(https://[a-z.]+/).*', '\1')) $$;

-- a subscription
SELECT pg_temp.shown(billstack.create_checkout('proj_shop', 'pc_ann', 'pri_monthly', 'https://shop.example/ok?s={CHECKOUT_SESSION_ID}', 'https://shop.example/no',
    quantity => 3, trial_days => 14, metadata => '{"order": 7, "plan": "gold", "vip": true}'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
-- the session is in the mirror before the function returns
SELECT mode, status, payment_status, customer, success_url, metadata - 'billstack_intent' AS metadata, metadata ? 'billstack_intent' AS marked
  FROM stripe_team_shop.checkout_sessions;
-- a payment, over http too
SELECT pg_temp.shown(billstack.create_checkout('proj_shop', 'pc_ann', 'pri_once', 'http://localhost:3000/ok', 'https://shop.example/no', mode => 'payment', trial_days => 0));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
-- a payment method
SELECT pg_temp.shown(billstack.create_setup_checkout('proj_shop', 'pc_ann', 'https://shop.example/ok', 'https://shop.example/no'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
-- the portal
SELECT pg_temp.shown(billstack.create_portal_session('proj_shop', 'pc_ann', 'https://shop.example/account'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
-- one key, one session; each call without one is a session of its own
SELECT count(DISTINCT billstack.create_checkout('proj_shop', 'pc_ann', 'pri_monthly', 'https://shop.example/ok', 'https://shop.example/no', idempotency_key => 'order-1') ->> 'sessionId')
  FROM generate_series(1, 3);
SELECT pg_temp.refused(pg_temp.buy($$quantity => 2, idempotency_key => 'order-1'$$), false);

-- URLs
SELECT pg_temp.refused(pg_temp.buy($$success_url => NULL, cancel_url => 'https://x.example'$$));
SELECT pg_temp.refused(pg_temp.buy($$success_url => 'https://x.example', cancel_url => NULL$$));
SELECT pg_temp.refused(pg_temp.buy(format('success_url => %L, cancel_url => %L', url, 'https://x.example')))
  FROM unnest(ARRAY['', '/ok', 'x.example/ok', 'ftp://x.example', 'https://', 'https:///ok', 'https://x.example/a b', E'https://x.example/\n', 'javascript:alert(1)', 'https://x.example/' || repeat('x', 4983)]) AS url;
SELECT pg_temp.refused(pg_temp.buy($$success_url => 'https://x.example', cancel_url => 'nowhere'$$));
SELECT length('https://x.example/' || repeat('x', 4982)), pg_temp.shown(billstack.create_setup_checkout('proj_shop', 'pc_ann', 'https://x.example/' || repeat('x', 4982), 'https://x.example'));
-- mode, quantity, trial
SELECT pg_temp.refused(pg_temp.buy(more))
  FROM unnest(ARRAY['mode => NULL', $$mode => 'setup'$$, $$mode => 'Payment'$$, $$mode => 'payment'$$, 'quantity => NULL', 'quantity => 0', 'quantity => -1', 'quantity => 1000000', 'trial_days => -1', 'trial_days => 731']) AS more;
SELECT pg_temp.refused(pg_temp.buy($$mode => 'payment', trial_days => 7$$, price => 'pri_once'));
SELECT pg_temp.refused(pg_temp.buy('', price => 'pri_once'));
SELECT pg_temp.shown(billstack.create_checkout('proj_shop', 'pc_ann', 'pri_monthly', 'https://x.example', 'https://x.example', quantity => 999999, trial_days => 730));
-- prices and products
SELECT pg_temp.refused(pg_temp.buy($$mode => 'payment'$$, price => price))
  FROM unnest(ARRAY['pri_off', 'pri_ofoff', 'pri_stale', 'pri_ofstale', 'pri_none', 'price_checkoutonce', NULL]) AS price;
-- customers
SELECT pg_temp.refused(pg_temp.buy('', customer => customer))
  FROM unnest(ARRAY['pc_gone', 'pc_stale', 'pc_other', 'pc_none', 'cus_checkoutann', NULL]) AS customer;
-- Stripe does not know the customer any more
SELECT pg_temp.refused(pg_temp.buy('', customer => 'pc_lost'), false);
-- projects
SELECT pg_temp.refused(pg_temp.buy('', customer => 'pc_loose', project => project))
  FROM unnest(ARRAY['proj_loose', 'proj_none', NULL]) AS project;
-- metadata
SELECT pg_temp.refused(pg_temp.buy(format('metadata => %L', metadata)))
  FROM unnest(ARRAY['[]', '{"project_id": "proj_other"}', '{"billstack_intent": "x"}', '{"a": {"b": 1}}', '{"a": null}', '{"": "x"}', '{"a[b]": "x"}',
                    jsonb_build_object('a', repeat('x', 501))::text, (SELECT jsonb_object_agg('k' || i, i)::text FROM generate_series(1, 49) AS i)]) AS metadata;
-- setup and portal check the same
SELECT pg_temp.refused($$SELECT billstack.create_setup_checkout('proj_shop', 'pc_gone', 'https://x.example', 'https://x.example')$$);
SELECT pg_temp.refused($$SELECT billstack.create_setup_checkout('proj_shop', 'pc_ann', 'x', 'https://x.example')$$);
SELECT pg_temp.refused($$SELECT billstack.create_setup_checkout('proj_shop', 'pc_ann', 'https://x.example', 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.create_portal_session('proj_shop', 'pc_stale', 'https://x.example')$$);
SELECT pg_temp.refused($$SELECT billstack.create_portal_session('proj_shop', 'pc_ann', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.create_portal_session('proj_loose', 'pc_loose', 'https://x.example')$$);
-- rights
CREATE ROLE regress_checkout_app;
CREATE ROLE regress_checkout_reader;
SELECT billstack.grant_access('regress_checkout_app', 'app', 'shop'), billstack.grant_access('regress_checkout_reader', 'reader', 'shop');
SET ROLE regress_checkout_app;
SELECT pg_temp.shown(billstack.create_portal_session('proj_shop', 'pc_ann', 'https://shop.example/account'));
SET ROLE regress_checkout_reader;
SELECT pg_temp.refused(pg_temp.buy(''));
RESET ROLE;
BEGIN READ ONLY;
SELECT pg_temp.refused(pg_temp.buy(''));
ROLLBACK;
-- of the refused only the lost customer reached Stripe
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl --count "^/v1/(checkout|billing_portal)/"
\set ECHO none
DELETE FROM billstack_internal.project_price;
DELETE FROM billstack_internal.project_product;
DELETE FROM billstack_internal.project_customer;
DELETE FROM billstack_internal.project;
SELECT billstack.disconnect('shop') \g /dev/null
