CREATE FUNCTION billstack.receive_webhook(team text, payload text, signature text, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_receive_webhook';
REVOKE ALL ON FUNCTION billstack.receive_webhook(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.receive_webhook(text, text, text, text) IS 'verify a signed event of Stripe and queue it; durable when the transaction commits';

CREATE FUNCTION billstack.receive_webhook_raw(team text, payload bytea, signature text, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_receive_webhook_raw';
REVOKE ALL ON FUNCTION billstack.receive_webhook_raw(text, bytea, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.receive_webhook_raw(text, bytea, text, text) IS 'receive_webhook for a body as raw bytes, whatever the client''s encoding';

-- The trigger of billstack.webhook_inbox.
CREATE FUNCTION billstack_internal.receive_row() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_receive_row';
REVOKE ALL ON FUNCTION billstack_internal.receive_row() FROM PUBLIC;
COMMENT ON FUNCTION billstack_internal.receive_row() IS 'receives what is inserted into billstack.webhook_inbox';

CREATE FUNCTION billstack.set_webhook_secret(team text, webhook_secret text, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_set_webhook_secret';
REVOKE ALL ON FUNCTION billstack.set_webhook_secret(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.set_webhook_secret(text, text, text) IS 'store the signing secret of an endpoint; the one before stays valid for 24 hours';

CREATE FUNCTION billstack.create_webhook_endpoint(team text, url text DEFAULT NULL, events text[] DEFAULT NULL, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_create_webhook_endpoint';
REVOKE ALL ON FUNCTION billstack.create_webhook_endpoint(text, text, text[], text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_webhook_endpoint(text, text, text[], text) IS 'register an address at Stripe for the events billstack applies, and store its signing secret';

CREATE FUNCTION billstack.replay(event_id text, team text DEFAULT NULL, integration text DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_replay';
REVOKE ALL ON FUNCTION billstack.replay(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.replay(text, text, text) IS 'apply an event once more, or call the handlers again that failed for it';

CREATE FUNCTION billstack.retry_failed(team text DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_retry_failed';
REVOKE ALL ON FUNCTION billstack.retry_failed(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.retry_failed(text) IS 'try all dead letters again, of a team or of all teams you may act for';
