-- The account preview; nothing is stored. No message ever holds a part of a key.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT jsonb_pretty(billstack.check_keys('sk_test_regress0000000000000000', 'pk_test_regress0000000000000000'));
SELECT billstack.check_keys('rk_test_regress0000000000reader');
SELECT billstack.check_keys('rk_test_regress00000000noaccount');
SELECT billstack.check_keys('sk_live_regress0000000000000000') -> 'livemode';
SELECT key, pg_temp.refused(format('SELECT billstack.check_keys(%L)', key))
  FROM (VALUES (NULL), (''), ('hello'), ('pk_test_regress0000000000000000'), ('sk_test_'), ('sk_test_abc'),
               ('sk_test_regress 000000000000000'), (E'sk_test_regress000000\r\nX-Injected: 1'), ('sk_prod_regress0000000000000000')) AS t (key);
SELECT key, pg_temp.refused(format('SELECT billstack.check_keys(%L, %L)', 'sk_test_regress0000000000000000', key))
  FROM (VALUES (''), ('sk_test_regress0000000000000000'), ('pk_live_regress0000000000000000'), ('pk_test_a')) AS t (key);
SELECT pg_temp.refused($$SELECT billstack.check_keys('sk_test_wrong000000000000000000')$$, false);
-- what others see of the running statement
SELECT billstack.check_keys('sk_test_regress0000000000000000') ->> 'keyValid',
       (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid());
SELECT (SELECT count(*) FROM billstack_internal.team), (SELECT count(*) FROM billstack_internal.sealed_key);
