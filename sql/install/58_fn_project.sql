CREATE FUNCTION billstack.create_project(team text, name text, integration text DEFAULT 'default', id text DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_project';
REVOKE ALL ON FUNCTION billstack.create_project(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_project(text, text, text, text) IS 'a product that the team sells, linked to the named integration, or with NULL to none';

CREATE FUNCTION billstack.list_projects(team text)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_list_projects';
REVOKE ALL ON FUNCTION billstack.list_projects(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_projects(text) IS 'the projects of a team, by name';

CREATE FUNCTION billstack.link_project(project text, integration text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_link_project';
REVOKE ALL ON FUNCTION billstack.link_project(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.link_project(text, text) IS 'let a project that is linked to nothing use this integration';

CREATE FUNCTION billstack.unlink_project(project text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_unlink_project';
REVOKE ALL ON FUNCTION billstack.unlink_project(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.unlink_project(text) IS 'take a project from its integration; its rows stay';
