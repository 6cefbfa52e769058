# Handlers of events: called as the role that subscribed and with no more rights, once per event however often
# they fail, each call for itself; what one of them does to itself touches neither others nor the mirror.
use strict;
use warnings;
use Billstack::Handlers qw(queue_events handler_calls);
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $sim = Billstack::Simulator->new(customers => 40, products => 10);
my $key = $sim->key;
my $node = Billstack::Node->make('handlers', $sim, conf => 'max_worker_processes = 16');
$node->sql(q{
	CREATE ROLE tenant LOGIN;
	CREATE ROLE app LOGIN;
	CREATE ROLE other LOGIN;
	GRANT CREATE ON DATABASE postgres TO tenant, app, other;
	SELECT billstack.grant_access('tenant', 'admin');
});
my $tenant = Billstack::Session->new($node, 'postgres', 'tenant');
$tenant->value($_) for "SELECT billstack.connect('acme', '$key')", q{SELECT billstack.grant_access('app', 'app', 'acme')};
my $app = Billstack::Session->new($node, 'postgres', 'app');
$app->value($_) for 'CREATE SCHEMA hooks', 'GRANT USAGE ON SCHEMA hooks TO PUBLIC',
	'CREATE TABLE hooks.effect (handler text, event text, who name, note text)', 'GRANT ALL ON hooks.effect TO PUBLIC',
	'CREATE SEQUENCE hooks.tries', 'GRANT ALL ON SEQUENCE hooks.tries TO PUBLIC';

# make_handler($session, $name, $body): a function of that name in hooks, subscribed to everything.
sub make_handler
{
	my ($session, $name, $body, %options) = @_;
	$session->value("CREATE FUNCTION $name(event jsonb) RETURNS void LANGUAGE plpgsql AS \$handler\$ $body \$handler\$");
	return $session->value("SELECT billstack.subscribe('acme', ARRAY['*'], '$name(jsonb)')");
}
sub effect { my ($name) = @_; return "INSERT INTO hooks.effect VALUES ('$name', event ->> 'id', current_user, current_setting('search_path'));"; }
sub effects { my ($name) = @_; return $node->sql("SELECT count(*) FROM hooks.effect WHERE handler = '$name'"); }
sub settled { my ($handler, $expected, $name) = @_;
	return $node->comes_true("SELECT pending || '/' || failed = '$expected' FROM billstack.subscriptions WHERE handler = '$handler(jsonb)'", $name); }
sub last_error { my ($handler) = @_;
	return $node->sql("SELECT last_error FROM billstack.subscriptions WHERE handler = '$handler(jsonb)'"); }
sub set_attempts { $node->sql("ALTER SYSTEM SET billstack.max_attempts = $_[0]; "); $node->reload; return; }

# --- once, as who it should be ----------------------------------------------------------------------------

make_handler($app, 'hooks.plain', 'BEGIN ' . effect('plain') . ' END');
queue_events($node, 'hooks.plain', map { { data => { object => { n => $_ } } } } 1 .. 200);
settled('hooks.plain', '0/0', '200 calls are made');
is($node->sql(q{SELECT count(*) || ' ' || count(DISTINCT event) || ' ' || string_agg(DISTINCT who, ' ') || ' ' || string_agg(DISTINCT note, ' ')
	FROM hooks.effect WHERE handler = 'plain'}), '200 200 app pg_catalog, pg_temp', 'each once, as the role that subscribed');

make_handler($app, 'hooks.twice', q{BEGIN } . effect('twice') . q{ IF nextval('hooks.tries') < 3 THEN RAISE EXCEPTION 'not yet' USING ERRCODE = 'BS999'; END IF; END});
queue_events($node, 'hooks.twice', {});
$node->comes_true(q{SELECT last_error = 'not yet (BS999)' FROM billstack.subscriptions WHERE handler = 'hooks.twice(jsonb)'}, 'a failing call shows why');
settled('hooks.twice', '0/0', 'it fails twice, then not');
is(effects('twice') . ' of ' . $node->sql('SELECT last_value FROM hooks.tries'), '1 of 3', 'three tries, one effect');

