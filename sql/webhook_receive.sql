-- Signed events come in by three doors; what is not signed does not.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
-- RFC 4231, test cases 2 and 6: the helper itself
SELECT encode(pg_temp.hmac('Jefe', 'what do ya want for nothing?'), 'hex');
SELECT encode(pg_temp.hmac(decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - Hash Key First'), 'hex');
\set secret whsec_regress000000000000000000000001
SELECT billstack.connect('hooks', 'sk_test_regress0000000000000000', webhook_secret => :'secret') ->> 'success';
SELECT billstack.connect('hooks', 'sk_test_regress0000000000000000', integration => 'eu') ->> 'success';
SELECT billstack.connect('hooks', 'sk_test_regress0000000000000000', integration => 'later', webhook_secret => 'changeme') ->> 'success';
\set body '{"id":"evt_regress_1","object":"event","type":"regress.nothing","created":1750000000,"data":{"object":{"id":"x_1","object":"nothing"}}}'
-- The worker would take the events away.
BEGIN;
INSERT INTO billstack.webhook_inbox (team, payload, signature) VALUES ('hooks', :'body', pg_temp.sign(:'body', :'secret'))
    RETURNING event_id, duplicate, received_at BETWEEN now() AND clock_timestamp();
INSERT INTO billstack.webhook_inbox (team, payload, signature) VALUES ('hooks', :'body', pg_temp.sign(:'body', :'secret', 10))
    RETURNING team, integration, event_id, duplicate;
\echo :ROW_COUNT
SELECT event_id, event_type, event_created AT TIME ZONE 'UTC', received_at BETWEEN now() AND clock_timestamp(),
       convert_from(payload, 'UTF8') = :'body', attempts, next_try, failed_at, error
  FROM billstack_internal.inbox;
ROLLBACK;
BEGIN;
SELECT billstack.receive_webhook('hooks', :'body', pg_temp.sign(:'body', :'secret'));
SELECT billstack.receive_webhook_raw('hooks', convert_to(:'body', 'UTF8'), pg_temp.sign(:'body', :'secret'));
SELECT billstack.receive_webhook(team => 'hooks', signature => pg_temp.sign(:'body', :'secret'), payload => :'body', integration => 'default');
-- what is given for outputs is not looked at; many rows in a statement
INSERT INTO billstack.webhook_inbox
SELECT 'hooks', 'default', b.body, pg_temp.sign(b.body, :'secret'), 'evt_given', b.n > 3, 'epoch'
  FROM (SELECT n, replace(:'body', 'regress_1', 'many_' || n) AS body FROM generate_series(1, 5) AS n) AS b
RETURNING event_id, duplicate, received_at > 'epoch';
SELECT count(*), count(DISTINCT inserted_by) FROM billstack_internal.inbox;
-- by COPY
CREATE TEMP TABLE delivered ON COMMIT DROP AS
SELECT 'hooks' AS team, b.body AS payload, pg_temp.sign(b.body, :'secret') AS signature
  FROM (SELECT replace(:'body', 'regress_1', 'copied_' || n) AS body FROM generate_series(1, 3) AS n) AS b;
SELECT current_setting('data_directory') || '/webhook_copied.txt' AS copied \gset
COPY delivered TO :'copied';
COPY billstack.webhook_inbox (team, payload, signature) FROM :'copied';
SELECT count(*) FROM billstack_internal.inbox WHERE event_id LIKE 'evt_copied%';
ROLLBACK;
-- bodies that hold no event are taken, because they are signed, under an id of their own
BEGIN;
SELECT billstack.receive_webhook('hooks', b, pg_temp.sign(b, :'secret')) ->> 'eventId'
  FROM unnest(ARRAY['not json', '{}', '{"id":"evt_1","type":"a.b","created":"soon"}', '[1]']) AS b;
SELECT billstack.receive_webhook_raw('hooks', b, pg_temp.sign(b, :'secret', floor(extract(epoch FROM clock_timestamp()))::bigint)) ->> 'eventId'
  FROM (SELECT '\x00ff'::bytea AS b) AS x;
SELECT event_id, event_type, event_created AT TIME ZONE 'UTC' FROM billstack_internal.inbox ORDER BY id LIMIT 1;
ROLLBACK;
-- Refused: nothing is written
CREATE FUNCTION pg_temp.refusal(signature text, team text DEFAULT 'hooks', integration text DEFAULT 'default', body text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.refused(format('INSERT INTO billstack.webhook_inbox (team, integration, payload, signature) VALUES (%L, %L, %L, %L)',
        team, integration, coalesce(body, '{"id":"evt_1"}'), signature)) $$;
SELECT pg_temp.refusal('');
SELECT pg_temp.refusal('garbage');
SELECT pg_temp.refusal('v1=' || repeat('0', 64));
SELECT pg_temp.refusal('t=1750000000,v0=' || repeat('0', 64));
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_2"}', :'secret'));
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', 'whsec_regress000000000000000000000002'));
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', :'secret', 305));
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', :'secret', -305));
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', ''), integration => 'eu');
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', 'changeme'), integration => 'later');
SELECT billstack.status('hooks', i) -> 'webhook' ->> 'lastRefusal', billstack.status('hooks', i) -> 'webhook' ->> 'lastRefusedAt' IS NOT NULL
  FROM unnest(ARRAY['default', 'eu', 'later']) AS i;
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', :'secret'), team => 'nobody');
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', :'secret'), team => 'Not A Slug');
SELECT pg_temp.refusal(pg_temp.sign('{"id":"evt_1"}', :'secret'), integration => 'none');
SELECT pg_temp.refusal(NULL);
SELECT pg_temp.refusal('t=1', team => NULL);
SELECT pg_temp.refusal('t=1', integration => NULL);
SELECT pg_temp.refused($$INSERT INTO billstack.webhook_inbox (team, signature) VALUES ('hooks', 't=1')$$);
SELECT pg_temp.refused($$SELECT billstack.receive_webhook('hooks', NULL, 't=1')$$);
SELECT pg_temp.refused($$SELECT billstack.receive_webhook(NULL, '{}', 't=1')$$);
SELECT pg_temp.refused($$SELECT billstack.receive_webhook_raw('hooks', '{}', NULL)$$);
SELECT pg_temp.refused($$SELECT billstack.receive_webhook('hooks', '{}', 't=1', NULL)$$);
SELECT pg_temp.refusal('t=1', body => repeat('x', 16 * 1024 * 1024 + 1));
SELECT pg_temp.refused($$UPDATE billstack.webhook_inbox SET team = 'x'$$);
BEGIN READ ONLY;
SELECT pg_temp.refused($$SELECT billstack.receive_webhook('hooks', '{}', 't=1')$$);
SELECT pg_temp.refusal('t=1');
ROLLBACK;
SELECT count(*) FROM billstack_internal.inbox;
-- the view shows nothing, and its trigger is nobody's to call
SELECT count(*) FROM billstack.webhook_inbox;
SELECT billstack_internal.receive_row();
SELECT billstack.disconnect('hooks', i) ->> 'success' FROM unnest('{default,eu,later}'::text[]) AS i;
