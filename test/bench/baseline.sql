-- The baseline: what a careful application would do with the same pages, one INSERT ... ON CONFLICT a
-- page into jsonb and ten columns read from it, a commit a page, one connection.
CREATE SCHEMA bench;
CREATE TABLE bench.page (kind text, body text, objects int);
CREATE TABLE bench.figure (round int, what text, objects bigint, seconds numeric);

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
