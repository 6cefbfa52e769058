-- analytics(), view mrr, view billing_health, map_account(): figures computed by hand from a few rows.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
SET timezone = 'UTC';
CREATE ROLE regress_billstack_owner;
CREATE ROLE regress_billstack_app;
CREATE ROLE regress_billstack_reader;
CREATE ROLE regress_billstack_stranger;
GRANT EXECUTE ON FUNCTION pg_temp.refused(text, boolean) TO PUBLIC;
SELECT format('GRANT USAGE ON SCHEMA %I TO PUBLIC', nspname) FROM pg_namespace WHERE oid = pg_my_temp_schema() \gexec
INSERT INTO billstack_internal.team (team, owner_name) VALUES ('figures', 'regress_billstack_owner'), ('others', 'regress_billstack_owner');
INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode, key_restricted, key_masked, mirror_version, system_identifier, database_oid)
SELECT t.team, 'default', t.owner_name, 'stripe_team_' || t.team, 0, false, false, 'sk_test_...', 0, c.system_identifier, d.oid
  FROM billstack_internal.team AS t, pg_control_system() AS c, pg_database AS d
 WHERE t.team IN ('figures', 'others') AND d.datname = current_database();
SELECT id AS one FROM billstack_internal.integration WHERE team = 'figures' \gset
SELECT id AS two FROM billstack_internal.integration WHERE team = 'others' \gset
INSERT INTO billstack_internal.project (id, team, name, base_currency, integration_id) VALUES
    ('proj_usd', 'figures', 'usd', 'usd', :one), ('proj_jpy', 'figures', 'jpy', 'jpy', :one), ('proj_kwd', 'figures', 'kwd', 'kwd', :one),
    ('proj_none', 'figures', 'none', 'usd', NULL), ('proj_other', 'others', 'other', 'usd', :two);
INSERT INTO billstack_internal.inbox_stat (integration_id, processed) VALUES (:one, 41);
INSERT INTO billstack_internal.inbox (integration_id, event_id, event_type, event_created, received_at, payload, failed_at) VALUES (:one, 'evt_dead', 'x', now(), now(), '{}', now());
-- A subscription: days ago it began, days ago it ended.
CREATE FUNCTION pg_temp.subscription(id text, integration integer, project text, status text, currency text, mrr numeric, began numeric, ended numeric DEFAULT NULL, discounted numeric DEFAULT NULL, customer text DEFAULT 'cus_x', is_stale boolean DEFAULT false)
RETURNS void LANGUAGE sql AS $$
INSERT INTO billstack_internal.project_subscription (id, integration_id, stripe_subscription_id, project_id, stripe_customer_id, status, currency, mrr, mrr_discounted, created_at, started_at, ended_at, stale)
VALUES ('ps_' || id, integration, 'sub_' || id, project, customer, status, currency, mrr, coalesce(discounted, mrr), now() - began * interval '1 day', now() - began * interval '1 day', now() - ended * interval '1 day', is_stale) $$;
\set ECHO all
\pset format unaligned
\pset tuples_only on
-- An empty project, and one that is linked to nothing.
SELECT billstack.analytics('proj_usd', 7) - 'customerGrowth' - 'webhookStats';
SELECT billstack.analytics('proj_none', 7) -> 'webhookStats';
SELECT pg_temp.subscription('a', :one, 'proj_usd', 'active', 'usd', 1000, 100, NULL, 800),
       pg_temp.subscription('b', :one, 'proj_usd', 'active', 'usd', 2500.5, 40),
       pg_temp.subscription('c', :one, 'proj_usd', 'trialing', 'usd', 333.3333, 3),
       pg_temp.subscription('d', :one, 'proj_usd', 'active', 'usd', NULL, 20),
       pg_temp.subscription('e', :one, 'proj_usd', 'active', 'eur', 900, 50),
       pg_temp.subscription('f', :one, 'proj_usd', 'past_due', 'usd', 7000, 60),
       pg_temp.subscription('g', :one, 'proj_usd', 'canceled', 'usd', 100, 90, 10),
       pg_temp.subscription('h', :one, 'proj_usd', 'canceled', 'usd', 100, 90, 40),
       pg_temp.subscription('i', :one, 'proj_usd', 'canceled', 'usd', 100, 20, 10),
       pg_temp.subscription('j', :one, 'proj_usd', 'incomplete_expired', 'usd', 100, 80, 79),
       pg_temp.subscription('k', :one, 'proj_usd', 'incomplete', 'usd', 100, 80),
       pg_temp.subscription('l', :one, 'proj_usd', 'active', 'usd', 99999, 80, is_stale => true),
       pg_temp.subscription('m', :one, 'proj_usd', 'paused', 'usd', 100, 35),
       pg_temp.subscription('n', :one, NULL, 'active', 'usd', 10, 80),
       pg_temp.subscription('o', :one, 'proj_jpy', 'active', 'jpy', 1200.4, 10),
       pg_temp.subscription('p', :one, 'proj_jpy', 'active', 'isk', 50000, 10),
       pg_temp.subscription('q', :one, 'proj_kwd', 'trialing', 'kwd', 12345, 10),
       pg_temp.subscription('r', :two, 'proj_other', 'active', 'usd', 5, 10) \g /dev/null
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link, created_at, deleted_at) VALUES
    ('pc_1', 'proj_usd', 'one@example.com', 'cus_1', 'created', now() - interval '400 days', NULL),
    ('pc_2', 'proj_usd', 'two@example.com', 'cus_2', 'created', now() - interval '28 days', NULL),
    ('pc_3', 'proj_usd', 'three@example.com', 'cus_3', 'created', now() - interval '16 days', NULL),
    ('pc_4', 'proj_usd', 'four@example.com', 'cus_4', 'created', now() - interval '300 days', now() - interval '9 days'),
    ('pc_5', 'proj_usd', 'five@example.com', 'cus_5', 'created', now(), NULL),
    ('pc_6', 'proj_jpy', 'one@example.com', 'cus_6', 'created', now(), NULL);
