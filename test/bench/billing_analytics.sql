-- Medians of five runs, after one that is not counted.
CREATE PROCEDURE pg_temp.measured(what text, statement text, role text DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
    times double precision[] := '{}';
    started timestamptz;
BEGIN
    IF role IS NOT NULL THEN EXECUTE format('SET LOCAL ROLE %I', role); END IF;
    FOR i IN 0 .. 5 LOOP
        started := clock_timestamp();
        EXECUTE statement;
        IF i > 0 THEN times := times || (extract(epoch FROM clock_timestamp() - started) * 1000)::double precision; END IF;
    END LOOP;
    RESET ROLE;
    RAISE NOTICE '  %: % ms (% to %)', what,
        (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t)::numeric, 1) FROM unnest(times) AS t),
        (SELECT round(min(t)::numeric, 1) FROM unnest(times) AS t), (SELECT round(max(t)::numeric, 1) FROM unnest(times) AS t);
END $$;
GRANT ALL ON PROCEDURE pg_temp.measured(text, text, text) TO PUBLIC;
CALL pg_temp.measured('analytics, nine tenths of the subscriptions', $$SELECT billstack.analytics('proj_large')$$);
CALL pg_temp.measured('analytics, a tenth', $$SELECT billstack.analytics('proj_small')$$);
CALL pg_temp.measured('analytics over ten years, nine tenths', $$SELECT billstack.analytics('proj_large', 3650)$$);
CALL pg_temp.measured('view mrr, all rows', 'SELECT * FROM billstack.mrr');
CALL pg_temp.measured('view billing_health, one customer', $$SELECT * FROM billstack.billing_health WHERE team = 'bench' AND stripe_customer_id = 'cus_4711'$$);
CALL pg_temp.measured('view billing_health, fifty rows', $$SELECT * FROM billstack.billing_health WHERE team = 'bench' LIMIT 50$$);
CALL pg_temp.measured('has_active_subscription in a policy, 100,000 rows', 'SELECT count(*) FROM article', 'bench_policy');
CALL pg_temp.measured('the same rows without a policy', 'SELECT count(*) FROM article');
