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
RESET client_min_messages;
