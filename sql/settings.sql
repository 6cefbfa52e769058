-- The settings: contexts, limits, values that are refused; the mark of the extension.
LOAD 'billstack';
-- Those of context postmaster are there only when it is preloaded.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS billstack;
RESET client_min_messages;
\pset format unaligned
SELECT name, context, unit, min_val, max_val,
       CASE WHEN name = 'billstack.master_key_file' THEN regexp_replace(boot_val, '^.*/billstack-[0-9]+', '<beside>/billstack-<id>') ELSE boot_val END AS boot
  FROM pg_settings WHERE name LIKE 'billstack.%' AND context <> 'postmaster' ORDER BY name;
-- Beside the data directory, not in it.
SELECT boot_val = regexp_replace(current_setting('data_directory'), '/[^/]*$', '') || '/billstack-' || c.system_identifier || '.keys' AS beside
  FROM pg_settings, pg_control_system() AS c WHERE name = 'billstack.master_key_file';

ALTER SYSTEM SET billstack.api_base = 'http://api.stripe.com';
ALTER SYSTEM SET billstack.api_base = 'https://api.stripe.com/v1';
ALTER SYSTEM SET billstack.api_base = 'https://user@api.stripe.com';
ALTER SYSTEM SET billstack.api_base = '';
ALTER SYSTEM SET billstack.api_version = E'2026-09-30\nX-Header: 1';
ALTER SYSTEM SET billstack.api_version = '';
ALTER SYSTEM SET billstack.ca_file = 'certs.pem';
ALTER SYSTEM SET billstack.http_timeout = '10ms';
ALTER SYSTEM SET billstack.master_key_file = 'keys';
ALTER SYSTEM SET billstack.master_key_file = '/';
ALTER SYSTEM SET billstack.max_requests = 0;
ALTER SYSTEM SET billstack.public_url = 'ftp://example.com';
ALTER SYSTEM SET billstack.public_url = 'https://';
ALTER SYSTEM SET billstack.public_url = 'https://user@example.com';
ALTER SYSTEM SET billstack.public_url = 'https://example.com/?a=b';
ALTER SYSTEM SET billstack.no_such_setting = 1;
SET billstack.http_timeout = '1s';

CREATE ROLE regress_settings_plain;
SET ROLE regress_settings_plain;
SELECT name FROM pg_settings WHERE name LIKE 'billstack.%' AND context <> 'postmaster' ORDER BY name;
SET billstack.enabled = on;
RESET ROLE;
DROP ROLE regress_settings_plain;

-- CREATE EXTENSION has left the mark that the launcher looks for.
SELECT count(*) AS marks FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
 WHERE d.datname = current_database() AND 'billstack.enabled=on' = ANY (s.setconfig) AND s.setrole = 0;
SELECT check_name, status FROM billstack.health() WHERE check_name = 'version';