-- of another account: neither made nor gone
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link, created_at, deleted_at, stale) VALUES
    ('pc_s1', 'proj_usd', 's1@example.com', 'cus_s1', 'created', now() - interval '20 days', NULL, true),
    ('pc_s2', 'proj_usd', 's2@example.com', 'cus_s2', 'created', now() - interval '300 days', now() - interval '12 days', true);
-- usd: 1000 + 2500.5 + 333.3333 = 3833.8333, without the trial 3500.5. Thirty days ago there were a, b, e, f, g, m; g has ended: 1 of 6.
SELECT billstack.analytics('proj_usd') - 'customerGrowth';
-- In 45 days h and g of a, e, f, g, h.
SELECT billstack.analytics('proj_usd', 45) -> 'churnRate', billstack.analytics('proj_usd', 5) -> 'churnRate', billstack.analytics('proj_usd', 3650) -> 'churnRate';
SELECT billstack.analytics('proj_jpy') - 'customerGrowth' - 'subscriptionBreakdown' - 'webhookStats' - 'referralStats';
SELECT billstack.analytics('proj_kwd') -> 'mrr', billstack.analytics('proj_kwd') -> 'mrrCents', billstack.analytics('proj_kwd') -> 'mrrPaid';
SELECT current_date - (point ->> 'date')::date AS days_ago, point ->> 'count' FROM jsonb_array_elements(billstack.analytics('proj_usd', 30) -> 'customerGrowth') AS point;
SELECT string_agg((current_date - (point ->> 'date')::date)::text, ' ') FROM jsonb_array_elements(billstack.analytics('proj_usd', 28) -> 'customerGrowth') AS point;
SELECT string_agg((current_date - (point ->> 'date')::date) || ':' || (point ->> 'count'), ' ') FROM jsonb_array_elements(billstack.analytics('proj_usd', 1) -> 'customerGrowth') AS point;
SELECT jsonb_array_length(billstack.analytics('proj_usd', 3650) -> 'customerGrowth');
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_usd', 0)$$);
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_usd', 3651)$$);
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_usd', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.analytics(NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_unknown')$$);
-- view mrr
SELECT * FROM billstack.mrr WHERE team = 'figures' ORDER BY project, currency;
-- view billing_health: a customer for each rule
SELECT pg_temp.subscription('h1', :one, 'proj_usd', 'unpaid', 'usd', 1, 9, customer => 'cus_unpaid'),
       pg_temp.subscription('h2', :one, 'proj_usd', 'past_due', 'usd', 1, 9, customer => 'cus_past_due'),
       pg_temp.subscription('h3', :one, 'proj_usd', 'active', 'usd', 1, 9, customer => 'cus_healthy'),
       pg_temp.subscription('h4', :one, 'proj_usd', 'canceled', 'usd', 1, 9, 1, customer => 'cus_churned'),
       pg_temp.subscription('h5', :one, 'proj_usd', 'canceled', 'usd', 1, 9, 1, customer => 'cus_owes'),
       pg_temp.subscription('h6', :one, 'proj_usd', 'active', 'usd', 1, 9, customer => 'cus_failed_once'),
       pg_temp.subscription('h7', :one, 'proj_usd', 'active', 'usd', 1, 9, customer => 'cus_new'),
       pg_temp.subscription('h8', :one, 'proj_usd', 'incomplete_expired', 'usd', 1, 9, customer => 'cus_never'),
       pg_temp.subscription('h9', :one, 'proj_usd', 'trialing', 'usd', 1, 9, customer => 'cus_sent') \g /dev/null
