CREATE VIEW billstack.calls WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, c.project_id AS project, c.operation, c.method, c.path, c.idempotency_key, c.state,
       c.object_id, c.request_id, c.http_status, c.error, c.sends, c.caller, c.created_at, c.last_sent_at AS sent_at, c.finished_at, c.caller_key,
       CASE WHEN c.round OPERATOR(pg_catalog.=) 0 THEN c.idempotency_key
       ELSE pg_catalog.concat(c.idempotency_key, '-', c.round) END AS sent_key
  FROM billstack_internal.intent AS c
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) c.integration_id
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.billed_integration AS v);
REVOKE ALL ON billstack.calls FROM PUBLIC;
COMMENT ON VIEW billstack.calls IS 'writes to Stripe of the last 30 days, with a key of the caller''s of the last 400, and what became of them; state: sent (the outcome is not known), done, refused, nothing (looked for and not found at Stripe), unknown (a change whose answer was lost, or a write to another account)';
