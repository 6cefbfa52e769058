CREATE VIEW billstack.subscriptions WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration,
       pg_catalog.format('%I.%I(jsonb)', s.handler_schema, s.handler_name) AS handler,
       s.events, s.role_name AS role, c.pending, c.failed, c.next_try, e.error AS last_error, s.created_at
  FROM billstack_internal.subscription AS s
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) s.integration_id
 CROSS JOIN LATERAL (
       SELECT pg_catalog.count(*) FILTER (WHERE h.failed_at IS NULL) AS pending,
              pg_catalog.count(*) FILTER (WHERE h.failed_at IS NOT NULL) AS failed,
              pg_catalog.min(h.next_try) FILTER (WHERE h.failed_at IS NULL) AS next_try
         FROM billstack_internal.handler_call AS h
        WHERE h.subscription_id OPERATOR(pg_catalog.=) s.id) AS c
  LEFT JOIN LATERAL (
       SELECT h.error FROM billstack_internal.handler_call AS h
        WHERE h.subscription_id OPERATOR(pg_catalog.=) s.id AND h.error IS NOT NULL
        ORDER BY COALESCE(h.failed_at, h.next_try) DESC NULLS LAST, h.id DESC
        LIMIT 1) AS e ON true
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.subscriptions FROM PUBLIC;
COMMENT ON VIEW billstack.subscriptions IS 'one row per handler: its events, its role, calls not yet made and calls given up';

CREATE VIEW billstack.failed_handler_calls WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration,
       pg_catalog.format('%I.%I(jsonb)', s.handler_schema, s.handler_name) AS handler,
       s.role_name AS role, h.event_id, e.event_type, h.event_created, h.attempts, h.failed_at, h.error
  FROM billstack_internal.handler_call AS h
  JOIN billstack_internal.subscription AS s ON s.id OPERATOR(pg_catalog.=) h.subscription_id
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) s.integration_id
  LEFT JOIN billstack_internal.event AS e
       ON e.integration_id OPERATOR(pg_catalog.=) h.integration_id
      AND e.event_id OPERATOR(pg_catalog.=) h.event_id
      AND e.event_created OPERATOR(pg_catalog.=) h.event_created
 WHERE h.failed_at IS NOT NULL
   AND i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.failed_handler_calls FROM PUBLIC;
COMMENT ON VIEW billstack.failed_handler_calls IS 'calls of handlers that were given up, with attempts and error';
