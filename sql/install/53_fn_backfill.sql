CREATE FUNCTION billstack.backfill(team text, objects text[] DEFAULT NULL, created_after timestamptz DEFAULT NULL, integration text DEFAULT 'default')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_backfill';
REVOKE ALL ON FUNCTION billstack.backfill(text, text[], timestamptz, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.backfill(text, text[], timestamptz, text) IS 'queue a copy of the Stripe account for the worker and return at once';

-- No SET clause: a procedure with one cannot commit, and this one waits with no transaction open.
CREATE PROCEDURE billstack.run_backfill(team text, objects text[] DEFAULT NULL, created_after timestamptz DEFAULT NULL, integration text DEFAULT 'default', INOUT result jsonb DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'billstack_run_backfill';
REVOKE ALL ON PROCEDURE billstack.run_backfill(text, text[], timestamptz, text, jsonb) FROM PUBLIC;
COMMENT ON PROCEDURE billstack.run_backfill(text, text[], timestamptz, text, jsonb) IS 'copy the Stripe account and wait for the end, with progress as notices';

CREATE FUNCTION billstack.cancel_backfill(team text, integration text DEFAULT 'default')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_cancel_backfill';
REVOKE ALL ON FUNCTION billstack.cancel_backfill(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.cancel_backfill(text, text) IS 'stop a running backfill; what is copied stays';
