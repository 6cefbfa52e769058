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
-- Money of several currencies is not added up: the account's own, and its minor unit.
SELECT currency, upper(currency) AS money,
       CASE WHEN currency IN ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'ugx',
                              'vnd', 'vuv', 'xaf', 'xof', 'xpf') THEN 1 ELSE 100 END AS unit
  FROM (SELECT COALESCE((SELECT default_currency FROM billstack.integrations WHERE team = 'acme'),
                        (SELECT currency FROM invoices GROUP BY currency ORDER BY count(*) DESC LIMIT 1),
                        'usd') AS currency) AS account \gset

\echo '## Revenue by month  (invoices paid,' :money 'only, the last 12 months with any)'
SELECT to_char(date_trunc('month', created), 'YYYY-MM') AS month, count(*) AS invoices,
       round(sum(amount_paid)::numeric / :unit, 2) AS :"money"
  FROM invoices
 WHERE status = 'paid' AND currency = :'currency' AND _deleted_at IS NULL
 GROUP BY 1 ORDER BY 1 DESC LIMIT 12;

\echo '## Subscriptions by status'
SELECT status, count(*) AS subscriptions, count(DISTINCT customer) AS customers
  FROM subscriptions WHERE _deleted_at IS NULL
 GROUP BY status ORDER BY count(*) DESC;

\echo '## Top customers by amount paid'
SELECT c.id, c.name, c.email, count(*) AS invoices, round(sum(i.amount_paid)::numeric / :unit, 2) AS :"money"
  FROM customers AS c JOIN invoices AS i ON i.customer = c.id
 WHERE i.status = 'paid' AND i.currency = :'currency' AND i._deleted_at IS NULL
 GROUP BY c.id ORDER BY sum(i.amount_paid) DESC LIMIT 5;
