CREATE FUNCTION billstack.status(team text, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_status';
REVOKE ALL ON FUNCTION billstack.status(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.status(text, text) IS 'sync state, key state and last error of an integration, without asking Stripe';

CREATE FUNCTION billstack.webhook_url(team text, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_webhook_url';
REVOKE ALL ON FUNCTION billstack.webhook_url(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.webhook_url(text, text) IS 'the address Stripe must deliver events to, and how to register it';
