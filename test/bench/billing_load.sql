-- A project of a million subscriptions, beside a smaller one, straight into the internal tables: what is measured is
-- reading them. :n subscriptions; 0.8 :n customers; an invoice and a payment each.
INSERT INTO billstack_internal.team (team, owner_name) VALUES ('bench', current_user);
INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode, key_restricted, key_masked, mirror_version, system_identifier, database_oid)
SELECT 'bench', 'default', current_user, 'stripe_team_bench', 0, false, false, 'sk_test_...', 0, c.system_identifier, d.oid
  FROM pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database();
SELECT id AS integration FROM billstack_internal.integration WHERE team = 'bench' \gset
INSERT INTO billstack_internal.project (id, team, name, integration_id) VALUES
    ('proj_large', 'bench', 'Large', :integration), ('proj_small', 'bench', 'Small', :integration);
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link, created_at)
SELECT 'pc_' || lpad(i::text, 16, '0'), CASE WHEN i % 10 = 0 THEN 'proj_small' ELSE 'proj_large' END, i || '@example.com', 'cus_' || i, 'created',
       now() - (i % 700) * interval '1 day' FROM generate_series(1, :n * 8 / 10) AS i;
INSERT INTO billstack_internal.project_subscription (id, integration_id, stripe_subscription_id, project_id, customer_id, price_id, stripe_customer_id,
    stripe_price_id, stripe_price_ids, status, quantity, currency, mrr, mrr_discounted, created_at, started_at, ended_at)
SELECT 'ps_' || n.i, :integration, 'sub_' || n.i, CASE WHEN c.i % 10 = 0 THEN 'proj_small' ELSE 'proj_large' END, 'pc_' || lpad(c.i::text, 16, '0'),
       'pri_' || n.i % 20, 'cus_' || c.i, 'price_' || n.i % 20, ARRAY['price_' || n.i % 20], s.status, 1,
       CASE WHEN n.i % 9 = 0 THEN 'eur' ELSE 'usd' END, 990 + n.i % 20 * 100, (990 + n.i % 20 * 100) * CASE WHEN n.i % 5 = 0 THEN 0.8 ELSE 1 END,
       now() - (n.i % 700) * interval '1 day', now() - (n.i % 700) * interval '1 day',
       CASE WHEN s.status = 'canceled' THEN now() - (n.i % 700) * interval '12 hours' END
  FROM generate_series(1, :n) AS n (i), LATERAL (SELECT 1 + n.i % (:n * 8 / 10) AS i) AS c,
       LATERAL (SELECT (ARRAY['active','active','active','active','active','active','trialing','past_due','canceled','unpaid'])[1 + n.i % 10] AS status) AS s;
INSERT INTO billstack_internal.project_invoice (id, integration_id, stripe_invoice_id, project_id, stripe_customer_id, stripe_subscription_id, status, currency, amount_due, attempted, created_at)
SELECT 'pinv_' || i, s.integration_id, 'in_' || i, s.project_id, s.stripe_customer_id, s.stripe_subscription_id,
       CASE WHEN s.status IN ('past_due', 'unpaid') THEN 'open' ELSE 'paid' END, s.currency, 990, true, s.created_at
  FROM billstack_internal.project_subscription AS s, LATERAL (SELECT substr(s.id, 4) AS i) AS k;
INSERT INTO billstack_internal.project_payment (id, integration_id, stripe_payment_id, project_id, stripe_customer_id, amount, currency, status, created_at)
SELECT 'ppay_' || i, s.integration_id, 'pi_' || i, s.project_id, s.stripe_customer_id, 990, s.currency,
       CASE WHEN s.status IN ('past_due', 'unpaid') THEN 'requires_payment_method' ELSE 'succeeded' END, s.created_at
  FROM billstack_internal.project_subscription AS s, LATERAL (SELECT substr(s.id, 4) AS i) AS k;
INSERT INTO billstack_internal.account_map (team, stripe_customer_id, account_ref) SELECT 'bench', 'cus_' || i, 'account ' || i FROM generate_series(1, 1000) AS i;
VACUUM ANALYZE billstack_internal.project_customer, billstack_internal.project_subscription, billstack_internal.project_invoice,
    billstack_internal.project_payment, billstack_internal.account_map;

CREATE TABLE article (id integer, customer_id text);
INSERT INTO article SELECT i, 'pc_' || lpad((1 + i % (:n * 8 / 10))::text, 16, '0') FROM generate_series(1, 100000) AS i;
VACUUM ANALYZE article;
ALTER TABLE article ENABLE ROW LEVEL SECURITY;
CREATE POLICY paid ON article USING (billstack.has_active_subscription('proj_large', customer_id));
CREATE ROLE bench_policy;
GRANT SELECT ON article TO bench_policy;
SELECT billstack.grant_access('bench_policy', 'policy', 'bench') \g /dev/null
