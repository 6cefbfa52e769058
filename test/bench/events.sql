-- What the events part keeps: deliveries as the simulator signed them, where the made-up changes
-- stand, figures.
SET check_function_bodies = off; -- the mirror's tables come later
CREATE SCHEMA bench;
CREATE TABLE bench.delivery (n bigint GENERATED ALWAYS AS IDENTITY, event_id text, signature text, payload text);
CREATE TABLE bench.figure (what text, value numeric, cpu_us numeric, events bigint); -- a second; an event
CREATE SEQUENCE bench.second; -- of the next change: each has its own, so none is a tie
CREATE TABLE bench.plain (team text, payload text COMPRESSION lz4, event_id text PRIMARY KEY, received_at timestamptz DEFAULT now());

-- Changes for the simulator: of ten, four are new objects and six change one that is there; of twenty,
-- three concern customers, five subscriptions (with their items), seven invoices (with their lines),
-- five charges.
CREATE FUNCTION bench.changes(count int) RETURNS json LANGUAGE sql AS $$
    WITH known AS (
        SELECT 'customer' AS kind, 'cus' AS prefix, array_agg(id ORDER BY id) AS ids FROM stripe_team_bench.customers
        UNION ALL SELECT 'subscription', 'sub', array_agg(id ORDER BY id) FROM stripe_team_bench.subscriptions
        UNION ALL SELECT 'invoice', 'in', array_agg(id ORDER BY id) FROM stripe_team_bench.invoices
        UNION ALL SELECT 'charge', 'ch', array_agg(id ORDER BY id) FROM stripe_team_bench.charges),
    change AS (
        SELECT nextval('bench.second') AS second, hashint8(i) & 1048575 AS dice,
               CASE WHEN i % 20 < 3 THEN 'customer' WHEN i % 20 < 8 THEN 'subscription'
                    WHEN i % 20 < 15 THEN 'invoice' ELSE 'charge' END AS kind
          FROM generate_series(1, count) AS i),
    told AS (
        SELECT c.second, k.kind, c.dice % 10 < 4 AS fresh,
               CASE WHEN c.dice % 10 < 4 THEN k.prefix || '_bench' || lpad(c.second::text, 18, '0')
                    ELSE k.ids[1 + (c.dice + c.second) % array_length(k.ids, 1)] END AS id
          FROM change AS c JOIN known AS k ON k.kind = c.kind)
    SELECT json_build_object('changes', json_agg(json_build_object(
               'op', CASE WHEN fresh THEN 'create' ELSE 'update' END, 'kind', kind, 'id', id, 'at', second,
               'fields', json_build_object('metadata', json_build_object('order', 'A-' || second))) ORDER BY second))
      FROM told
$$;

-- The body of a request for deliveries; signed as of a little later than now, because the signature
-- is good for five minutes both ways and they are used over several.
CREATE FUNCTION bench.delivery_script(from_event bigint, duplicates numeric) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('secret', 'whsec_' || repeat('k', 32), 'from', from_event, 'duplicates', duplicates,
                             'at', extract(epoch FROM now())::bigint + 200)
$$;

-- Replaces the deliveries by those of a file; answers where the next begin.
CREATE FUNCTION bench.load(file text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    answer json := pg_read_file(file);
BEGIN
    TRUNCATE bench.delivery RESTART IDENTITY;
    INSERT INTO bench.delivery (event_id, signature, payload)
    SELECT event_id, signature, payload
      FROM json_to_recordset(answer->'deliveries') AS d (event_id text, signature text, payload text);
    RETURN answer->>'next';
END
$$;

-- Hands all deliveries in with one transaction, so that none is applied before the last one is there,
-- and waits until they are done; events is how many were left after the duplicates.
CREATE PROCEDURE bench.drain(what text) LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    events bigint;
    done bigint := 0;
    started timestamptz;
BEGIN
    SELECT coalesce(sum(processed), 0) INTO before FROM billstack_internal.inbox_stat;
    INSERT INTO billstack.webhook_inbox (team, payload, signature)
    SELECT 'bench', payload, signature FROM bench.delivery ORDER BY n;
    SELECT count(*) INTO events FROM billstack_internal.inbox;
    started := clock_timestamp();
    COMMIT;
    WHILE done < events LOOP
        PERFORM pg_sleep(0.002);
        SELECT coalesce(sum(processed), 0) - before INTO done FROM billstack_internal.inbox_stat;
        COMMIT; -- an open snapshot would be in the way of what is measured
        IF clock_timestamp() > started + interval '2 minutes' THEN
            RAISE '% of % events done after 2 minutes', done, events;
        END IF;
    END LOOP;
    INSERT INTO bench.figure VALUES (what, events / extract(epoch FROM clock_timestamp() - started), NULL, events);
END
$$;

-- Tables of the mirror's columns, indexes and rows for the loop.
CREATE PROCEDURE bench.copy_mirror(target text) LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    EXECUTE format('CREATE SCHEMA %I', target);
    FOREACH name IN ARRAY ARRAY['customers', 'subscriptions', 'subscription_items', 'invoices', 'invoice_line_items', 'charges'] LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE stripe_team_bench.%2$I INCLUDING ALL)', target, name);
        EXECUTE format('INSERT INTO %I.%I SELECT * FROM stripe_team_bench.%2$I', target, name);
    END LOOP;
END
$$;

-- Done events of the last five weeks, with bodies as large as those of the last deliveries. A body is
-- compressed once and copied as it is.
CREATE PROCEDURE bench.fill_ledger(count int) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE body (i int, payload bytea COMPRESSION lz4);
    ALTER TABLE body ALTER payload SET STORAGE MAIN;
    INSERT INTO body SELECT n, convert_to(payload, 'UTF8') FROM bench.delivery WHERE n <= 1000;
    INSERT INTO billstack_internal.event
           (integration_id, event_id, event_created, event_type, kind, object_id, outcome, attempts, received_at, processed_at, payload)
    SELECT i.id, 'evt_1' || md5(n::text), now() - n * interval '30 days' / count, 'invoice.updated', 'invoice',
           'in_1' || md5((n / 5)::text), 'applied', 1, now(), now(), b.payload
      FROM generate_series(1, count) AS n JOIN body AS b ON b.i = 1 + n % 1000, billstack_internal.integration AS i;
    DROP TABLE body;
END
$$;

CREATE FUNCTION bench.note_cpu(what text, seconds numeric) RETURNS void LANGUAGE sql AS $$
    UPDATE bench.figure AS f SET cpu_us = seconds * 1e6 / f.events WHERE f.what = note_cpu.what AND f.cpu_us IS NULL
$$;

CREATE FUNCTION bench.cpu(what text) RETURNS text LANGUAGE sql AS $$
    SELECT ', CPU ' || round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu_us)::numeric) || ' us each' FROM bench.figure AS f WHERE f.what = cpu.what
$$;

CREATE FUNCTION bench.median(what text) RETURNS numeric LANGUAGE sql AS $$
    SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.value)::numeric) FROM bench.figure AS f WHERE f.what = median.what
$$;

-- A line of the report: the median, what it is compared with, the aim.
CREATE FUNCTION bench.line(what text, base text, aim text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT format('  %s %s/s%s; %s times "%s" (%s/s%s)%s; rounds %s', rpad(what, 37), bench.median(what), bench.cpu(what),
                  round(bench.median(what) / bench.median(base), 2), base, bench.median(base), bench.cpu(base), aim,
                  (SELECT string_agg(round(f.value)::text, ' ') FROM bench.figure AS f WHERE f.what = line.what))
$$;
