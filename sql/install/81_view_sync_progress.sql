-- One row per run and kind. The total is estimated from the density of what has been seen: lists are
-- newest first, and nothing of an account is expected to be older than the account.
CREATE VIEW billstack_internal.object_progress AS
SELECT r.id AS run_id, r.integration_id, g.object, g.synced, g.changed, g.started_at, g.finished_at,
       CASE WHEN g.open_ranges OPERATOR(pg_catalog.=) 0 AND NOT g.failed THEN 'done'
            WHEN g.failed THEN 'failed'
            WHEN r.state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running']) THEN
                 CASE WHEN g.started_at IS NULL THEN 'queued' ELSE 'running' END
            ELSE r.state END AS state,
       CASE WHEN g.open_ranges OPERATOR(pg_catalog.=) 0 AND NOT g.failed THEN g.synced
            WHEN g.cursor_created OPERATOR(pg_catalog.<) g.newest_created
                 AND b.oldest OPERATOR(pg_catalog.<) g.cursor_created THEN
                 pg_catalog.ceil(g.synced::numeric OPERATOR(pg_catalog.*) (g.newest_created OPERATOR(pg_catalog.-) b.oldest)
                      OPERATOR(pg_catalog./) (g.newest_created OPERATOR(pg_catalog.-) g.cursor_created))::bigint
       END AS estimated_total,
       g.error
  FROM billstack_internal.backfill_run AS r
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) r.integration_id
  CROSS JOIN LATERAL (
       SELECT q.object, pg_catalog.sum(q.synced)::bigint AS synced,
              pg_catalog.sum(q.changed)::bigint AS changed,
              pg_catalog.min(q.started_at) AS started_at, pg_catalog.max(q.finished_at) AS finished_at,
              pg_catalog.count(*) FILTER (WHERE q.state OPERATOR(pg_catalog.=) 'open') AS open_ranges,
              pg_catalog.bool_or(q.state OPERATOR(pg_catalog.=) 'failed') AS failed,
              pg_catalog.min(q.cursor_created) AS cursor_created,
              pg_catalog.max(q.newest_created) AS newest_created,
              pg_catalog.string_agg(q.error, '; ' ORDER BY q.range_no) AS error
         FROM billstack_internal.backfill_range AS q
        WHERE q.run_id OPERATOR(pg_catalog.=) r.id
        GROUP BY q.object
       UNION ALL
       SELECT o.object, 0, 0, NULL, NULL, 1, false, NULL, NULL, NULL
         FROM pg_catalog.unnest(r.objects) AS o (object)
        WHERE NOT EXISTS (SELECT 1 FROM billstack_internal.backfill_range AS q
                           WHERE q.run_id OPERATOR(pg_catalog.=) r.id)) AS g
  CROSS JOIN LATERAL (
       SELECT pg_catalog.floor(EXTRACT(epoch FROM GREATEST(i.account_created, r.created_after)))::bigint AS oldest) AS b;
REVOKE ALL ON billstack_internal.object_progress FROM PUBLIC;
COMMENT ON VIEW billstack_internal.object_progress IS 'progress of each run and kind, ranges summed up';

CREATE VIEW billstack.sync_progress WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, p.object, p.state, p.synced, p.estimated_total,
       CASE WHEN p.state OPERATOR(pg_catalog.=) 'done' THEN 100::numeric
            WHEN p.estimated_total OPERATOR(pg_catalog.>) 0 THEN
                 pg_catalog.round(LEAST(99.9, 100::numeric OPERATOR(pg_catalog.*) p.synced OPERATOR(pg_catalog./) p.estimated_total), 1)
       END AS percent,
       s.rows_per_second,
       CASE WHEN p.state OPERATOR(pg_catalog.=) 'running' AND s.rows_per_second OPERATOR(pg_catalog.>) 0 THEN
                 pg_catalog.make_interval(secs => pg_catalog.ceil(GREATEST(p.estimated_total OPERATOR(pg_catalog.-) p.synced, 0)
                      OPERATOR(pg_catalog./) s.rows_per_second)::double precision)
       END AS eta,
       p.started_at, p.finished_at, CASE WHEN p.state OPERATOR(pg_catalog.<>) 'done' THEN COALESCE(p.error, f.error) END AS error, p.run_id
  FROM billstack_internal.integration AS i
  CROSS JOIN LATERAL (
       SELECT DISTINCT ON (q.object) q.*
         FROM billstack_internal.object_progress AS q
        WHERE q.integration_id OPERATOR(pg_catalog.=) i.id
        ORDER BY q.object, q.run_id DESC) AS p
  JOIN billstack_internal.backfill_run AS f ON f.id OPERATOR(pg_catalog.=) p.run_id
  CROSS JOIN LATERAL (
       SELECT CASE WHEN p.synced OPERATOR(pg_catalog.>) 0 THEN
              pg_catalog.round(p.synced OPERATOR(pg_catalog./) GREATEST(0.001, EXTRACT(epoch FROM
                   COALESCE(p.finished_at, pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) p.started_at)), 1)
              END AS rows_per_second) AS s
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.sync_progress FROM PUBLIC;
COMMENT ON VIEW billstack.sync_progress IS 'newest backfill of each kind: rows, estimate, speed and time left, errors in plain words';