INSERT INTO billstack_internal.project_invoice (id, integration_id, stripe_invoice_id, project_id, stripe_customer_id, stripe_subscription_id, status, attempted, created_at, stale) VALUES
    ('pinv_1', :one, 'in_1', 'proj_usd', 'cus_past_due', 'sub_h2', 'open', true, now() - interval '1 day', false),
    ('pinv_2', :one, 'in_2', 'proj_usd', 'cus_healthy', 'sub_h3', 'paid', true, now() - interval '1 day', false),
    ('pinv_3', :one, 'in_3', 'proj_usd', 'cus_healthy', 'sub_h3', 'draft', false, now(), false),
    ('pinv_4', :one, 'in_4', 'proj_usd', 'cus_owes', 'sub_h5', 'open', true, now() - interval '3 days', false),
    ('pinv_5', :one, 'in_5', 'proj_usd', 'cus_failed_once', 'sub_h6', 'paid', true, now() - interval '3 days', false),
    ('pinv_6', :one, 'in_6', 'proj_usd', 'cus_sent', 'sub_h9', 'paid', true, now() - interval '3 days', false),
    ('pinv_7', :one, 'in_7', 'proj_usd', 'cus_sent', 'sub_h9', 'open', false, now(), false),
    ('pinv_8', :one, 'in_8', NULL, 'cus_written_off', NULL, 'uncollectible', true, now(), false),
    ('pinv_9', :one, 'in_9', 'proj_usd', 'cus_healthy', 'sub_h3', 'open', true, now(), true);
INSERT INTO billstack_internal.project_payment (id, integration_id, stripe_payment_id, project_id, stripe_customer_id, amount, status, failure_code, created_at) VALUES
    ('ppay_1', :one, 'pi_1', 'proj_usd', 'cus_failed_once', 100, 'succeeded', NULL, now() - interval '3 days'),
    ('ppay_2', :one, 'pi_2', 'proj_usd', 'cus_failed_once', 100, 'requires_payment_method', 'card_declined', now()),
    ('ppay_3', :one, 'pi_3', 'proj_usd', 'cus_healthy', 100, 'succeeded', NULL, now()),
    ('ppay_4', :one, 'pi_4', NULL, 'cus_payer', 100, 'requires_payment_method', NULL, now());
SELECT stripe_customer_id, health, last_payment_status, evidence #- '{lastInvoice,createdAt}' #- '{lastPayment,createdAt}', last_event_at IS NOT NULL
  FROM billstack.billing_health WHERE team = 'figures' AND stripe_customer_id ~ '^cus_[a-w]' ORDER BY stripe_customer_id;
SELECT stripe_customer_id, health, email FROM billstack.billing_health WHERE team = 'figures' AND stripe_customer_id ~ '^cus_[0-9]' ORDER BY 1;
-- nothing of another account: those that only it has are not there, and what it knew hides nothing of the present one
SELECT pg_temp.subscription('t1', :one, 'proj_usd', 'active', 'usd', 1, 9, customer => 'cus_xs', is_stale => true),
       pg_temp.subscription('t2', :one, 'proj_usd', 'canceled', 'usd', 1, 9, 1, customer => 'cus_xboth', is_stale => true),
       pg_temp.subscription('t3', :one, 'proj_usd', 'canceled', 'usd', 1, 9, 1, customer => 'cus_xcustomer', is_stale => true) \g /dev/null
INSERT INTO billstack_internal.project_invoice (id, integration_id, stripe_invoice_id, project_id, stripe_customer_id, status, attempted, created_at, stale) VALUES
    ('pinv_t1', :one, 'in_t1', 'proj_usd', 'cus_xi', 'paid', true, now(), true), ('pinv_t2', :one, 'in_t2', 'proj_usd', 'cus_xboth', 'uncollectible', true, now(), false),
    ('pinv_t3', :one, 'in_t3', 'proj_usd', 'cus_xpays', 'paid', true, now(), true);
INSERT INTO billstack_internal.project_payment (id, integration_id, stripe_payment_id, project_id, stripe_customer_id, amount, status, created_at, stale) VALUES
    ('ppay_t1', :one, 'pi_t1', 'proj_usd', 'cus_xp', 100, 'succeeded', now(), true), ('ppay_t2', :one, 'pi_t2', 'proj_usd', 'cus_xpays', 100, 'succeeded', now(), false);
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link, stale) VALUES
    ('pc_x1', 'proj_usd', 'x1@example.com', 'cus_xcustomer', 'created', false), ('pc_x2', 'proj_usd', 'x2@example.com', 'cus_xstale', 'created', true);
