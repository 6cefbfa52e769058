-- Who may see an integration: its owner, the team's owner, whoever holds a grant that covers the
-- team (but one of profile policy), and the extension's owner; members of these roles too. The rule of src/pg/access/team_access.cpp.
CREATE VIEW billstack_internal.visible_integration AS
SELECT i.id
  FROM billstack_internal.integration AS i
  JOIN billstack_internal.team AS t ON t.team OPERATOR(pg_catalog.=) i.team
 WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS o
                WHERE (o.rolname OPERATOR(pg_catalog.=) t.owner_name
                       OR o.rolname OPERATOR(pg_catalog.=) i.owner_name
                       OR EXISTS (SELECT FROM billstack_internal.access_grant AS g
                                   WHERE g.role_name OPERATOR(pg_catalog.=) o.rolname
                                     AND g.profile OPERATOR(pg_catalog.<>) 'policy'
                                     AND (g.team OPERATOR(pg_catalog.=) '' OR g.team OPERATOR(pg_catalog.=) i.team))
                       OR EXISTS (SELECT FROM pg_catalog.pg_extension AS e
                                   WHERE e.extname OPERATOR(pg_catalog.=) 'billstack'
                                     AND e.extowner OPERATOR(pg_catalog.=) o.oid))
                  AND pg_catalog.pg_has_role(o.oid, 'USAGE'));
REVOKE ALL ON billstack_internal.visible_integration FROM PUBLIC;
COMMENT ON VIEW billstack_internal.visible_integration IS 'integrations the current role may see';

-- Handing in webhooks is no right to read those of others, nor what they have come to.
CREATE VIEW billstack_internal.billed_integration AS
SELECT i.id
  FROM billstack_internal.integration AS i
  JOIN billstack_internal.team AS t ON t.team OPERATOR(pg_catalog.=) i.team
 WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS o
                WHERE (o.rolname OPERATOR(pg_catalog.=) t.owner_name
                       OR o.rolname OPERATOR(pg_catalog.=) i.owner_name
                       OR EXISTS (SELECT FROM billstack_internal.access_grant AS g
                                   WHERE g.role_name OPERATOR(pg_catalog.=) o.rolname
                                     AND g.profile OPERATOR(pg_catalog.<>) ALL ('{policy,webhook}')
                                     AND (g.team OPERATOR(pg_catalog.=) '' OR g.team OPERATOR(pg_catalog.=) i.team))
                       OR EXISTS (SELECT FROM pg_catalog.pg_extension AS e
                                   WHERE e.extname OPERATOR(pg_catalog.=) 'billstack'
                                     AND e.extowner OPERATOR(pg_catalog.=) o.oid))
                  AND pg_catalog.pg_has_role(o.oid, 'USAGE'));
REVOKE ALL ON billstack_internal.billed_integration FROM PUBLIC;
COMMENT ON VIEW billstack_internal.billed_integration IS 'integrations of which the current role may see who pays what, and events';
