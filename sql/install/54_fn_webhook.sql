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
