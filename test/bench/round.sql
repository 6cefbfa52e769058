-- One round: baseline, then ours, then ours again over the unchanged account.
SET client_min_messages = warning;
SELECT bench.make_tables() \g /dev/null
CHECKPOINT;
SELECT clock_timestamp() AS started \gset
CALL bench.upsert_pages();
INSERT INTO bench.figure
SELECT :round, 'set-based SQL upsert, jsonb', sum(objects), extract(epoch FROM clock_timestamp() - :'started')
  FROM bench.page;
SELECT bench.make_tables() \g /dev/null

-- The same with the commits our pages have: not waiting for the disk.
CHECKPOINT;
SET synchronous_commit = off;
SELECT clock_timestamp() AS started \gset
CALL bench.upsert_pages();
INSERT INTO bench.figure
SELECT :round, 'set-based SQL upsert, jsonb, asynchronous commit', sum(objects),
       extract(epoch FROM clock_timestamp() - :'started')
  FROM bench.page;
RESET synchronous_commit;
SELECT bench.make_tables() \g /dev/null

SELECT billstack.disconnect('bench') WHERE EXISTS (SELECT FROM billstack.integrations WHERE team = 'bench') \g /dev/null
SELECT billstack.connect('bench', :'key') \g /dev/null
CHECKPOINT;
SET client_min_messages = warning;
CALL billstack.run_backfill('bench') \g /dev/null
INSERT INTO bench.figure
SELECT :round, 'billstack, first copy', sum(synced), extract(epoch FROM max(finished_at) - min(started_at))
  FROM billstack.sync_progress WHERE team = 'bench';
CALL billstack.run_backfill('bench') \g /dev/null
INSERT INTO bench.figure
SELECT :round, 'billstack, unchanged account', sum(synced), extract(epoch FROM max(finished_at) - min(started_at))
  FROM billstack.sync_progress WHERE team = 'bench';
SELECT format('  round %s: %s', round, string_agg(format('%s %s', what, round(objects / seconds)), ' | ' ORDER BY what DESC))
  FROM bench.figure WHERE round = :round GROUP BY round;
