EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) SELECT * FROM billstack.mrr;
EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) SELECT * FROM billstack.billing_health WHERE team = 'bench' AND stripe_customer_id = 'cus_4711';
\timing on
SELECT health, count(*) FROM billstack.billing_health GROUP BY health ORDER BY health;
