\echo Use "CREATE EXTENSION billstack" to load this file. \quit

-- The mirror keeps text exactly as Stripe sends it, which is UTF-8.
DO $$
BEGIN
    IF (SELECT d.encoding FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
       OPERATOR(pg_catalog.<>) pg_catalog.pg_char_to_encoding('UTF8') THEN
        RAISE EXCEPTION 'database encoding is not UTF8'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'billstack stores text exactly as Stripe sends it.',
                  HINT = 'Create a database with ENCODING ''UTF8'' TEMPLATE template0 and install billstack there.';
    END IF;
END
$$;
