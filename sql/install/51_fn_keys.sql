CREATE FUNCTION billstack.check_keys(secret_key text, publishable_key text DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_check_keys';
REVOKE ALL ON FUNCTION billstack.check_keys(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.check_keys(text, text) IS 'the Stripe account that keys belong to; nothing is stored';

CREATE FUNCTION billstack.validate(team text, integration text DEFAULT 'default')
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_validate';
REVOKE ALL ON FUNCTION billstack.validate(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.validate(text, text) IS 'ask Stripe whether the stored key is valid and which kinds of objects it may read';

CREATE FUNCTION billstack.rotate_keys(team text, secret_key text, publishable_key text DEFAULT NULL, webhook_secret text DEFAULT NULL, integration text DEFAULT 'default', allow_account_change boolean DEFAULT false)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_rotate_keys';
REVOKE ALL ON FUNCTION billstack.rotate_keys(text, text, text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION billstack.rotate_keys(text, text, text, text, text, boolean) IS 'store new keys of the same Stripe account; NULL keeps the stored one';
