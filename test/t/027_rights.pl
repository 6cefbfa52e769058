# Nobody gets rights through billstack: not by a search path of his own, not by a trigger on a mirror he
# owns that changes settings for what runs after it. And no run holds up the calls of others, whatever its
# triggers and locks do.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $sim = Billstack::Simulator->new(customers => 30);
my $key = $sim->key;
my $node = Billstack::Node->make('rights', $sim);
$node->sql(q{
	CREATE ROLE tenant LOGIN;
	GRANT CREATE ON DATABASE postgres TO tenant;
	SELECT billstack.grant_access('tenant', 'admin');
});

# Operators and functions of the tenant's that take the place of the server's, and report who ran them.
my @trap = (q{CREATE SCHEMA evil}, q{CREATE TABLE evil.ran (what text, who name)}, q{GRANT ALL ON SCHEMA evil TO PUBLIC},
	q{GRANT ALL ON evil.ran TO PUBLIC},
	q{CREATE FUNCTION evil.note(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN
			IF current_user <> 'tenant' THEN
				EXECUTE 'ALTER ROLE tenant SUPERUSER';
			END IF;
			INSERT INTO evil.ran VALUES ('operator', current_user);
			RETURN $1 OPERATOR(pg_catalog.=) $2;
		END $$},
	q{CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.note)},
	q{CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
		BEGIN
			EXECUTE 'ALTER ROLE tenant SUPERUSER';
			RETURN pg_catalog.clock_timestamp();
		END $$});
my $tenant = Billstack::Session->new($node, 'postgres', 'tenant');
for my $statement (@trap)
{
	my $answer = $tenant->start($statement) // $tenant->answer;
	BAIL_OUT("$statement: $answer->{message}") if ref $answer && $answer->{sqlstate};
}
sub nobody_ran { my ($name) = @_;
	is($node->sql(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'tenant'}), 'f', "$name: no superuser");
	return is($node->sql(q{SELECT count(*) FROM evil.ran WHERE who <> 'tenant'}), 0, "$name: nothing ran with other rights"); }

$tenant->value('SET search_path = evil, pg_catalog');
$tenant->value("SELECT billstack.connect('acme', '$key')");
nobody_ran('connect');
$tenant->start(q{CALL billstack.run_backfill('acme')});
is($tenant->answer->{sqlstate}, undef, 'the tenant copies the account');
nobody_ran('run_backfill, which has no SET clause');
$tenant->value($_) for q{SELECT billstack.validate('acme')}, q{SELECT count(*) FROM billstack.sync_progress},
  q{SELECT billstack.upgrade_mirror('acme')}, q{SELECT count(*) FROM billstack.health()};
nobody_ran('the other functions and views');

# A trigger of the mirror's owner changes settings of the session it runs in.
$tenant->value(q{CREATE FUNCTION evil.sets() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_config('search_path', 'evil, pg_catalog', false);
		PERFORM set_config('lock_timeout', '0', false);
		RETURN NULL;
	END $$});
$tenant->value(q{CREATE TRIGGER sets AFTER INSERT OR UPDATE ON stripe_team_acme.customers FOR EACH STATEMENT EXECUTE FUNCTION evil.sets()});
$sim->patch('customer', ($sim->objects('customer'))[0]->{id}, { name => 'Changed' });
is($node->run_backfill('acme')->{success}, 1, 'a backfill beside such a trigger ends');
nobody_ran('a trigger that sets search_path');
$sim->patch('customer', ($sim->objects('customer'))[1]->{id}, { name => 'Changed too' });
$node->run_backfill('acme');
nobody_ran('the backfill after it');
$node->sql('UPDATE billstack_internal.integration SET mirror_version = 0');
$node->sql(q{ALTER TABLE stripe_team_acme.customers DROP COLUMN phone});
$tenant->value(q{SELECT billstack.upgrade_mirror('acme')});
nobody_ran('upgrade_mirror over such a trigger');
$tenant->value(q{DROP TRIGGER sets ON stripe_team_acme.customers});

# A slow trigger: what waits meanwhile is answered as soon as it has ended.
$tenant->value(q{CREATE FUNCTION evil.sleeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$});
$tenant->value(q{CREATE TRIGGER sleeps AFTER INSERT OR UPDATE ON stripe_team_acme.customers FOR EACH STATEMENT EXECUTE FUNCTION evil.sleeps()});
$sim->patch('customer', ($sim->objects('customer'))[2]->{id}, { name => 'Changed slowly' });
my $run = $node->start_backfill('acme', objects => ['customer']);
Billstack::Node->wait_until(sub { $node->sql(q{SELECT count(*) FROM pg_locks WHERE relation = 'stripe_team_acme.customers'::regclass
	AND mode = 'RowExclusiveLock'}) > 0 });
my $asked = time;
like($node->sql("SELECT billstack.check_keys('$key')"), qr/acct_/, 'a call beside a slow trigger is answered');
cmp_ok(time - $asked, '<', 10, 'when the trigger has ended');
is($node->run_ends($run), 'done', 'and the run ends');
$tenant->value(q{DROP TRIGGER sleeps ON stripe_team_acme.customers});

# Somebody holds the integration's row, as an open rotate_keys() does: its run waits, everybody else goes on with the same worker.
my $worker = $node->worker_pid;
my $holder = Billstack::Session->new($node, 'postgres');
$holder->value('BEGIN');
$holder->value(q{SELECT 1 FROM billstack_internal.integration WHERE team = 'acme' FOR NO KEY UPDATE});
$run = $node->start_backfill('acme', objects => ['product']);
$node->comes_true("SELECT count(*) > 0 FROM billstack_internal.backfill_range WHERE run_id = $run AND state = 'done'",
	'the range is copied');
$sim->set_key('rk_test_somebodyelse00000000');
$node->connect_team('other', 'rk_test_somebodyelse00000000');
is($node->run_backfill('other', objects => ['product'])->{success}, 1, 'another team copies meanwhile');
like($node->sql("SELECT billstack.check_keys('$key')"), qr/acct_/, 'calls are answered meanwhile') for 1 .. 3;
is($node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run"), 'running', 'the run waits');
is($node->worker_pid, $worker, 'and the worker is the same');
$holder->value('ROLLBACK');
is($node->run_ends($run), 'done', 'it ends when the lock is gone');

$node->stop;
done_testing;
