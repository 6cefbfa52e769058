-- What the demo shows of the mirror. A line that starts with ## is a heading.
\set ON_ERROR_STOP on
\echo
\echo '## Status'
SELECT s->>'accountName' AS account, s->>'syncStatus' AS "sync", s->>'keyValid' AS "key valid",
       s->>'livemode' AS livemode, s->>'lastValidatedAt' AS validated
  FROM billstack.status('acme') AS s;
SELECT object, state, synced, rows_per_second AS "rows/s", finished_at - started_at AS took
  FROM billstack.sync_progress WHERE team = 'acme' ORDER BY started_at, object;

SET search_path = stripe_team_acme;

\echo '## Revenue by month  (invoices paid, last 12 months)'
SELECT to_char(date_trunc('month', created), 'YYYY-MM') AS month, upper(currency) AS currency,
       count(*) AS invoices, to_char(sum(amount_paid) / 100.0, 'FM999,999,990.00') AS paid
  FROM invoices
 WHERE status = 'paid' AND _deleted_at IS NULL
 GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 12;

\echo '## Subscriptions by status'
SELECT status, count(*) AS subscriptions, count(DISTINCT customer) AS customers
  FROM subscriptions WHERE _deleted_at IS NULL
 GROUP BY status ORDER BY count(*) DESC;

\echo '## Top customers by amount paid'
SELECT c.name, c.email, count(*) AS invoices, to_char(sum(i.amount_paid) / 100.0, 'FM999,999,990.00') AS paid,
       upper(i.currency) AS currency
  FROM customers c JOIN invoices i ON i.customer = c.id
 WHERE i.status = 'paid' AND i._deleted_at IS NULL
 GROUP BY c.id, c.name, c.email, i.currency
 ORDER BY sum(i.amount_paid) DESC LIMIT 5;
