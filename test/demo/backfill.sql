-- Progress arrives as NOTICE while it runs.
\set ON_ERROR_STOP on
\o /dev/null
CALL billstack.run_backfill('acme');
