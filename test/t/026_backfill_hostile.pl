# Who wants more than is his beside a backfill: triggers that try to rise, pages that only look like pages, a
# cursor deleted among objects of its own second, a caller who waits for what is taken away.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = Billstack::Simulator->new(seed => 41, customers => 400, products => 20, prices => 60,
	subscriptions => 150, invoices => 150, charges => 300);
my $node = Billstack::Node->make('hostile', $sim);
sub lists_since { my ($since, $path) = @_; return grep { $_->{target} =~ m{^/v1/$path\b} } $sim->ledger($since); }

# --- triggers ------------------------------------------------------------------------------------------

$node->sql(q{CREATE ROLE mirror_owner LOGIN; GRANT CREATE ON SCHEMA public TO mirror_owner;
	GRANT CREATE ON DATABASE postgres TO mirror_owner; SELECT billstack.grant_access('mirror_owner', 'admin')});
my $owner = Billstack::Session->new($node, 'postgres', 'mirror_owner');
$owner->value("SELECT billstack.connect('$_', '" . $sim->key . "')") for 'climbing', 'deferring';
my @attempts = ('SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres', 'SET LOCAL role = postgres',
	"SELECT set_config('role', 'postgres', true)", 'SELECT count(*) FROM billstack_internal.sealed_key',
	"UPDATE billstack_internal.backfill_run SET state = 'done'", 'ALTER ROLE mirror_owner SUPERUSER',
	"SELECT pg_read_file('PG_VERSION')", "COPY pg_class TO PROGRAM 'true'", 'CREATE TEMP TABLE t ()',
	'DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'LISTEN billstack');
my $list = join ', ', map { "\$q\$$_\$q\$" } @attempts;
$owner->value($_) for 'CREATE TABLE public.attempts (what text, result text, PRIMARY KEY (what, result))', qq{
CREATE FUNCTION public.climb() RETURNS trigger LANGUAGE plpgsql AS \$f\$
DECLARE what text; result text;
BEGIN
	INSERT INTO public.attempts VALUES ('current_user', current_user) ON CONFLICT DO NOTHING;
	FOREACH what IN ARRAY ARRAY[$list]
	LOOP
		BEGIN EXECUTE what; result := 'worked, then ' || current_user;
		EXCEPTION WHEN OTHERS THEN result := sqlstate; END;
		INSERT INTO public.attempts VALUES (what, result) ON CONFLICT DO NOTHING;
	END LOOP;
	RETURN NULL;
END \$f\$},
  q{CREATE TRIGGER climb AFTER INSERT ON stripe_team_climbing.products FOR EACH ROW EXECUTE FUNCTION public.climb()},
  q{CREATE CONSTRAINT TRIGGER climb AFTER INSERT ON stripe_team_deferring.products DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.climb()};
is($node->run_ends($node->start_backfill('climbing', objects => ['product'])), 'done', 'a trigger that looks around');
is($node->sql(q{SELECT string_agg(result, ' ') FROM attempts WHERE what = 'current_user'}), 'mirror_owner',
	'it runs as the owner of the mirror');
is($node->sql(q{SELECT string_agg(what || ': ' || result, '; ') FROM attempts
	WHERE what <> 'current_user' AND result NOT IN ('42501', '0A000')}), '', 'every attempt to be more is refused');
is($node->sql(q{SELECT count(DISTINCT what) - 1 FROM attempts}), scalar(@attempts), @attempts . ' were made');
$node->sql('DELETE FROM attempts');
# It is looked at in the end: it is tried five times.
my $deferring = $node->start_backfill('deferring', objects => ['product']);

# --- the object a cursor names is deleted, its neighbours in the list are of the same second -------------

my $team = 'cursor';
$node->connect_team($team, $sim->key);
my @customers = $sim->objects('customer');
$sim->patch('customer', $_->{id}, { created => $customers[99]{created} }) for @customers[ 95 .. 98, 100 .. 104 ];
@customers = $sim->objects('customer');
my $lost = $customers[99];
is(scalar(grep { $_->{created} == $lost->{created} } @customers[ 90 .. 110 ]), 10, 'ten objects of one second around the page\'s end');
my $since = $sim->last_sequence;
# The first page is made at once and held back until the object is gone; the refusal of the cursor comes when
# that page is written (before, what is unwritten would be read again, from no cursor at all).
$sim->faults({ match => { path => '^/v1/customers$', query => '^(?!.*starting_after)' }, count => 1, action => { delay_ms => 500 } },
	{ match => { path => '^/v1/customers$', query => "starting_after=$lost->{id}" }, count => 1, action => { delay_ms => 2000 } });
my $run = $node->start_backfill($team, objects => ['customer']);
$node->wait_until(sub { lists_since($since, 'customers') });
$sim->remove('customer', $lost->{id});
is($node->run_ends($run), 'done', 'the cursor\'s object is deleted: the run ends done');
my @lists = lists_since($since, 'customers');
is(scalar(grep { $_->{status} == 400 } @lists), 1, '... and Stripe has refused the cursor once');
# The list may be cut into ranges, which have bounds of their own.
my ($restart) = grep { $_->{target} =~ /created(?:%5B|\[)lte(?:%5D|\])=$lost->{created}\b/ } @lists;
like($restart ? $restart->{target} : '', qr/=$lost->{created}\b/, '... and the list is read again from its second on');
$node->equals_stripe($sim, "stripe_team_$team", 'after the deleted cursor', kinds => ['customer'], gone => [ $lost->{id} ]);
$sim->faults;

# --- pages that look like pages until their objects are read --------------------------------------------

$node->connect_team('poison', $sim->key);
my @poison = ('"balance": tru', '"balance": 01', '"name": "\\q"', "\"name\": \"a\x01b\"", '"name": "\\u12"', '"metadata": {"a" 1}');
my @kinds = ('customers', 'products', 'prices', 'subscriptions', 'invoices', 'charges');
$sim->reset;
$sim->faults(map { { match => { path => "^/v1/$kinds[$_]\$" }, count => 1, action => { status => 200,
	body => qq({"object": "list", "has_more": true, "data": [{"id": "x_1", "object": "x", $poison[$_]}]}) } } } 0 .. $#poison);
my $worker = $node->worker_pid;
is($node->run_ends($node->start_backfill('poison')), 'done', 'poisoned pages: the run ends done');
is($sim->stats->{by_fault}{status}, scalar(@poison), '... after ' . @poison . ' of them');
is($node->worker_pid, $worker, '... and the worker is the same');
$sim->faults;
$node->equals_stripe($sim, 'stripe_team_poison', 'after poisoned pages');
is($node->sql("SELECT count(*) FROM billstack.sync_progress WHERE team = 'poison' AND error IS NOT NULL"), 0, 'no error is left behind');

# --- CALL ----------------------------------------------------------------------------------------------

is($node->error_of("BEGIN; CALL billstack.run_backfill('poison'); COMMIT")->{sqlstate}, '25001', 'CALL in a transaction block');
is($node->error_of(q{DO $$ DECLARE r jsonb; BEGIN CALL billstack.run_backfill('poison', ARRAY['product'], result => r);
	RAISE EXCEPTION '%', r ->> 'success'; END $$})->{message}, 'true', 'CALL inside DO');
$node->connect_team('leaving', $sim->key);
$sim->latency(100);
my $caller = Billstack::Session->new($node, 'postgres');
$caller->start("CALL billstack.run_backfill('leaving')");
$node->wait_until(sub { ($node->progress('leaving')->{charge}{synced} // 0) > 0 });
like($node->sql("SELECT billstack.disconnect('leaving')"), qr/"success": true/, 'disconnected during a backfill');
my $answer = $caller->answer;
is($answer->{sqlstate}, '42704', 'who waits for it is told') or diag explain $answer;
is($node->sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'stripe_team_leaving'"), 0, 'the schema is gone');
$sim->latency(0);

# --- the deferred trigger --------------------------------------------------------------------------------

is($node->run_ends($deferring), 'failed', 'a deferred trigger ends the run');
like($node->progress('deferring')->{product}{error},
	qr/^writing products failed: cannot fire deferred trigger within security-restricted operation/, '... with the reason');
is($node->sql('SELECT count(*) FROM stripe_team_deferring.products'), 0, '... no row is written');
is($node->sql('SELECT count(*) FROM attempts'), 0, '... and it was not run');

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|leak|core::|std::/, 'no crash in the log');
$node->stop;
done_testing();
