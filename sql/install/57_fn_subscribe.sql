CREATE FUNCTION billstack.subscribe(team text, events text[], handler regprocedure, integration text DEFAULT 'default')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_subscribe';
REVOKE ALL ON FUNCTION billstack.subscribe(text, text[], regprocedure, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.subscribe(text, text[], regprocedure, text) IS 'call a function for each event of these types from now on, as the current role';

CREATE FUNCTION billstack.unsubscribe(team text, handler regprocedure, integration text DEFAULT 'default')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_unsubscribe';
REVOKE ALL ON FUNCTION billstack.unsubscribe(text, regprocedure, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.unsubscribe(text, regprocedure, text) IS 'stop calling a function; calls not yet made are dropped';

-- For a handler that has been dropped, and for the column handler of billstack.subscriptions.
CREATE FUNCTION billstack.unsubscribe(team text, handler text, integration text DEFAULT 'default')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_unsubscribe_by_name';
REVOKE ALL ON FUNCTION billstack.unsubscribe(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.unsubscribe(text, text, text) IS 'stop calling a function, named by schema and name; it need not exist any more';
