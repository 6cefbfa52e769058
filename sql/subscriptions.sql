-- Subscriptions and invoices of a project: lists, changes, what Stripe is sent, and every refusal.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
-- Ids and times differ from run to run.
CREATE FUNCTION pg_temp.shown(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(answer::text, 'SIM-\w+|in_\w+/?', '...', 'g'), '"(ps|pc|pri|pp|pinv|ppay|sub|in|pi|ch|re)_[A-Za-z0-9]+"', '"\1_..."', 'g'),
        '"\d{4}-\d\d-\d\dT[0-9:.]+Z"', '"time"', 'g') $$;
CREATE FUNCTION pg_temp.id_of(list jsonb, place integer DEFAULT 0) RETURNS text LANGUAGE sql AS
    $$ SELECT (SELECT value -> place ->> 'id' FROM jsonb_each(list)) $$;
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('subs', 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.create_project('subs', 'Subs', id => 'proj_subs') #>> '{project,id}', billstack.create_project('subs', 'Rest', id => 'proj_subsrest') #>> '{project,id}';
SELECT billstack.create_customer('proj_subs', 'sub.ann@example.com') #>> '{customer,id}' AS ann, billstack.create_customer('proj_subs', 'sub.bob@example.com') #>> '{customer,id}' AS bob \gset
SELECT billstack.create_product('proj_subs', 'Gold') #>> '{product,id}' AS gold \gset
SELECT billstack.create_price('proj_subs', :'gold', 2000, 'usd', 'month') #>> '{price,id}' AS monthly, billstack.create_price('proj_subs', :'gold', 20000, 'usd', 'year') #>> '{price,id}' AS yearly,
       billstack.create_price('proj_subs', :'gold', 500, 'usd') #>> '{price,id}' AS once, billstack.create_price('proj_subs', :'gold', 900, 'usd', 'month') #>> '{price,id}' AS off \gset
SELECT billstack.update_price('proj_subs', :'off', is_active => false) #>> '{price,isActive}';

-- bought, and copied
SELECT billstack.list_subscriptions('proj_subs');
SELECT billstack.create_checkout('proj_subs', :'ann', :'monthly', 'https://x.example', 'https://x.example', quantity => 2, metadata => '{"seat": "a"}') ->> 'sessionId' AS session \gset
\setenv SESSION :session
\! $PG_ABS_SRCDIR/test/env/sim_post.sh POST /_sim/checkout/$SESSION/complete '{}'
SET client_min_messages = warning;
CALL billstack.run_backfill('subs', ARRAY['subscription', 'invoice', 'invoice_payment', 'payment_intent', 'charge']) \g /dev/null
RESET client_min_messages;
SELECT pg_temp.shown(billstack.list_subscriptions('proj_subs'));
SELECT pg_temp.id_of(billstack.list_subscriptions('proj_subs')) AS sub \gset
SELECT pg_temp.shown(billstack.get_subscription('proj_subs', :'sub'));
SELECT mrr, mrr_discounted, metadata_project, routed_by FROM billstack_internal.project_subscription WHERE id = :'sub';
SELECT s.customer_id = :'ann', s.price_id = :'monthly' FROM billstack_internal.project_subscription AS s WHERE id = :'sub';
SELECT pg_temp.shown(billstack.list_invoices('proj_subs'));
SELECT pg_temp.shown(billstack.list_payments('proj_subs'));
-- by customer, by project, by page
SELECT jsonb_array_length(billstack.list_subscriptions('proj_subs', :'ann') -> 'subscriptions'), jsonb_array_length(billstack.list_subscriptions('proj_subs', :'bob') -> 'subscriptions'),
       jsonb_array_length(billstack.list_invoices('proj_subs', :'ann') -> 'invoices'), jsonb_array_length(billstack.list_payments('proj_subs', :'bob') -> 'payments'),
       billstack.list_subscriptions('proj_subsrest'), jsonb_array_length(billstack.list_subscriptions('proj_subs', skip_rows => 1) -> 'subscriptions');

-- to end with its period, and on again
SELECT pg_temp.shown(billstack.update_subscription('proj_subs', :'sub', cancel_at_period_end => true) -> 'subscription' -> 'cancelAtPeriodEnd');
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/sub_[A-Za-z0-9]*/sub_.../'
SELECT pg_temp.shown(billstack.update_subscription('proj_subs', :'sub', cancel_at_period_end => false) -> 'subscription' -> 'cancelAtPeriodEnd');
-- another price and quantity
SELECT answer ->> 'priceId' = :'yearly', answer ->> 'quantity' FROM (SELECT billstack.update_subscription('proj_subs', :'sub', price_id => :'yearly', quantity => 3, proration => 'always_invoice') -> 'subscription') AS a (answer);
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed -E 's/(sub|si|price)_[A-Za-z0-9]+/\1_.../'
SELECT mrr, mrr_discounted FROM billstack_internal.project_subscription WHERE id = :'sub';
SELECT billstack.update_subscription('proj_subs', :'sub', quantity => 1) #>> '{subscription,quantity}';
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed -E 's/(sub|si|price)_[A-Za-z0-9]+/\1_.../'
-- refusals
SELECT replace(pg_temp.refused(format('SELECT billstack.update_subscription(%L, %L%s)', 'proj_subs', :'sub', more)), :'once', 'pri_once')
  FROM unnest(ARRAY['', ', quantity => 0', ', quantity => 1, proration => ''some''', ', quantity => 1, proration => NULL', format(', price_id => %L', :'once'), ', price_id => ''pri_none''']) AS more;
SELECT replace(pg_temp.refused(format('SELECT billstack.update_subscription(%L, %L, price_id => %L)', 'proj_subs', :'sub', :'off')), :'off', 'pri_off');
SELECT replace(pg_temp.refused(format('SELECT billstack.get_subscription(%L, %L)', project, id)), :'sub', 'ps_sub')
  FROM (VALUES ('proj_subsrest', :'sub'), ('proj_subs', 'ps_none'), ('proj_subs', NULL), (NULL, :'sub'), ('proj_nowhere', :'sub')) AS v (project, id);
SELECT pg_temp.refused('SELECT billstack.list_subscriptions(''proj_subs''' || more || ')')
  FROM unnest(ARRAY[', ''pc_none''', ', active_only => NULL', ', max_rows => 0', ', max_rows => 1001', ', skip_rows => -1']) AS more;
SELECT pg_temp.refused('SELECT billstack.list_invoices(''proj_nowhere'')'), pg_temp.refused('SELECT billstack.list_invoices(''proj_subs'', ''pc_none'')'), pg_temp.refused('SELECT billstack.list_invoices(''proj_subs'', max_rows => 0)');
-- two items
INSERT INTO stripe_team_subs.subscription_items (id, subscription, price, quantity, _raw, _as_of, _as_of_end, _source, _digest)
SELECT 'si_second', subscription, price, quantity, _raw, _as_of, _as_of_end, _source, _digest FROM stripe_team_subs.subscription_items
 WHERE subscription = (SELECT stripe_subscription_id FROM billstack_internal.project_subscription WHERE id = :'sub') AND _deleted_at IS NULL;
SELECT replace(pg_temp.refused(format('SELECT billstack.update_subscription(%L, %L, quantity => 2)', 'proj_subs', :'sub')), :'sub', 'ps_sub');
DELETE FROM stripe_team_subs.subscription_items WHERE id = 'si_second';
-- stale
BEGIN;
UPDATE billstack_internal.project_subscription SET stale = true WHERE id = :'sub';
SELECT replace(pg_temp.refused(format('SELECT billstack.%s', call)), :'sub', 'ps_sub')
  FROM unnest(ARRAY[format('update_subscription(%L, %L, quantity => 2)', 'proj_subs', :'sub'), format('cancel_subscription(%L, %L)', 'proj_subs', :'sub')]) AS call;
SELECT billstack.get_subscription('proj_subs', :'sub') #>> '{subscription,stale}';
ROLLBACK;
-- no link, no write
BEGIN READ ONLY;
SELECT pg_temp.refused(format('SELECT billstack.cancel_subscription(%L, %L)', 'proj_subs', :'sub'));
ROLLBACK;
BEGIN;
SELECT billstack.unlink_project('proj_subs') #>> '{project,id}';
SELECT pg_temp.refused(format('SELECT billstack.cancel_subscription(%L, %L)', 'proj_subs', :'sub'));
ROLLBACK;
-- whose
CREATE ROLE regress_subs_reader;
SELECT billstack.grant_access('regress_subs_reader', 'reader', 'subs') ->> 'success';
SET ROLE regress_subs_reader;
SELECT jsonb_array_length(billstack.list_subscriptions('proj_subs') -> 'subscriptions');
SELECT pg_temp.refused(format('SELECT billstack.cancel_subscription(%L, %L)', 'proj_subs', :'sub'));
RESET ROLE;
-- the end
SELECT answer ->> 'status', answer ->> 'canceledAt' IS NOT NULL, answer ->> 'endedAt' IS NOT NULL FROM (SELECT billstack.cancel_subscription('proj_subs', :'sub') -> 'subscription') AS a (answer);
\! $PG_ABS_SRCDIR/test/env/sim_writes.pl | sed 's/sub_[A-Za-z0-9]*/sub_.../'
SELECT billstack.list_subscriptions('proj_subs'), jsonb_array_length(billstack.list_subscriptions('proj_subs', active_only => false) -> 'subscriptions');
SELECT pg_temp.refused(format('SELECT billstack.update_subscription(%L, %L, quantity => 2)', 'proj_subs', :'sub'), false);
DROP OWNED BY regress_subs_reader;
SELECT billstack.revoke_access('regress_subs_reader', 'reader', 'subs') ->> 'success';
DROP ROLE regress_subs_reader;
\set ECHO none
DELETE FROM billstack_internal.project_subscription;
DELETE FROM billstack_internal.project_invoice;
DELETE FROM billstack_internal.project_payment;
DELETE FROM billstack_internal.project_price;
DELETE FROM billstack_internal.project_product;
DELETE FROM billstack_internal.project_customer;
DELETE FROM billstack_internal.project;
SELECT billstack.disconnect('subs') \g /dev/null
