-- What the views of the inbox show, and what goes back into it. Rows are put where the worker leaves them alone.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT billstack.connect('hooks', 'sk_test_regress0000000000000000', integration => i) ->> 'success' FROM unnest('{default,eu}'::text[]) AS i;
SELECT billstack.connect('hooks_two', 'sk_test_regress0000000000000000') ->> 'success';
SELECT id AS one FROM billstack_internal.integration WHERE team = 'hooks' AND name = 'default' \gset
SELECT id AS eu FROM billstack_internal.integration WHERE team = 'hooks' AND name = 'eu' \gset
SELECT id AS two FROM billstack_internal.integration WHERE team = 'hooks_two' \gset
BEGIN;
INSERT INTO billstack_internal.inbox (integration_id, event_id, event_type, event_created, received_at, payload, attempts, next_try, failed_at, error)
SELECT v.integration_id, v.event_id, 'regress.nothing', '2026-01-02 03:04:05Z', clock_timestamp() - v.age, convert_to(v.payload, 'UTF8'), v.attempts, v.next_try, v.failed_at, v.error
  FROM (VALUES (:one, 'evt_waits', interval '90 s', '{"id":"evt_waits","type":"regress.nothing","created":1767323045,"data":{"object":{"id":"x","object":"nothing"}}}', 3, 'infinity'::timestamptz, NULL::timestamptz, 'try again'),
               (:one, 'evt_dead', '10 s', '{"id":"evt_dead","id":"evt_dead","type":"regress.nothing","created":1767323045}', 12, NULL, now(), 'a member name is there twice'),
               (:eu, 'evt_both', '1 s', '{}', 12, NULL, now(), 'broken'),
               (:two, 'evt_both', '1 s', '{}', 12, NULL, now(), 'broken')) AS v (integration_id, event_id, age, payload, attempts, next_try, failed_at, error);
INSERT INTO billstack_internal.event (integration_id, event_id, event_created, event_type, kind, object_id, outcome, attempts, received_at, processed_at, payload)
VALUES (:one, 'evt_done', '2026-01-02 03:04:05Z', 'customer.updated', 'customer', 'cus_1', 'applied', 1, now() - interval '1 hour', now() - interval '59 min',
        '{"id":"evt_done","type":"customer.updated","created":1767323045,"data":{"object":{"id":"cus_1","object":"customer"}}}'),
       (:one, 'evt_called', '2026-01-02 03:04:05Z', 'customer.updated', 'customer', 'cus_1', 'unchanged', 1, now() - interval '1 hour', now() - interval '59 min',
        '{"id":"evt_called","type":"customer.updated","created":1767323045,"data":{"object":{"id":"cus_1","object":"customer"}}}');
INSERT INTO billstack_internal.subscription (integration_id, handler_schema, handler_name, handler_owner, events, role_name)
VALUES (:one, 'public', 'Odd Name', 'postgres', '{*}', 'postgres') RETURNING id AS subscription \gset
INSERT INTO billstack_internal.handler_call (subscription_id, integration_id, event_id, event_created, attempts, failed_at, error)
VALUES (:subscription, :one, 'evt_called', '2026-01-02 03:04:05Z', 12, now(), 'division by zero');
INSERT INTO billstack_internal.inbox_stat (integration_id, processed, duplicates) VALUES (:one, 7, 2);
SELECT team, integration, event_id, type, created AT TIME ZONE 'UTC', status, outcome, object_kind, object_id, attempts, error, payload
  FROM billstack.webhook_events ORDER BY event_id, team, integration;
SELECT team, integration, event_id, type, attempts, error, handler, payload IS NULL, length(body), failed_at = now()
  FROM billstack.failed_events ORDER BY event_id, team, integration;
SELECT team, integration, depth, oldest < now(), processed, failed, duplicates, bytes, failed_calls, last_event_at IS NOT NULL, last_refused_at, last_refusal
  FROM billstack.inbox_status ORDER BY 1, 2;
SELECT billstack.status('hooks') -> 'webhook' ->> 'connected', (billstack.status('hooks') -> 'webhook' ->> 'lag')::integer BETWEEN 90 AND 100;
SELECT billstack.status('hooks', 'eu') -> 'webhook' -> 'lag';
SELECT check_name, status, regexp_replace(detail, '\d+ s$', '... s'), hint FROM billstack.health() WHERE check_name LIKE 'integration hooks%' ORDER BY 1, 3;
-- replay
SELECT billstack.replay('evt_waits');
SELECT billstack.replay('evt_dead', 'hooks');
SELECT billstack.replay('evt_done', integration => 'default');
SELECT billstack.replay('evt_called', 'hooks', 'default');
SELECT pg_temp.refused($$SELECT billstack.replay('evt_both')$$);
SELECT pg_temp.refused($$SELECT billstack.replay('evt_both', 'hooks', 'default')$$);
SELECT billstack.replay('evt_both', integration => 'eu');
SELECT event_id, status, attempts, error FROM billstack.webhook_events ORDER BY event_id, team, integration;
SELECT attempts, next_try, failed_at, error FROM billstack_internal.handler_call;
SELECT count(*) FROM billstack_internal.inbox WHERE inserted_by = pg_current_xact_id() AND next_try IS NULL AND failed_at IS NULL AND error IS NULL AND attempts = 0;
-- all that failed, of the teams one may act for
UPDATE billstack_internal.inbox SET failed_at = now(), attempts = 12, error = 'once more';
UPDATE billstack_internal.handler_call SET failed_at = now();
CREATE ROLE regress_hooks_admin;
SELECT billstack.grant_access('regress_hooks_admin', 'admin', 'hooks_two') ->> 'success';
SET ROLE regress_hooks_admin;
SELECT event_id, team FROM billstack.failed_events;
SELECT team, depth, failed FROM billstack.inbox_status;
SELECT count(*) FROM billstack.webhook_events;
SELECT billstack.inbox_counters(:one), billstack.inbox_counters(NULL), billstack.inbox_counters(0);
SAVEPOINT s;
SELECT billstack.replay('evt_dead');
ROLLBACK TO s;
SELECT billstack.retry_failed('hooks');
ROLLBACK TO s;
SELECT billstack.replay('evt_both');
SELECT billstack.retry_failed();
RESET ROLE;
SELECT billstack.retry_failed('hooks');
SELECT billstack.retry_failed();
SELECT count(*) FROM billstack.failed_events;
SAVEPOINT s;
SELECT billstack.replay(NULL);
ROLLBACK TO s;
SELECT billstack.replay('evt_none');
ROLLBACK TO s;
SELECT billstack.replay('evt_done', 'nobody');
ROLLBACK TO s;
SELECT billstack.replay('evt_done', 'hooks', 'none');
ROLLBACK TO s;
SELECT billstack.retry_failed('nobody');
ROLLBACK TO s;
-- disconnect takes the events along
SELECT billstack.disconnect('hooks') ->> 'success';
SELECT count(*), count(*) FILTER (WHERE integration_id = :eu) FROM billstack_internal.inbox;
SELECT count(*) FROM billstack_internal.event;
ROLLBACK;
SELECT billstack.disconnect('hooks', i) ->> 'success' FROM unnest('{default,eu}'::text[]) AS i;
SELECT billstack.disconnect('hooks_two') ->> 'success';
