-- Monthly recurring revenue in minor units of each currency; docs/analytics.md has the formulas.
CREATE VIEW billstack.mrr WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, s.project_id AS project, s.currency,
       pg_catalog.count(*) AS subscriptions,
       pg_catalog.count(*) FILTER (WHERE s.mrr IS NULL) AS without_amount,
       pg_catalog.round(COALESCE(pg_catalog.sum(s.mrr), 0), 2) AS mrr,
       pg_catalog.round(COALESCE(pg_catalog.sum(s.mrr) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'active'), 0), 2) AS mrr_paid,
       pg_catalog.round(COALESCE(pg_catalog.sum(COALESCE(s.mrr_discounted, s.mrr)), 0), 2) AS mrr_discounted,
       pg_catalog.round(COALESCE(pg_catalog.sum(COALESCE(s.mrr_discounted, s.mrr)) FILTER (WHERE s.status OPERATOR(pg_catalog.=) 'active'), 0), 2) AS mrr_discounted_paid
  FROM billstack_internal.project_subscription AS s
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) s.integration_id
 WHERE s.status OPERATOR(pg_catalog.=) ANY ('{active,trialing}') AND NOT s.stale
   AND i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.billed_integration AS v)
 GROUP BY i.team, i.name, s.project_id, s.currency;
REVOKE ALL ON billstack.mrr FROM PUBLIC;
COMMENT ON VIEW billstack.mrr IS 'monthly recurring revenue by integration, project and currency, in minor units: with and without trials, before and after discounts';