SELECT stripe_customer_id, health, last_payment_status, evidence -> 'subscriptions', email FROM billstack.billing_health WHERE team = 'figures' AND stripe_customer_id LIKE 'cus\_x_%' ORDER BY 1;
-- times in JSON are UTC with Z, whatever the session's time zone is
SET timezone = 'Asia/Kolkata';
UPDATE billstack_internal.project_invoice SET created_at = '2026-03-01 00:00:00.5Z' WHERE id = 'pinv_2';
UPDATE billstack_internal.project_payment SET created_at = '2026-03-01 23:59:59Z' WHERE id = 'ppay_3';
SELECT evidence #>> '{lastInvoice,createdAt}', evidence #>> '{lastPayment,createdAt}' FROM billstack.billing_health WHERE team = 'figures' AND stripe_customer_id = 'cus_healthy';
SET timezone = 'UTC';
-- map_account: the customer itself, then a unique match by e-mail
SELECT billstack.map_account('figures', 'cus_1', 'account one');
SELECT stripe_customer_id, account_ref, evidence ->> 'account' FROM billstack.billing_health WHERE team = 'figures' AND email = 'one@example.com' ORDER BY 1;
SELECT billstack.map_account('figures', 'cus_6', 'account six') ->> 'accountRef';
SELECT billstack.map_account('figures', 'cus_1', 'account 1') ->> 'accountRef';
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link) VALUES ('pc_7', 'proj_kwd', 'ONE@example.com', 'cus_7', 'created');
SELECT stripe_customer_id, account_ref, evidence ->> 'account' FROM billstack.billing_health WHERE team = 'figures' AND lower(email) = 'one@example.com' ORDER BY 1;
SELECT billstack.map_account('figures', 'cus_6', NULL);
SELECT stripe_customer_id, account_ref, evidence ->> 'account' FROM billstack.billing_health WHERE team = 'figures' AND lower(email) = 'one@example.com' ORDER BY 1;
SELECT pg_temp.refused($$SELECT billstack.map_account('unknown_team', 'cus_1', 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', '', 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', 'cus_1', '')$$);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', NULL, 'x')$$);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', 'cus_1', 'account 4242424242424242')$$);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', '4242424242424242', 'x')$$);
-- who may
SELECT billstack.grant_access('regress_billstack_app', 'app', 'figures') ->> 'changed', billstack.grant_access('regress_billstack_reader', 'reader', 'figures') ->> 'changed',
       billstack.grant_access('regress_billstack_stranger', 'app', 'others') ->> 'changed';
SET ROLE regress_billstack_reader;
SELECT billstack.analytics('proj_usd') -> 'mrr', (SELECT count(*) FROM billstack.mrr), (SELECT count(DISTINCT team) FROM billstack.billing_health);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', 'cus_1', 'x')$$);
SET ROLE regress_billstack_stranger;
SELECT pg_temp.refused($$SELECT billstack.analytics('proj_usd')$$);
SELECT pg_temp.refused($$SELECT billstack.map_account('figures', 'cus_1', 'x')$$);
SELECT team, project, mrr FROM billstack.mrr;
SELECT count(*) FROM billstack.billing_health WHERE team = 'figures';
RESET ROLE;
\set ECHO none
DELETE FROM billstack_internal.inbox WHERE integration_id IN (:one, :two);
DELETE FROM billstack_internal.account_map WHERE team = 'figures';
DELETE FROM billstack_internal.project_subscription WHERE integration_id IN (:one, :two);
DELETE FROM billstack_internal.project_invoice WHERE integration_id IN (:one, :two);
DELETE FROM billstack_internal.project_payment WHERE integration_id IN (:one, :two);
DELETE FROM billstack_internal.project_customer WHERE project_id IN ('proj_usd', 'proj_jpy', 'proj_kwd');
DELETE FROM billstack_internal.project WHERE team IN ('figures', 'others');
DELETE FROM billstack_internal.integration WHERE team IN ('figures', 'others');
DELETE FROM billstack_internal.team WHERE team IN ('figures', 'others');
DELETE FROM billstack_internal.access_grant WHERE role_name::text LIKE 'regress_billstack%';
DROP OWNED BY regress_billstack_owner, regress_billstack_app, regress_billstack_reader, regress_billstack_stranger;
DROP ROLE regress_billstack_owner, regress_billstack_app, regress_billstack_reader, regress_billstack_stranger;
