-- The signing secret: stored, rotated with both alive for a day, and made by Stripe with an endpoint.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
\set first whsec_regress000000000000000000000001
\set second whsec_regress000000000000000000000002
\set third whsec_regress000000000000000000000003
SELECT billstack.connect('hooks', 'sk_test_regress0000000000000000') ->> 'success';
CREATE FUNCTION pg_temp.works(secret text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    body text := '{"id":"evt_secret","type":"regress.nothing","created":1750000000}';
BEGIN
    PERFORM billstack.receive_webhook('hooks', body, pg_temp.sign(body, secret));
    RAISE EXCEPTION 'taken' USING ERRCODE = 'P0001';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLERRM WHEN 'taken' THEN SQLERRM ELSE concat(SQLSTATE, ': ', SQLERRM) END;
END $$;
SELECT pg_temp.works(:'first');
SELECT billstack.set_webhook_secret('hooks', :'first');
SELECT billstack.status('hooks') -> 'webhook' ->> 'secret';
SELECT pg_temp.works(:'first'), pg_temp.works(:'second');
SELECT billstack.set_webhook_secret('hooks', :'second');
SELECT pg_temp.works(:'first'), pg_temp.works(:'second');
-- stored again: nothing changes
SELECT billstack.set_webhook_secret('hooks', :'second');
SELECT pg_temp.works(:'first'), pg_temp.works(:'second');
SELECT key_kind, valid_until - clock_timestamp() BETWEEN interval '23:59' AND interval '24:00'
  FROM billstack_internal.sealed_key ORDER BY 1;
-- a third leaves two; rotate_keys does the same
SELECT billstack.rotate_keys('hooks', NULL, webhook_secret => :'third') ->> 'success';
SELECT pg_temp.works(:'first'), pg_temp.works(:'second'), pg_temp.works(:'third');
-- a day later
UPDATE billstack_internal.sealed_key SET valid_until = clock_timestamp() - interval '1 second' WHERE valid_until IS NOT NULL;
SELECT pg_temp.works(:'second'), pg_temp.works(:'third');
-- a change in the own transaction counts at once, and not after its rollback
BEGIN;
SELECT billstack.set_webhook_secret('hooks', :'first');
SELECT pg_temp.works(:'first');
ROLLBACK;
SELECT pg_temp.works(:'first'), pg_temp.works(:'third');
-- a placeholder refuses all, and the next real one is alone
SELECT billstack.set_webhook_secret('hooks', 'not yet');
SELECT billstack.set_webhook_secret('hooks', 'later');
SELECT billstack.status('hooks') -> 'webhook' ->> 'secret';
SELECT pg_temp.works(:'third'), pg_temp.works('later');
SELECT billstack.set_webhook_secret('hooks', :'first');
SELECT pg_temp.works(:'first'), pg_temp.works(:'third');
SELECT count(*) FROM billstack_internal.sealed_key WHERE key_kind LIKE 'webhook%';
-- refused
SELECT pg_temp.refused($$SELECT billstack.set_webhook_secret('hooks', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.set_webhook_secret('hooks', '')$$);
SELECT pg_temp.refused($$SELECT billstack.set_webhook_secret('nobody', 'later')$$);
SELECT pg_temp.refused($$SELECT billstack.set_webhook_secret('hooks', 'later', 'none')$$);
SELECT pg_temp.refused($$SELECT billstack.set_webhook_secret(NULL, 'later')$$);
-- An endpoint at Stripe
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'ftp://example.com/')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'http://example.com/hooks')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'https://user:word@example.com/hooks')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'https://example.com/a b')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'https://example.com/', '{}')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'https://example.com/', '{invoice.paid,Invoice Paid}')$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('hooks', 'https://example.com/', ARRAY['invoice.paid', NULL])$$);
SELECT pg_temp.refused($$SELECT billstack.create_webhook_endpoint('nobody', 'https://example.com/')$$);
SELECT e ->> 'endpointId' ~ '^we_', e ->> 'url', e -> 'events', e - 'endpointId' - 'url' - 'events'
  FROM billstack.create_webhook_endpoint('hooks', 'https://example.com/hooks?from=stripe', '{invoice.paid,account.updated,invoice.paid}') AS e;
SELECT billstack.status('hooks') -> 'webhook' ->> 'secret', pg_temp.works(:'first');
SELECT jsonb_array_length(e -> 'events') > 80, e -> 'events' ? 'customer.subscription.deleted'
  FROM billstack.create_webhook_endpoint('hooks', 'http://127.0.0.1:8080/') AS e;
SELECT billstack.disconnect('hooks') ->> 'success';
