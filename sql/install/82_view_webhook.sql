-- Never holds a row: what is inserted goes through the trigger. The last three columns are outputs.
CREATE VIEW billstack.webhook_inbox AS
SELECT NULL::text AS team, NULL::text AS integration, NULL::text AS payload, NULL::text AS signature,
       NULL::text AS event_id, NULL::boolean AS duplicate, NULL::timestamptz AS received_at
 WHERE false;
ALTER VIEW billstack.webhook_inbox ALTER COLUMN integration SET DEFAULT 'default';
REVOKE ALL ON billstack.webhook_inbox FROM PUBLIC;
COMMENT ON VIEW billstack.webhook_inbox IS 'insert Stripe''s signed events here: team, integration, payload (the raw body) and signature (the Stripe-Signature header); event_id, duplicate and received_at come back with RETURNING';
CREATE TRIGGER receive_row INSTEAD OF INSERT ON billstack.webhook_inbox
    FOR EACH ROW EXECUTE FUNCTION billstack_internal.receive_row();

-- What this server knows of an inbox and has not written down yet.
CREATE FUNCTION billstack.inbox_counters(integration_id integer, OUT duplicates bigint, OUT last_event_at timestamptz,
    OUT last_refused_at timestamptz, OUT last_refusal text)
    RETURNS record LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_inbox_counters';
REVOKE ALL ON FUNCTION billstack.inbox_counters(integer) FROM PUBLIC;
COMMENT ON FUNCTION billstack.inbox_counters(integer) IS 'part of the view inbox_status: counters that are in memory only';

CREATE FUNCTION billstack.event_json(payload bytea)
    RETURNS json LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_event_json';
REVOKE ALL ON FUNCTION billstack.event_json(bytea) FROM PUBLIC;
COMMENT ON FUNCTION billstack.event_json(bytea) IS 'the body of an event as json; NULL when it is not one that can be applied';

CREATE VIEW billstack.webhook_events WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, e.event_id, e.event_type AS type,
       NULLIF(e.event_created, 'epoch'::timestamptz) AS created,
       e.received_at, e.processed_at, e.status, e.outcome, e.kind AS object_kind, e.object_id, e.attempts, e.error,
       billstack.event_json(e.payload) AS payload, e.routing, e.project_id AS project
  FROM (SELECT b.integration_id, b.event_id, b.event_type, b.event_created, b.received_at,
               NULL::timestamptz AS processed_at,
               CASE WHEN b.failed_at IS NULL THEN 'pending' ELSE 'failed' END AS status,
               NULL::text AS outcome, NULL::text AS kind, NULL::text AS object_id, b.attempts, b.error, b.payload,
               NULL::text AS project_id, NULL::text AS routing
          FROM billstack_internal.inbox AS b
        UNION ALL
        SELECT d.integration_id, d.event_id, d.event_type, d.event_created, d.received_at,
               d.processed_at, 'done', d.outcome, d.kind, d.object_id, d.attempts, NULL, d.payload,
               d.project_id, d.routing
          FROM billstack_internal.event AS d) AS e
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) e.integration_id
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.billed_integration AS v);
REVOKE ALL ON billstack.webhook_events FROM PUBLIC;
COMMENT ON VIEW billstack.webhook_events IS 'every event of the inbox and the ledger: pending, failed (a dead letter) or done, with what became of it and which project it belongs to';

CREATE VIEW billstack.failed_events WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, e.event_id, e.event_type AS type,
       NULLIF(e.event_created, 'epoch'::timestamptz) AS created,
       e.received_at, e.failed_at, e.attempts, e.error, e.handler,
       billstack.event_json(e.payload) AS payload, e.payload AS body
  FROM (SELECT b.integration_id, b.event_id, b.event_type, b.event_created, b.received_at, b.failed_at,
               b.attempts, b.error, NULL::text AS handler, b.payload
          FROM billstack_internal.inbox AS b
         WHERE b.failed_at IS NOT NULL
        UNION ALL
        SELECT c.integration_id, c.event_id, d.event_type, c.event_created, d.received_at, c.failed_at,
               c.attempts, c.error,
               pg_catalog.concat(pg_catalog.quote_ident(s.handler_schema::text), '.', pg_catalog.quote_ident(s.handler_name::text)),
               d.payload
          FROM billstack_internal.handler_call AS c
          JOIN billstack_internal.subscription AS s ON s.id OPERATOR(pg_catalog.=) c.subscription_id
          LEFT JOIN billstack_internal.event AS d ON d.integration_id OPERATOR(pg_catalog.=) c.integration_id
               AND d.event_id OPERATOR(pg_catalog.=) c.event_id
               AND d.event_created OPERATOR(pg_catalog.=) c.event_created
         WHERE c.failed_at IS NOT NULL) AS e
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) e.integration_id
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.billed_integration AS v);
REVOKE ALL ON billstack.failed_events FROM PUBLIC;
COMMENT ON VIEW billstack.failed_events IS 'dead letters: events that could not be applied, and (handler) calls of handlers that failed for good';

CREATE VIEW billstack.inbox_status WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, q.depth, q.oldest,
       COALESCE(s.processed, 0::bigint) AS processed, q.failed,
       COALESCE(s.duplicates, 0::bigint) OPERATOR(pg_catalog.+) m.duplicates AS duplicates,
       q.bytes, h.failed_calls,
       GREATEST(s.last_event_at, m.last_event_at, q.newest) AS last_event_at,
       COALESCE(m.last_refused_at, s.last_refused_at) AS last_refused_at,
       COALESCE(m.last_refusal, s.last_refusal) AS last_refusal
  FROM billstack_internal.integration AS i
 CROSS JOIN LATERAL (
       SELECT pg_catalog.count(*) FILTER (WHERE b.failed_at IS NULL) AS depth,
              pg_catalog.count(b.failed_at) AS failed,
              pg_catalog.min(b.received_at) FILTER (WHERE b.failed_at IS NULL) AS oldest,
              pg_catalog.max(b.received_at) AS newest,
              COALESCE(pg_catalog.sum(pg_catalog.octet_length(b.payload)), 0::bigint) AS bytes
         FROM billstack_internal.inbox AS b
        WHERE b.integration_id OPERATOR(pg_catalog.=) i.id) AS q
 CROSS JOIN LATERAL (
       SELECT pg_catalog.count(*) AS failed_calls
         FROM billstack_internal.handler_call AS c
        WHERE c.integration_id OPERATOR(pg_catalog.=) i.id AND c.failed_at IS NOT NULL) AS h
 CROSS JOIN LATERAL billstack.inbox_counters(i.id) AS m
  LEFT JOIN billstack_internal.inbox_stat AS s ON s.integration_id OPERATOR(pg_catalog.=) i.id
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.inbox_status FROM PUBLIC;
COMMENT ON VIEW billstack.inbox_status IS 'one row per integration: how many events wait, since when, how many are done, failed and were duplicates';
