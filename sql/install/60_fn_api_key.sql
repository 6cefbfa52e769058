CREATE FUNCTION billstack.create_api_key(team text, name text, project text DEFAULT NULL, scopes text[] DEFAULT '{}', expires_at timestamptz DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_create_api_key';
REVOKE ALL ON FUNCTION billstack.create_api_key(text, text, text, text[], timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_api_key(text, text, text, text[], timestamptz) IS 'make an API key; the answer is the only place that ever shows it';

CREATE FUNCTION billstack.list_api_keys(team text)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_list_api_keys';
REVOKE ALL ON FUNCTION billstack.list_api_keys(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_api_keys(text) IS 'API keys of a team with scopes, expiry, revocation and last use; never the keys themselves';

CREATE FUNCTION billstack.revoke_api_key(id text)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_revoke_api_key';
REVOKE ALL ON FUNCTION billstack.revoke_api_key(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.revoke_api_key(text) IS 'end an API key; authenticate() refuses it from the commit on';

CREATE FUNCTION billstack.authenticate(api_key text)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_authenticate';
REVOKE ALL ON FUNCTION billstack.authenticate(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.authenticate(text) IS 'let the running transaction act for an API key: within its team, project and scopes and no further';
