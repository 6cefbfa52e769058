-- One row per range, with the time it has covered and the time that is left of it (unix seconds):
-- lists are newest first, and nothing of an account is expected to be older than the account.
CREATE VIEW billstack_internal.range_progress AS
SELECT r.id AS run_id, r.integration_id, q.object, q.range_no, q.state, q.synced,
       CASE q.state
            WHEN 'done' THEN GREATEST(0, t.top OPERATOR(pg_catalog.-) COALESCE(q.created_gte, q.cursor_created, t.top))
            ELSE GREATEST(0, t.top OPERATOR(pg_catalog.-) q.cursor_created) END AS covered,
       CASE WHEN q.state OPERATOR(pg_catalog.<>) 'open' THEN 0
            ELSE GREATEST(0, COALESCE(q.cursor_created, t.top) OPERATOR(pg_catalog.-) GREATEST(q.created_gte, b.oldest)) END AS left_over,
       q.cursor_created IS NOT NULL AS begun
  FROM billstack_internal.backfill_range AS q
  JOIN billstack_internal.backfill_run AS r ON r.id OPERATOR(pg_catalog.=) q.run_id
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) r.integration_id
  CROSS JOIN LATERAL (
       SELECT COALESCE(GREATEST(q.newest_created, q.created_lte),
                       pg_catalog.floor(EXTRACT(epoch FROM r.stripe_started_at))::bigint) AS top) AS t
  CROSS JOIN LATERAL (
       SELECT pg_catalog.floor(EXTRACT(epoch FROM GREATEST(i.account_created, r.created_after)))::bigint AS oldest) AS b;
REVOKE ALL ON billstack_internal.range_progress FROM PUBLIC;
COMMENT ON VIEW billstack_internal.range_progress IS 'time covered by each range of a backfill, and time left';

-- One row per run and kind. What is left of a range is estimated from its own density, drawn towards
-- the kind's as long as few rows have been seen (as if 100 more had come at the kind's density); of a
-- range not begun from the kind's.
CREATE VIEW billstack_internal.object_progress AS
SELECT r.id AS run_id, r.integration_id, g.object, g.synced, g.changed, g.started_at,
       CASE WHEN g.open_ranges OPERATOR(pg_catalog.=) 0 THEN g.finished_at END AS finished_at,
       CASE WHEN g.failed THEN 'failed'
            WHEN g.skipped THEN 'skipped'
            WHEN g.open_ranges OPERATOR(pg_catalog.=) 0 THEN 'done'
            WHEN r.state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running']) THEN
                 CASE WHEN g.started_at IS NULL THEN 'queued' ELSE 'running' END
            ELSE r.state END AS state,
       CASE WHEN g.open_ranges OPERATOR(pg_catalog.=) 0 AND NOT g.failed AND NOT g.skipped THEN g.synced
            ELSE (g.synced OPERATOR(pg_catalog.+) e.left_over)::bigint END AS estimated_total,
       g.error
  FROM billstack_internal.backfill_run AS r
  CROSS JOIN LATERAL (
       SELECT q.object, pg_catalog.sum(q.synced)::bigint AS synced,
              pg_catalog.sum(q.changed)::bigint AS changed,
              pg_catalog.min(q.started_at) AS started_at, pg_catalog.max(q.finished_at) AS finished_at,
              pg_catalog.count(*) FILTER (WHERE q.state OPERATOR(pg_catalog.=) 'open') AS open_ranges,
              pg_catalog.bool_or(q.state OPERATOR(pg_catalog.=) 'failed') AS failed,
              pg_catalog.bool_or(q.state OPERATOR(pg_catalog.=) 'skipped') AS skipped,
              (pg_catalog.array_agg(q.error OPERATOR(pg_catalog.||) COALESCE('. ' OPERATOR(pg_catalog.||) q.hint, '')
                   ORDER BY q.state OPERATOR(pg_catalog.=) 'open', q.range_no)
                   FILTER (WHERE q.error IS NOT NULL))[1] AS error
         FROM billstack_internal.backfill_range AS q
        WHERE q.run_id OPERATOR(pg_catalog.=) r.id
        GROUP BY q.object
       UNION ALL
       SELECT o.object, 0, 0, NULL, NULL, 1, false, false, NULL
         FROM pg_catalog.unnest(r.objects) AS o (object)
        WHERE NOT EXISTS (SELECT 1 FROM billstack_internal.backfill_range AS q
                           WHERE q.run_id OPERATOR(pg_catalog.=) r.id)) AS g
  CROSS JOIN LATERAL (
       -- NULL as soon as one open range has nothing to go by
       SELECT CASE WHEN pg_catalog.bool_and(w.rows_left IS NOT NULL) THEN pg_catalog.ceil(pg_catalog.sum(w.rows_left)) END AS left_over
         FROM (SELECT CASE WHEN p.state OPERATOR(pg_catalog.<>) 'open' OR p.left_over OPERATOR(pg_catalog.=) 0 THEN 0
                           WHEN NOT p.begun THEN p.left_over OPERATOR(pg_catalog.*) d.density
                           WHEN d.density OPERATOR(pg_catalog.>) 0 THEN
                                p.left_over OPERATOR(pg_catalog.*) (p.synced OPERATOR(pg_catalog.+) 100)
                                OPERATOR(pg_catalog./) (p.covered OPERATOR(pg_catalog.+) (100 OPERATOR(pg_catalog./) d.density))
                           END AS rows_left
                 FROM billstack_internal.range_progress AS p
                CROSS JOIN (SELECT pg_catalog.sum(o.synced) OPERATOR(pg_catalog./) NULLIF(pg_catalog.sum(o.covered), 0) AS density
                              FROM billstack_internal.range_progress AS o
                             WHERE o.run_id OPERATOR(pg_catalog.=) r.id AND o.object OPERATOR(pg_catalog.=) g.object
                               AND (o.begun OR o.state OPERATOR(pg_catalog.=) 'done')) AS d
                WHERE p.run_id OPERATOR(pg_catalog.=) r.id AND p.object OPERATOR(pg_catalog.=) g.object) AS w) AS e;
