CREATE SCHEMA billstack;
REVOKE ALL ON SCHEMA billstack FROM PUBLIC;
COMMENT ON SCHEMA billstack IS 'billstack: functions and views for DBAs and applications';

CREATE SCHEMA billstack_internal;
REVOKE ALL ON SCHEMA billstack_internal FROM PUBLIC;
COMMENT ON SCHEMA billstack_internal IS 'billstack: tables of the extension; nothing here is granted to anyone';
