-- One round: the baseline with both kinds of commit. Ours follow from copy.sql.
SET client_min_messages = warning;
SELECT bench.make_tables() \g /dev/null
CHECKPOINT;
SELECT pg_backend_pid() AS backend, clock_timestamp() AS started \gset
\set before `:cpu :backend`
CALL bench.upsert_pages();
\set after `:cpu :backend`
INSERT INTO bench.figure
SELECT :round, 'set-based SQL upsert, jsonb', sum(objects), extract(epoch FROM clock_timestamp() - :'started'),
       (:after - :before) / :ticks.0
  FROM bench.page;
SELECT bench.make_tables() \g /dev/null

-- The same with the commits our pages have: not waiting for the disk.
CHECKPOINT;
SET synchronous_commit = off;
SELECT clock_timestamp() AS started \gset
\set before `:cpu :backend`
CALL bench.upsert_pages();
\set after `:cpu :backend`
INSERT INTO bench.figure
SELECT :round, 'set-based SQL upsert, jsonb, asynchronous commit', sum(objects),
       extract(epoch FROM clock_timestamp() - :'started'), (:after - :before) / :ticks.0
  FROM bench.page;
RESET synchronous_commit;
SELECT bench.make_tables() \g /dev/null