my @bodies = ('{"id":"evt_nul","type":"a.b","data":{"text":"a\u0000b \ud800 \u00e9"}}', '{"id":"evt_deep","data":' . '[' x 70 . ']' x 70 . '}', '{"id":');
make_handler($app, 'hooks.reads', q{BEGIN INSERT INTO hooks.effect VALUES ('reads', event ->> 'id', NULL, event #>> '{data,text}'); END});
queue_events($node, 'hooks.reads', $bodies[0], $bodies[1]);
settled('hooks.reads', '0/1', 'an event that jsonb cannot hold is given up at once');
is($node->sql(q{SELECT note = E'a\uFFFDb \uFFFD \u00e9' FROM hooks.effect WHERE handler = 'reads'}), 't', '... one with U+0000 is mended');
is($node->sql(q{SELECT attempts || ' ' || error FROM billstack.failed_handler_calls WHERE handler LIKE 'hooks.reads%'}),
	'1 event does not fit into jsonb', '... and the dead letter says why');

# --- rights -------------------------------------------------------------------------------------------------

my @attempts = ('SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres', 'SET LOCAL role = postgres', 'RESET SESSION AUTHORIZATION',
	"SELECT set_config('role', 'postgres', true)", "SELECT set_config('session_authorization', 'postgres', false)",
	'SELECT count(*) FROM billstack_internal.sealed_key', "DELETE FROM billstack_internal.handler_call",
	"UPDATE billstack_internal.subscription SET role_name = 'postgres'", 'ALTER ROLE tenant SUPERUSER', "SELECT pg_read_file('PG_VERSION')",
	"COPY pg_class TO PROGRAM 'true'", 'CREATE TEMP TABLE t ()', 'CREATE TEMP VIEW v AS SELECT 1', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'LISTEN billstack',
	"PREPARE p AS SELECT 1", 'INSERT INTO climbing.deferred VALUES (1)', 'COMMIT', "SELECT pg_terminate_backend(pg_backend_pid())");
my $list = join ', ', map { "\$q\$$_\$q\$" } @attempts;
$tenant->value($_) for 'CREATE SCHEMA climbing', 'CREATE TABLE climbing.attempts (via text, what text, result text, PRIMARY KEY (via, what, result))',
	'CREATE TABLE climbing.deferred (a int)', qq{
CREATE FUNCTION climbing.climb(via text) RETURNS void LANGUAGE plpgsql AS \$f\$
DECLARE what text; result text;
BEGIN
	INSERT INTO climbing.attempts VALUES (via, 'current_user', current_user) ON CONFLICT DO NOTHING;
	FOREACH what IN ARRAY ARRAY[$list]
	LOOP
		BEGIN EXECUTE what; result := 'worked, then ' || current_user;
		EXCEPTION WHEN OTHERS THEN result := sqlstate; END;
		INSERT INTO climbing.attempts VALUES (via, what, result) ON CONFLICT DO NOTHING;
	END LOOP;
END \$f\$},
	q{CREATE FUNCTION climbing.trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM climbing.climb(TG_NAME::text); RETURN NULL; END $$},
	q{CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON climbing.deferred DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION climbing.trigger()},
	q{CREATE TRIGGER mirror AFTER INSERT ON stripe_team_acme.products FOR EACH STATEMENT EXECUTE FUNCTION climbing.trigger()};
make_handler($tenant, 'climbing.handler', q{BEGIN PERFORM climbing.climb('handler'); END});
queue_events($node, 'climbing.handler', {});
settled('climbing.handler', '0/0', 'a handler that looks around');
is($node->run_backfill('acme', objects => ['product'])->{success}, 1, 'a trigger on the mirror that does the same');
for my $via ('handler', 'mirror')
{
	is($node->sql("SELECT string_agg(result, ' ') FROM climbing.attempts WHERE what = 'current_user' AND via = '$via'"), 'tenant', "$via: it runs as its owner");
	is($node->sql("SELECT string_agg(what || ': ' || result, '; ' ORDER BY what) FROM climbing.attempts
		WHERE via = '$via' AND what <> 'current_user' AND result NOT IN ('42501', '0A000', '2D000')"), '', "$via: every attempt to be more is refused");
	is($node->sql("SELECT count(DISTINCT what) - 1 FROM climbing.attempts WHERE via = '$via'"), scalar(@attempts), "$via: " . @attempts . ' were made');
}
is($node->sql(q{SELECT count(*) FROM climbing.attempts WHERE via = 'deferred'}), 0, 'no deferred trigger has run');
$tenant->value('DROP TRIGGER mirror ON stripe_team_acme.products');

# What a handler leaves behind in the session is gone before the next one runs.
make_handler($tenant, 'climbing.leaves', q{BEGIN
	PERFORM pg_advisory_lock(42);
	PERFORM set_config('search_path', 'climbing, pg_catalog', false), set_config('lock_timeout', '0', false), set_config('my.setting', 'x', false);
	EXECUTE 'CREATE FUNCTION pg_temp.note(text) RETURNS text LANGUAGE sql AS $$ SELECT current_user::text $$';
	END});
$tenant->value($_) for q{CREATE FUNCTION climbing.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN INSERT INTO climbing.attempts VALUES ('operator', 'current_user', current_user) ON CONFLICT DO NOTHING; RETURN $1 OPERATOR(pg_catalog.=) $2; END $$},
	q{CREATE OPERATOR climbing.= (LEFTARG = text, RIGHTARG = text, FUNCTION = climbing.equal)}, q{GRANT ALL ON SCHEMA climbing TO PUBLIC}, q{GRANT ALL ON climbing.attempts TO PUBLIC};
queue_events($node, 'climbing.leaves', {});
settled('climbing.leaves', '0/0', 'a handler that changes its session');
make_handler($app, 'hooks.after', q{BEGIN INSERT INTO hooks.effect VALUES ('after', event ->> 'id', current_user,
	concat_ws(' ', current_setting('search_path'), current_setting('lock_timeout'), current_setting('my.setting', true), to_regprocedure('pg_temp.note(text)'),
	(SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
	event ->> 'id' = 'x'::text)); END});
queue_events($node, 'hooks.after', {});
settled('hooks.after', '0/0', 'one that looks after it');
is($node->sql(q{SELECT trim(note) FROM hooks.effect WHERE handler = 'after'}), 'pg_catalog, pg_temp 1s  0 0 f', '... finds nothing of it');
is($node->sql(q{SELECT count(*) FROM climbing.attempts WHERE via = 'operator'}), 0, '... and nobody else\'s operator');

# A function of the same name by somebody else; a superuser has subscribed the first one.
set_attempts(2);
$node->sql(q{CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO PUBLIC;
	CREATE FUNCTION shared.handler(event jsonb) RETURNS void LANGUAGE sql AS ''; SELECT billstack.subscribe('acme', ARRAY['*'], 'shared.handler(jsonb)');
	DROP FUNCTION shared.handler(jsonb)});
$tenant->value(q{CREATE FUNCTION shared.handler(event jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE tenant SUPERUSER; END $$});
queue_events($node, 'shared.handler', {});
settled('shared.handler', '0/1', 'somebody else\'s function of the same name is given up');
is(last_error('shared.handler'), 'handler shared.handler(jsonb) belongs to "tenant" now, it was subscribed as a function of "postgres"', '... with the reason');
is($node->sql(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'tenant'}), 'f', 'nobody is superuser');

# --- rights that go, functions that go ------------------------------------------------------------------------

sub call_that_fails
{
	my ($handler, $name, $pattern) = @_;
	queue_events($node, $handler, {});
	settled($handler, '0/1', "$name: given up");
	like(last_error($handler), $pattern, '... with the reason');
	$node->sql("DELETE FROM billstack_internal.handler_call WHERE failed_at IS NOT NULL");
	return;
}
$node->sql(q{SELECT billstack.grant_access('other', 'app', 'acme')});
my $other = Billstack::Session->new($node, 'postgres', 'other');
$other->value('CREATE SCHEMA others');
make_handler($other, 'others.handler', 'BEGIN ' . effect('others') . ' END');
$node->sql(q{SELECT billstack.revoke_access('other', 'app', 'acme')});
call_that_fails('others.handler', 'the team is no longer open to the role', qr/^role "other" may not subscribe to team "acme" any more$/);
$node->sql(q{SELECT billstack.grant_access('other', 'reader', 'acme')});
call_that_fails('others.handler', '... only to look at', qr/^role "other" may not subscribe to team "acme" any more$/);
$node->sql(q{SELECT billstack.grant_access('other', 'app', 'acme'); REVOKE EXECUTE ON FUNCTION others.handler(jsonb) FROM PUBLIC, other});
call_that_fails('others.handler', 'EXECUTE is taken away', qr/^permission denied for function others\.handler/);
$node->sql(q{GRANT EXECUTE ON FUNCTION others.handler(jsonb) TO other; ALTER SCHEMA others OWNER TO app; REVOKE ALL ON SCHEMA others FROM other});
call_that_fails('others.handler', 'the schema is closed', qr/^permission denied for schema others \(42501\)$/);
$node->sql(q{GRANT USAGE ON SCHEMA others TO other; ALTER FUNCTION others.handler(jsonb) RENAME TO away});
call_that_fails('others.handler', 'the function is missing', qr/^handler others\.handler\(jsonb\) does not exist$/);
$node->sql(q{CREATE FUNCTION others.handler(event jsonb) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION others.handler(jsonb) OWNER TO other});
call_that_fails('others.handler', 'the function returns a set now', qr/cannot be a handler$/);
$node->sql(q{DROP FUNCTION others.handler(jsonb); ALTER FUNCTION others.away(jsonb) RENAME TO handler});
set_attempts(12);
$node->sql(q{ALTER FUNCTION others.handler(jsonb) RENAME TO away});
queue_events($node, 'others.handler', {});
$node->comes_true(q{SELECT last_error LIKE '%does not exist' FROM billstack.subscriptions WHERE handler = 'others.handler(jsonb)'}, 'a call waits for its function');
$node->sql(q{ALTER FUNCTION others.away(jsonb) RENAME TO handler});
settled('others.handler', '0/0', '... and is made when it is back');
is(effects('others'), 1, '... once');
$other->close;
set_attempts(2);
$node->sql(q{REASSIGN OWNED BY other TO app; DROP OWNED BY other; DROP ROLE other});
call_that_fails('others.handler', 'the role is dropped', qr/^role "other", which subscribed, does not exist$/);
set_attempts(12);

# --- what a handler may not wait for, and what it may do ----------------------------------------------------------

make_handler($app, 'hooks.asks', qq{BEGIN PERFORM billstack.validate('acme'); EXCEPTION WHEN OTHERS THEN INSERT INTO hooks.effect VALUES ('asks', NULL, NULL, sqlstate); END});
$node->sql(q{GRANT EXECUTE ON FUNCTION billstack.validate(text, text) TO app; SELECT billstack.grant_access('app', 'admin', 'acme')});
queue_events($node, 'hooks.asks', {});
settled('hooks.asks', '0/0', 'a handler that asks Stripe ends');
is($node->sql(q{SELECT note FROM hooks.effect WHERE handler = 'asks'}), '55000', '... with an error');
$node->sql(q{SELECT billstack.revoke_access('app', 'admin', 'acme')});

make_handler($app, 'hooks.once', 'BEGIN ' . effect('once') . q{ PERFORM billstack.unsubscribe('acme', 'hooks.once'); END});
queue_events($node, 'hooks.once', {}, {}, {});
$node->comes_true(q{SELECT count(*) = 0 FROM billstack.subscriptions WHERE handler = 'hooks.once(jsonb)'}, 'a handler ends its own subscription');
is(effects('once') . ' ' . $node->sql('SELECT count(*) FROM billstack_internal.handler_call WHERE failed_at IS NULL'), '1 0', '... after one call, and the others are dropped');

# --- a SIGKILL in the middle ---------------------------------------------------------------------------------------

make_handler($app, 'hooks.slow', 'BEGIN ' . effect('slow') . ' PERFORM pg_sleep(0.02); END');
queue_events($node, 'hooks.slow', map { {} } 1 .. 100);
for my $round (1 .. 2)
{
	$node->comes_true("SELECT count(*) >= $round * 25 FROM hooks.effect WHERE handler = 'slow'", 'calls are under way');
	kill 'KILL', $node->worker_pid;
	ok(Billstack::Node->wait_until(sub { ($node->psql('postgres', q{SELECT 1 FROM pg_stat_activity WHERE backend_type = 'billstack sync worker'}))[1] eq '1' }), 'killed, and the server is back');
}
settled('hooks.slow', '0/0', 'all calls are made');
is($node->sql(q{SELECT count(*) || ' ' || count(DISTINCT event) FROM hooks.effect WHERE handler = 'slow'}), '100 100', '... each once');

# --- unsubscribe and a call that runs --------------------------------------------------------------------------------

$app = Billstack::Session->new($node, 'postgres', 'app');
$tenant = Billstack::Session->new($node, 'postgres', 'tenant');
make_handler($app, 'hooks.sleeps', 'BEGIN ' . effect('sleeps') . ' PERFORM pg_sleep(2); END');
queue_events($node, 'hooks.sleeps', {}, {});
$node->comes_true(q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'handler hooks.sleeps(jsonb)' AND state = 'active'}, 'a running handler is seen in pg_stat_activity');
like($app->value(q{SELECT billstack.unsubscribe('acme', 'hooks.sleeps(jsonb)')}), qr/"canceledCalls": 1/, 'unsubscribe waits for it and drops the other call');
is(effects('sleeps'), 1, 'the running call has ended before');

# --- bad company -----------------------------------------------------------------------------------------------------

$node->sql($_) for q{ALTER SYSTEM SET billstack.handler_timeout = '3s'}, 'SELECT pg_reload_conf()';
my $before = $node->row_versions('stripe_team_acme');
my $worker = $node->worker_pid;
make_handler($app, 'hooks.fails', q{BEGIN RAISE EXCEPTION 'always'; END});
make_handler($app, 'hooks.loops', q{BEGIN LOOP PERFORM 1; END LOOP; END});
make_handler($app, 'hooks.clings', q{BEGIN LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END});
make_handler($app, 'hooks.good', 'BEGIN ' . effect('good') . ' END');
queue_events($node, 'hooks.fails', map { {} } 1 .. 20);
queue_events($node, 'hooks.loops', {}, {}, {});
queue_events($node, 'hooks.good', map { {} } 1 .. 50);
settled('hooks.good', '0/0', 'beside handlers that fail and loop all calls of a good one are made');
is(effects('good'), 50, '... with their effects');
$node->comes_true(q{SELECT last_error LIKE 'canceling statement%(57014)' FROM billstack.subscriptions WHERE handler = 'hooks.loops(jsonb)'}, 'the loop is ended');
is($node->worker_pid, $worker, 'by the same worker');
is($node->run_backfill('acme', objects => ['product'])->{success}, 1, 'a backfill goes on while the loop rests');
is($node->sql(q{SELECT min(attempts) || ' ' || max(attempts) FROM billstack_internal.handler_call AS c JOIN billstack_internal.subscription AS s
	ON s.id = c.subscription_id WHERE handler_name = 'loops'}), '0 1', '... which is not called again meanwhile');
is(join(' ', Billstack::Node->changed_rows($before, $node->row_versions('stripe_team_acme'))), '', 'the mirror is as before');
$node->sql(q{SELECT billstack.unsubscribe('acme', 'hooks.loops'), billstack.unsubscribe('acme', 'hooks.fails')});
queue_events($node, 'hooks.clings', {});
$node->comes_true(q{SELECT last_error = 'the worker ended while the handler ran' FROM billstack.subscriptions WHERE handler = 'hooks.clings(jsonb)'},
	'one that traps the cancel is ended with the worker, and counted');
queue_events($node, 'hooks.good', map { {} } 1 .. 50);
settled('hooks.good', '0/0', 'the next worker makes the calls of others');
isnt($node->worker_pid, $worker, '... it is another one');
$node->sql(q{SELECT billstack.unsubscribe('acme', 'hooks.clings')});

unlike(slurp_file($node->logfile), qr/PANIC|leak|core::|std::|WARNING/, 'nothing odd in the log');
$node->stop;
done_testing;
