-- Included by the regress tests, silently. refused() tells how a statement fails; its detail only
-- where it does not hold the simulator's request ids.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS billstack;
CREATE FUNCTION pg_temp.refused(statement text, with_detail boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat(state, ': ', message, CASE WHEN with_detail AND detail <> '' THEN E'\nDETAIL: ' || detail END,
                  CASE WHEN hint <> '' THEN E'\nHINT: ' || hint END);
END $$;
-- Without times.
CREATE FUNCTION pg_temp.timeless(answer jsonb) RETURNS jsonb LANGUAGE sql AS
    $$ SELECT answer - 'lastValidatedAt' $$;
-- A Stripe-Signature header of a body: HMAC-SHA256 (RFC 2104) by hand, the server has none in SQL.
CREATE FUNCTION pg_temp.hmac(secret bytea, message bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    padded bytea := CASE WHEN length(secret) > 64 THEN sha256(secret) ELSE secret END;
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR i IN 0 .. length(padded) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(padded, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(padded, i) # 92);
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END $$;
CREATE FUNCTION pg_temp.sign(body bytea, secret text, at bigint) RETURNS text LANGUAGE sql AS
    $$ SELECT concat('t=', at, ',v1=', encode(pg_temp.hmac(convert_to(secret, 'UTF8'), convert_to(at || '.', 'UTF8') || body), 'hex')) $$;
CREATE FUNCTION pg_temp.sign(body text, secret text, age integer DEFAULT 0) RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.sign(convert_to(body, 'UTF8'), secret, floor(extract(epoch FROM clock_timestamp()))::bigint - age) $$;
RESET client_min_messages;
