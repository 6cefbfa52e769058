CREATE FUNCTION billstack_internal.note_installed() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_note_installed';
REVOKE ALL ON FUNCTION billstack_internal.note_installed() FROM PUBLIC;
COMMENT ON FUNCTION billstack_internal.note_installed() IS 'marks this database for the launcher: ALTER DATABASE ... SET billstack.enabled = on; called when the extension is installed, and by hand after a restore that left the mark behind';

DO $$
BEGIN
    PERFORM billstack_internal.note_installed();
END
$$;
