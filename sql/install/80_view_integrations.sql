-- A barrier: conditions of the reader are not run over rows he may not see.
CREATE VIEW billstack.integrations WITH (security_barrier = true) AS
SELECT i.team,
       i.name AS integration,
       i.account_id,
       i.account_name,
       i.country,
       i.default_currency,
       i.livemode,
       i.key_masked AS key,
       i.publishable_key,
       i.webhook_secret_state AS webhook_secret,
       i.key_valid,
       i.is_active AND NOT here.is_copy AS is_active,
       CASE WHEN EXISTS (SELECT FROM billstack_internal.backfill_run AS r
                          WHERE r.integration_id OPERATOR(pg_catalog.=) i.id
                            AND (r.state OPERATOR(pg_catalog.=) 'queued' OR r.state OPERATOR(pg_catalog.=) 'running'))
            THEN 'syncing' ELSE i.sync_status END AS sync_status,
       (SELECT pg_catalog.count(*)::integer FROM billstack_internal.project AS p
         WHERE p.integration_id OPERATOR(pg_catalog.=) i.id) AS linked_projects,
       i.last_validated_at,
       CASE WHEN here.is_copy
            THEN pg_catalog.concat('this database is a copy of the one in which team "', i.team, '" was connected; call billstack.arm(''', i.team, ''') to activate it here')
            ELSE i.last_error END AS last_error,
       i.schema_name,
       -- In a copy the stored OID is the original's, here perhaps a stranger's.
       EXISTS (SELECT FROM pg_catalog.pg_namespace AS n
                WHERE CASE WHEN here.is_copy THEN n.nspname OPERATOR(pg_catalog.=) i.schema_name
                           ELSE n.oid OPERATOR(pg_catalog.=) i.schema_oid END) AS schema_exists,
       i.owner_name AS owner,
       i.created_at
  FROM billstack_internal.integration AS i
 CROSS JOIN (SELECT c.system_identifier, d.oid AS database_oid
               FROM pg_catalog.pg_control_system() AS c
               JOIN pg_catalog.pg_database AS d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) AS this
 CROSS JOIN LATERAL (SELECT i.system_identifier OPERATOR(pg_catalog.<>) this.system_identifier
                         OR i.database_oid OPERATOR(pg_catalog.<>) this.database_oid AS is_copy) AS here
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.integrations FROM PUBLIC;
COMMENT ON VIEW billstack.integrations IS 'one row per integration of the teams you may see; secrets masked';