REVOKE ALL ON billstack_internal.object_progress FROM PUBLIC;
COMMENT ON VIEW billstack_internal.object_progress IS 'progress of each run and kind, ranges summed up';

CREATE VIEW billstack.sync_progress WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, p.object, p.state, p.synced, p.estimated_total,
       CASE WHEN p.state OPERATOR(pg_catalog.=) 'done' THEN 100::numeric
            WHEN p.estimated_total OPERATOR(pg_catalog.>) 0 AND p.state OPERATOR(pg_catalog.<>) 'skipped' THEN
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
       SELECT DISTINCT ON (o.object) o.object, r.id AS run_id
         FROM billstack_internal.backfill_run AS r, pg_catalog.unnest(r.objects) AS o (object)
        WHERE r.integration_id OPERATOR(pg_catalog.=) i.id
        ORDER BY o.object, r.id DESC) AS n
  JOIN billstack_internal.object_progress AS p
    ON p.run_id OPERATOR(pg_catalog.=) n.run_id AND p.object OPERATOR(pg_catalog.=) n.object
  JOIN billstack_internal.backfill_run AS f ON f.id OPERATOR(pg_catalog.=) p.run_id
  CROSS JOIN LATERAL (
       SELECT CASE WHEN p.synced OPERATOR(pg_catalog.>) 0 THEN
              pg_catalog.round(p.synced OPERATOR(pg_catalog./) GREATEST(0.001, EXTRACT(epoch FROM
                   COALESCE(p.finished_at, f.finished_at, pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) p.started_at)), 1)
              END AS rows_per_second) AS s
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.sync_progress FROM PUBLIC;
COMMENT ON VIEW billstack.sync_progress IS 'newest backfill of each kind: rows, estimate, speed and time left, errors in plain words';

-- The whole of each run. to_check: objects that Stripe no longer lists and that are still to be read by id.
CREATE VIEW billstack.backfills WITH (security_barrier = true) AS
SELECT i.team, i.name AS integration, r.id AS run_id, r.state, k.synced,
       k.estimated_total,
       CASE WHEN r.state OPERATOR(pg_catalog.=) 'done' THEN 100::numeric
            WHEN k.estimated_total OPERATOR(pg_catalog.>) 0 THEN
                 pg_catalog.round(LEAST(99.9, 100::numeric OPERATOR(pg_catalog.*) k.synced OPERATOR(pg_catalog./) k.estimated_total), 1)
       END AS percent,
       s.rows_per_second,
       CASE WHEN r.state OPERATOR(pg_catalog.=) 'running' AND s.rows_per_second OPERATOR(pg_catalog.>) 0 THEN
                 pg_catalog.make_interval(secs => pg_catalog.ceil(GREATEST(k.estimated_total OPERATOR(pg_catalog.-) k.synced, 0)
                      OPERATOR(pg_catalog./) s.rows_per_second)::double precision)
       END AS eta,
       r.started_at, r.finished_at, r.error, r.error_code, r.hint, r.objects, k.skipped, k.open_kinds, c.to_check,
       r.created_after, r.requested_by, r.requested_at
  FROM billstack_internal.backfill_run AS r
  JOIN billstack_internal.integration AS i ON i.id OPERATOR(pg_catalog.=) r.integration_id
  CROSS JOIN LATERAL (
       SELECT pg_catalog.sum(q.synced)::bigint AS synced,
              CASE WHEN pg_catalog.bool_and(q.estimated_total IS NOT NULL OR q.state OPERATOR(pg_catalog.=) ANY (ARRAY['skipped', 'failed']))
                   THEN pg_catalog.sum(COALESCE(q.estimated_total, q.synced))::bigint END AS estimated_total,
              COALESCE(pg_catalog.array_agg(q.object ORDER BY q.object)
                   FILTER (WHERE q.state OPERATOR(pg_catalog.=) 'skipped'), '{}') AS skipped,
              COALESCE(pg_catalog.array_agg(q.object ORDER BY q.object)
                   FILTER (WHERE q.state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running'])), '{}') AS open_kinds
         FROM billstack_internal.object_progress AS q
        WHERE q.run_id OPERATOR(pg_catalog.=) r.id) AS k
  CROSS JOIN LATERAL (
       SELECT pg_catalog.count(*) AS to_check FROM billstack_internal.refetch AS f
        WHERE f.run_id OPERATOR(pg_catalog.=) r.id) AS c
  CROSS JOIN LATERAL (
       SELECT CASE WHEN k.synced OPERATOR(pg_catalog.>) 0 THEN
              pg_catalog.round(k.synced OPERATOR(pg_catalog./) GREATEST(0.001, EXTRACT(epoch FROM
                   COALESCE(r.finished_at, pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.-) r.started_at)), 1)
              END AS rows_per_second) AS s
 WHERE i.id OPERATOR(pg_catalog.=) ANY (SELECT v.id FROM billstack_internal.visible_integration AS v);
REVOKE ALL ON billstack.backfills FROM PUBLIC;
COMMENT ON VIEW billstack.backfills IS 'each backfill as a whole: rows, estimate, speed and time left, kinds skipped, the error with its SQLSTATE and what to do';
