CREATE FUNCTION billstack.grant_access(role regrole, profile text, team text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_grant_access';
REVOKE ALL ON FUNCTION billstack.grant_access(regrole, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.grant_access(regrole, text, text) IS 'gives a role the profile admin, app, webhook, reader or policy for one team or, without a team, for all; applies to team schemas, kinds and functions that come later too';

CREATE FUNCTION billstack.revoke_access(role regrole, profile text, team text DEFAULT NULL) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_revoke_access';
REVOKE ALL ON FUNCTION billstack.revoke_access(regrole, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.revoke_access(regrole, text, text) IS 'takes back one grant of grant_access(); what another grant of the role still gives stays';

CREATE FUNCTION billstack_internal.apply_access() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_apply_access';
REVOKE ALL ON FUNCTION billstack_internal.apply_access() FROM PUBLIC;
COMMENT ON FUNCTION billstack_internal.apply_access() IS 'gives every recorded grant its rights again: called at the end of update scripts, and by hand after a restore';
