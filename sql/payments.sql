-- Payments of a project and their refunds: what Stripe is sent, what is answered, and every refusal.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
CREATE FUNCTION pg_temp.shown(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(answer::text, '"(ps|pc|pri|pp|pinv|ppay|sub|in|pi|ch|re)_[A-Za-z0-9]+"', '"\1_..."', 'g'),
        '"\d{4}-\d\d-\d\dT[0-9:.]+Z"', '"time"', 'g') $$;
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('pays', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.create_project('pays', 'Pays', id => 'proj_pays') #>> '{project,id}', billstack.create_project('pays', 'Rest', id => 'proj_paysrest') #>> '{project,id}';
SELECT billstack.create_customer('proj_pays', 'pay.ann@example.com') #>> '{customer,id}' AS ann \gset
SELECT billstack.create_product('proj_pays', 'Gold') #>> '{product,id}' AS gold \gset
SELECT billstack.create_price('proj_pays', :'gold', 1500, 'usd') #>> '{price,id}' AS once \gset
SELECT billstack.create_checkout('proj_pays', :'ann', :'once', 'https://x.example', 'https://x.example', mode => 'payment') ->> 'sessionId' AS session \gset
\setenv SESSION :session
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/checkout/$SESSION/complete '{}'
SELECT stripe_customer_id AS cus FROM billstack_internal.project_customer WHERE id = :'ann' \gset
\setenv CUS :cus
-- one that failed, and a charge without an intent
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/make '{"kind":"payment_intent","fields":{"id":"pi_payfailed","customer":"'$CUS'","amount":700,"amount_received":0,"currency":"usd","status":"requires_payment_method","latest_charge":null,"last_payment_error":{"code":"card_declined","message":"Your card was declined."}}}'
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/make '{"kind":"charge","fields":{"id":"ch_payalone","customer":"'$CUS'","amount":300,"amount_captured":300,"amount_refunded":0,"captured":true,"paid":true,"currency":"usd","status":"succeeded","payment_intent":null,"failure_code":null,"failure_message":null,"invoice":null}}'
SET client_min_messages = warning;
CALL billstack.run_backfill('pays', ARRAY['payment_intent', 'charge']) \g /dev/null
RESET client_min_messages;
SELECT pg_temp.shown(value - 'createdAt' - 'updatedAt') FROM jsonb_array_elements(billstack.list_payments('proj_pays') -> 'payments') ORDER BY value ->> 'amount';
SELECT id AS paid FROM billstack_internal.project_payment WHERE project_id = 'proj_pays' AND amount = 1500 \gset
SELECT id AS failed FROM billstack_internal.project_payment WHERE project_id = 'proj_pays' AND amount = 700 \gset
SELECT id AS alone FROM billstack_internal.project_payment WHERE project_id = 'proj_pays' AND amount = 300 \gset
SELECT jsonb_array_length(billstack.list_payments('proj_pays', max_rows => 2) -> 'payments'), jsonb_array_length(billstack.list_payments('proj_pays', skip_rows => 2) -> 'payments'), billstack.list_payments('proj_paysrest');

-- a part
SELECT pg_temp.shown(billstack.create_refund('proj_pays', :'paid', 500, 'requested_by_customer'));
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed -E 's/(pi|re)_[A-Za-z0-9]+/\1_.../'
-- it is in the payment before the function returns
SELECT amount_refunded FROM billstack_internal.project_payment WHERE id = :'paid';
-- one key, one refund
SELECT count(DISTINCT billstack.create_refund('proj_pays', :'paid', 400, idempotency_key => 'refund-1') #>> '{refund,id}') FROM generate_series(1, 3);
SELECT amount_refunded FROM billstack_internal.project_payment WHERE id = :'paid';
SELECT pg_temp.refused(format('SELECT billstack.create_refund(%L, %L, 300, idempotency_key => %L)', 'proj_pays', :'paid', 'refund-1')) <> 'not refused';
-- the rest
SELECT billstack.create_refund('proj_pays', :'paid') #>> '{refund,amount}';
SELECT amount, amount_refunded FROM billstack_internal.project_payment WHERE id = :'paid';
SELECT left(pg_temp.refused(format('SELECT billstack.create_refund(%L, %L)', 'proj_pays', :'paid'), false), 6);
-- by the charge
SELECT billstack.create_refund('proj_pays', :'alone', reason => 'duplicate') #>> '{refund,reason}';
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl
SELECT amount_refunded FROM billstack_internal.project_payment WHERE id = :'alone';

-- refusals
SELECT replace(pg_temp.refused(format('SELECT billstack.create_refund(%L, %L%s)', 'proj_pays', :'paid', more)), :'paid', 'ppay_paid')
  FROM unnest(ARRAY[', 0', ', -1', ', 1501', ', reason => ''spite''', ', idempotency_key => ''''', ', idempotency_key => repeat(''x'', 201)']) AS more;
SELECT replace(pg_temp.refused(format('SELECT billstack.create_refund(%L, %L)', 'proj_pays', :'failed')), :'failed', 'ppay_failed');
SELECT replace(pg_temp.refused(format('SELECT billstack.create_refund(%L, %L)', project, id)), :'paid', 'ppay_paid')
  FROM (VALUES ('proj_paysrest', :'paid'), ('proj_pays', 'ppay_none'), ('proj_pays', NULL), (NULL, :'paid'), ('proj_nowhere', :'paid')) AS v (project, id);
BEGIN;
UPDATE billstack_internal.project_payment SET stale = true WHERE id = :'paid';
SELECT replace(pg_temp.refused(format('SELECT billstack.create_refund(%L, %L)', 'proj_pays', :'paid')), :'paid', 'ppay_paid');
ROLLBACK;
SELECT pg_temp.refused('SELECT billstack.list_payments(''proj_pays''' || more || ')') FROM unnest(ARRAY[', ''pc_none''', ', max_rows => 1001', ', skip_rows => NULL']) AS more;
\set ECHO none
DELETE FROM billstack_internal.project_subscription;
DELETE FROM billstack_internal.project_invoice;
DELETE FROM billstack_internal.project_payment;
DELETE FROM billstack_internal.project_price;
DELETE FROM billstack_internal.project_product;
DELETE FROM billstack_internal.project_customer;
DELETE FROM billstack_internal.project;
SELECT billstack.disconnect('pays') \g /dev/null
