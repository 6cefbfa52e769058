-- Backends that receive events remember integrations, open webhook secrets and who may hand them
-- events in. A change of these tables tells all of them by the server's invalidation messages,
-- which arrive before the change's own transaction returns. ALWAYS: also where rows arrive by
-- replication.
CREATE FUNCTION billstack_internal.note_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_note_change';
REVOKE ALL ON FUNCTION billstack_internal.note_change() FROM PUBLIC;
COMMENT ON FUNCTION billstack_internal.note_change() IS 'tells every backend that what it remembers of a table is out of date';

CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON billstack_internal.team
    FOR EACH STATEMENT EXECUTE FUNCTION billstack_internal.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON billstack_internal.integration
    FOR EACH STATEMENT EXECUTE FUNCTION billstack_internal.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON billstack_internal.sealed_key
    FOR EACH STATEMENT EXECUTE FUNCTION billstack_internal.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON billstack_internal.access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION billstack_internal.note_change();
ALTER TABLE billstack_internal.team ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE billstack_internal.integration ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE billstack_internal.sealed_key ENABLE ALWAYS TRIGGER note_change;
ALTER TABLE billstack_internal.access_grant ENABLE ALWAYS TRIGGER note_change;
