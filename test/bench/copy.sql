-- One copy by run_backfill, noted as :what of :round. Needs :cpu, the path of cpu.sh, and :postmaster.
SET client_min_messages = warning;
SELECT string_agg(pid::text, ' ') AS workers FROM pg_stat_activity WHERE backend_type LIKE 'billstack%' \gset
SELECT pg_current_xact_id()::text::bigint AS first_xid, pg_current_wal_insert_lsn() AS first_wal \gset
\set workers_before `:cpu :workers`
\set server_before `:cpu --server :postmaster`
CALL billstack.run_backfill('bench') \g /dev/null
\set workers_after `:cpu :workers`
\set server_after `:cpu --server :postmaster`
INSERT INTO bench.figure
SELECT :round, :'what', sum(synced), extract(epoch FROM max(finished_at) - min(started_at)),
       (:workers_after - :workers_before) / :ticks.0, (:server_after - :server_before) / :ticks.0,
       pg_current_wal_insert_lsn() - :'first_wal', bench.rows_written_since(:first_xid)
  FROM billstack.sync_progress WHERE team = 'bench';
