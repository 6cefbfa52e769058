CREATE FUNCTION billstack.connect(team text, secret_key text, publishable_key text DEFAULT NULL, webhook_secret text DEFAULT NULL, integration text DEFAULT 'default', adopt boolean DEFAULT false)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_connect';
REVOKE ALL ON FUNCTION billstack.connect(text, text, text, text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION billstack.connect(text, text, text, text, text, boolean) IS 'verify a Stripe key, seal it and make the mirror schema; the first connect makes the team';

CREATE FUNCTION billstack.disconnect(team text, integration text DEFAULT 'default', drop_dependents boolean DEFAULT false)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_disconnect';
REVOKE ALL ON FUNCTION billstack.disconnect(text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION billstack.disconnect(text, text, boolean) IS 'forget the keys and drop the mirror schema, refused while it holds or carries objects of others';

CREATE FUNCTION billstack.upgrade_mirror(team text, integration text DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_upgrade_mirror';
REVOKE ALL ON FUNCTION billstack.upgrade_mirror(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.upgrade_mirror(text, text) IS 'add and fill what the mirror schemas of a team lack of the current layout; NULL: all integrations';

CREATE FUNCTION billstack.set_owner(team text, owner regrole, integration text DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_set_owner';
REVOKE ALL ON FUNCTION billstack.set_owner(text, regrole, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.set_owner(text, regrole, text) IS 'hand a team and its mirror schemas, or one integration''s, to another role';

CREATE FUNCTION billstack.arm(team text)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_arm';
REVOKE ALL ON FUNCTION billstack.arm(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.arm(text) IS 'let a restored or copied database talk to Stripe for this team';
