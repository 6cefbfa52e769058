-- The baseline: what a careful application would do with the same pages, one INSERT ... ON CONFLICT a
-- page into jsonb and ten columns read from it, a commit a page, one connection.
CREATE SCHEMA bench;
CREATE TABLE bench.page (kind text, body text, objects int);
-- cpu: of the backend or the workers; server_cpu: of all processes of the server, both in seconds.
CREATE TABLE bench.figure (round int, what text, objects bigint, seconds numeric, cpu numeric,
    server_cpu numeric, wal numeric, rewritten bigint);

CREATE FUNCTION bench.make_tables() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['customers', 'products', 'prices', 'subscriptions', 'invoices', 'charges'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS bench.%I', kind);
        EXECUTE format('CREATE TABLE bench.%I (id text PRIMARY KEY, object text, created timestamptz,
            livemode boolean, customer text, status text, currency text, amount bigint,
            description text, metadata jsonb, data jsonb NOT NULL)', kind);
    END LOOP;
END
$$;

CREATE PROCEDURE bench.upsert_pages() LANGUAGE plpgsql AS $$
DECLARE
    page record;
BEGIN
    FOR page IN SELECT kind, body FROM bench.page LOOP
        EXECUTE format('INSERT INTO bench.%I AS t
            SELECT o->>''id'', o->>''object'', to_timestamp((o->>''created'')::bigint),
                   (o->>''livemode'')::boolean, o->>''customer'', o->>''status'', o->>''currency'',
                   coalesce(o->>''amount'', o->>''total'', o->>''unit_amount'')::bigint, o->>''description'',
                   o->''metadata'', o
              FROM jsonb_array_elements($1::jsonb->''data'') AS o
            ON CONFLICT (id) DO UPDATE SET object = excluded.object, created = excluded.created,
                   livemode = excluded.livemode, customer = excluded.customer, status = excluded.status,
                   currency = excluded.currency, amount = excluded.amount,
                   description = excluded.description, metadata = excluded.metadata, data = excluded.data',
            page.kind) USING page.body;
        COMMIT;
    END LOOP;
END
$$;

-- Row versions of the mirror made by transactions from that one on, tombstones and children included.
CREATE FUNCTION bench.rows_written_since(first_xid bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    mirror_table regclass;
    found_rows bigint;
    written bigint := 0;
BEGIN
    FOR mirror_table IN SELECT oid FROM pg_class WHERE relnamespace = 'stripe_team_bench'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE xmin::text::bigint >= $1', mirror_table) INTO found_rows USING first_xid;
        written := written + found_rows;
    END LOOP;
    RETURN written;
END
$$;
