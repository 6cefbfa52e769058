CREATE VIEW billstack.refetches WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, r.kind AS object_kind, r.object_id, r.reason, r.requested_at,
       r.due_at, r.attempts, r.error
  FROM billstack_internal.refetch AS r
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) r.integration_id
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.refetches FROM PUBLIC;
COMMENT ON VIEW billstack.refetches IS 'objects that are to be read from Stripe once more, with the reason and, while that fails, the error';
