CREATE FUNCTION billstack.health(OUT check_name text, OUT status text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_health';
REVOKE ALL ON FUNCTION billstack.health() FROM PUBLIC;
COMMENT ON FUNCTION billstack.health() IS 'one row a check (ok, warn, fail) with what to do: library, launcher, worker, versions, key ring, and the integrations of the teams you may see';