-- A customer's subscriptions, newest invoice and newest payment, one index look-up each. Customers come
-- one table after the other, each in the order of an index, so that the first rows come at once. An invoice
-- counts once Stripe has tried to collect it; drafts, voided and deleted ones never do.
CREATE VIEW billstack.billing_health WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, c.stripe_customer_id,
       COALESCE(a.account_ref, f.account_ref) AS account_ref, m.email,
       CASE WHEN s.unpaid OPERATOR(pg_catalog.>) 0 OR n.abandoned OPERATOR(pg_catalog.>) 0 THEN 'delinquent'
            WHEN s.ended OPERATOR(pg_catalog.>) 0 AND s.live OPERATOR(pg_catalog.=) 0 THEN 'churned'
            WHEN s.past_due OPERATOR(pg_catalog.>) 0 OR n.failed OR p.failed THEN 'at_risk'
            WHEN s.current OPERATOR(pg_catalog.>) 0 AND n.status OPERATOR(pg_catalog.=) 'paid' THEN 'healthy'
            ELSE 'unknown' END AS health,
       p.status AS last_payment_status,
       GREATEST(s.updated_at, n.updated_at, p.updated_at) AS last_event_at,
       pg_catalog.jsonb_build_object(
           'subscriptions', s.statuses, 'lastInvoice', n.invoice, 'openAfterFailure', n.abandoned,
           'lastPayment', p.payment,
           'account', CASE WHEN a.account_ref IS NOT NULL THEN 'mapped' WHEN f.account_ref IS NOT NULL THEN 'email' END) AS evidence
  FROM billstack_internal.integration AS i
 CROSS JOIN LATERAL (
       SELECT DISTINCT x.stripe_customer_id FROM billstack_internal.project_subscription AS x
        WHERE x.integration_id OPERATOR(pg_catalog.=) i.id AND NOT x.stale AND x.stripe_customer_id IS NOT NULL
       UNION ALL
       SELECT DISTINCT x.stripe_customer_id FROM billstack_internal.project_invoice AS x
        WHERE x.integration_id OPERATOR(pg_catalog.=) i.id AND NOT x.stale AND x.stripe_customer_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM billstack_internal.project_subscription AS o
                           WHERE o.integration_id OPERATOR(pg_catalog.=) i.id AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id AND NOT o.stale)
       UNION ALL
       SELECT DISTINCT x.stripe_customer_id FROM billstack_internal.project_payment AS x
        WHERE x.integration_id OPERATOR(pg_catalog.=) i.id AND NOT x.stale AND x.stripe_customer_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM billstack_internal.project_subscription AS o
                           WHERE o.integration_id OPERATOR(pg_catalog.=) i.id AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id AND NOT o.stale)
          AND NOT EXISTS (SELECT FROM billstack_internal.project_invoice AS o
                           WHERE o.integration_id OPERATOR(pg_catalog.=) i.id AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id AND NOT o.stale)
       UNION ALL
       SELECT DISTINCT x.stripe_customer_id FROM billstack_internal.project_customer AS x
         JOIN billstack_internal.project AS j ON j.id OPERATOR(pg_catalog.=) x.project_id
        WHERE j.integration_id OPERATOR(pg_catalog.=) i.id AND NOT x.stale AND x.stripe_customer_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM billstack_internal.project_subscription AS o
                           WHERE o.integration_id OPERATOR(pg_catalog.=) i.id AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id AND NOT o.stale)
          AND NOT EXISTS (SELECT FROM billstack_internal.project_invoice AS o
                           WHERE o.integration_id OPERATOR(pg_catalog.=) i.id AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id AND NOT o.stale)
          AND NOT EXISTS (SELECT FROM billstack_internal.project_payment AS o
                           WHERE o.integration_id OPERATOR(pg_catalog.=) i.id AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id AND NOT o.stale)) AS c
 CROSS JOIN LATERAL (
       SELECT COALESCE(pg_catalog.sum(g.n) FILTER (WHERE g.status OPERATOR(pg_catalog.=) 'unpaid'), 0) AS unpaid,
              COALESCE(pg_catalog.sum(g.n) FILTER (WHERE g.status OPERATOR(pg_catalog.=) 'past_due'), 0) AS past_due,
              COALESCE(pg_catalog.sum(g.n) FILTER (WHERE g.status OPERATOR(pg_catalog.=) ANY ('{active,trialing}')), 0) AS current,
              COALESCE(pg_catalog.sum(g.n) FILTER (WHERE g.status OPERATOR(pg_catalog.=) 'canceled'), 0) AS ended,
              COALESCE(pg_catalog.sum(g.n) FILTER (WHERE g.status OPERATOR(pg_catalog.<>) ALL ('{canceled,incomplete_expired}')), 0) AS live,
              COALESCE(pg_catalog.jsonb_object_agg(g.status, g.n), '{}') AS statuses,
              pg_catalog.max(g.updated_at) AS updated_at
         FROM (SELECT x.status, pg_catalog.count(*) AS n, pg_catalog.max(x.updated_at) AS updated_at
                 FROM billstack_internal.project_subscription AS x
                WHERE x.integration_id OPERATOR(pg_catalog.=) i.id
                  AND x.stripe_customer_id OPERATOR(pg_catalog.=) c.stripe_customer_id AND NOT x.stale
                GROUP BY x.status) AS g) AS s
 CROSS JOIN LATERAL (
       SELECT pg_catalog.count(*) FILTER (WHERE x.status OPERATOR(pg_catalog.=) 'open' AND NOT x.retried) AS abandoned,
              (pg_catalog.array_agg(x.status ORDER BY x.created_at DESC, x.id))[1] AS status,
              (pg_catalog.array_agg(x.status ORDER BY x.created_at DESC, x.id))[1] OPERATOR(pg_catalog.<>) 'paid' AS failed,
              (pg_catalog.array_agg(pg_catalog.jsonb_build_object('id', x.id, 'status', x.status, 'createdAt',
                  pg_catalog.to_char(pg_catalog.timezone('UTC', x.created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                                    ORDER BY x.created_at DESC, x.id))[1] AS invoice,
              pg_catalog.max(x.updated_at) AS updated_at
         FROM (SELECT v.id, v.status, v.created_at, v.updated_at,
                      EXISTS (SELECT FROM billstack_internal.project_subscription AS o
                               WHERE o.integration_id OPERATOR(pg_catalog.=) i.id
                                 AND o.stripe_subscription_id OPERATOR(pg_catalog.=) v.stripe_subscription_id
                                 AND o.status OPERATOR(pg_catalog.=) 'past_due') AS retried
                 FROM billstack_internal.project_invoice AS v
                WHERE v.integration_id OPERATOR(pg_catalog.=) i.id
                  AND v.stripe_customer_id OPERATOR(pg_catalog.=) c.stripe_customer_id AND NOT v.stale
                  AND (v.status OPERATOR(pg_catalog.=) ANY ('{paid,uncollectible}')
                       OR v.status OPERATOR(pg_catalog.=) 'open' AND v.attempted)) AS x) AS n
  LEFT JOIN LATERAL (
       SELECT y.status, y.status OPERATOR(pg_catalog.=) 'failed' AS failed, x.updated_at,
              pg_catalog.jsonb_build_object('id', x.id, 'status', y.status, 'failureCode', x.failure_code, 'createdAt',
                  pg_catalog.to_char(pg_catalog.timezone('UTC', x.created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS payment
         FROM billstack_internal.project_payment AS x
        CROSS JOIN LATERAL (SELECT CASE WHEN x.status OPERATOR(pg_catalog.=) 'requires_payment_method' AND x.failure_code IS NOT NULL
                                        THEN 'failed' ELSE x.status END AS status) AS y
        WHERE x.integration_id OPERATOR(pg_catalog.=) i.id
          AND x.stripe_customer_id OPERATOR(pg_catalog.=) c.stripe_customer_id AND NOT x.stale
        ORDER BY x.created_at DESC, x.id LIMIT 1) AS p ON true
  LEFT JOIN LATERAL (
       SELECT pg_catalog.min(x.email) AS email
         FROM billstack_internal.project_customer AS x
         JOIN billstack_internal.project AS j ON j.id OPERATOR(pg_catalog.=) x.project_id
        WHERE x.stripe_customer_id OPERATOR(pg_catalog.=) c.stripe_customer_id
          AND j.integration_id OPERATOR(pg_catalog.=) i.id AND NOT x.stale) AS m ON true
  LEFT JOIN billstack_internal.account_map AS a
       ON a.team OPERATOR(pg_catalog.=) i.team AND a.stripe_customer_id OPERATOR(pg_catalog.=) c.stripe_customer_id
  LEFT JOIN LATERAL (
       SELECT pg_catalog.min(o.account_ref) AS account_ref
         FROM billstack_internal.project AS j
        CROSS JOIN LATERAL (
              -- OFFSET: by the index on e-mails, whatever the planner thinks of account_map.
              SELECT x.stripe_customer_id FROM billstack_internal.project_customer AS x
               WHERE x.project_id OPERATOR(pg_catalog.=) j.id AND x.deleted_at IS NULL
                 AND pg_catalog.lower(x.email) OPERATOR(pg_catalog.=) pg_catalog.lower(m.email) OFFSET 0) AS x
         JOIN billstack_internal.account_map AS o
              ON o.team OPERATOR(pg_catalog.=) i.team AND o.stripe_customer_id OPERATOR(pg_catalog.=) x.stripe_customer_id
        WHERE a.account_ref IS NULL AND m.email IS NOT NULL AND j.team OPERATOR(pg_catalog.=) i.team
       HAVING pg_catalog.count(DISTINCT o.account_ref) OPERATOR(pg_catalog.=) 1) AS f ON true
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.billed_integration AS v);
REVOKE ALL ON billstack.billing_health FROM PUBLIC;
COMMENT ON VIEW billstack.billing_health IS 'one row per Stripe customer of integrations with projects: healthy, at_risk, delinquent, churned or unknown, with the evidence';
