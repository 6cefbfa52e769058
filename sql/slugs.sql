-- Names of teams and integrations: refused before anything else happens.
\getenv root PG_ABS_SRCDIR
\set prelude :root /test/regress_prelude.sql
\set ECHO none
\i :prelude
\set ECHO all
\pset format unaligned
\pset tuples_only on
SELECT name, pg_temp.refused(format('SELECT billstack.connect(%L, %L)', name, 'sk_test_regress0000000000000000'))
  FROM (VALUES (NULL), (''), ('Acme'), ('a__b'), ('_a'), ('a_'), ('a-b'), ('a b'), ('ä'), ('a;b'), (E'a\nb'), ('a"b'),
               (repeat('a', 41))) AS t (name);
SELECT name, pg_temp.refused(format('SELECT billstack.connect(%L, %L, integration => %L)', 'acme', 'sk_test_regress0000000000000000', name))
  FROM (VALUES (NULL), (''), ('Live'), ('eu__west'), ('_x'), ('x_'), (repeat('b', 46)), (repeat('c', 49))) AS t (name);
-- the same rules wherever a name is given
SELECT pg_temp.refused(format('SELECT billstack.%s', call)) AS refused
  FROM (VALUES ($$status('A')$$), ($$status(NULL)$$), ($$status('acme', NULL)$$), ($$status('acme', 'B-C')$$),
               ($$webhook_url('A')$$), ($$webhook_url(NULL)$$), ($$validate('A')$$), ($$validate(NULL)$$),
               ($$rotate_keys('A', 'sk_test_regress0000000000000000')$$), ($$rotate_keys(NULL, 'sk_test_regress0000000000000000')$$),
               ($$disconnect('A')$$), ($$disconnect(NULL)$$), ($$disconnect('acme', drop_dependents => NULL)$$),
               ($$arm('A')$$), ($$arm(NULL)$$), ($$upgrade_mirror('A')$$), ($$upgrade_mirror(NULL)$$),
               ($$set_owner('A', 'postgres')$$), ($$set_owner(NULL, 'postgres')$$), ($$set_owner('acme', NULL)$$)) AS t (call);
-- longest names that fit: nothing of them is truncated
SELECT billstack.connect(repeat('a', 40), 'sk_test_regress0000000000000000') ->> 'success';
SELECT billstack.connect(repeat('a', 40), 'sk_test_regress0000000000000000', integration => repeat('b', 9)) ->> 'success';
SELECT schema_name, length(schema_name) FROM billstack.integrations ORDER BY 1;
SELECT billstack.disconnect(repeat('a', 40)) ->> 'droppedSchema';
SELECT billstack.disconnect(repeat('a', 40), repeat('b', 9)) ->> 'droppedSchema';
SELECT count(*) FROM billstack_internal.team;
