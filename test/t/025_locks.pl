# Locks of users beside a backfill: whoever holds a table or rows of a mirror holds up that kind and
# nothing else, is told about in sync_progress, and no page is lost. The worker holds nothing while it waits.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my ($key, $other_key) = ('sk_test_locksacme00000000', 'sk_test_locksother0000000');
my %sizes = (customer => 250, product => 20, price => 60, subscription => 150, invoice => 350, charge => 250);
my $sim = Billstack::Simulator->new(config => { accounts => [
	{ id => 'acct_LocksAcme0000001', seed => 41, sizes => \%sizes, keys => [ { key => $key } ] },
	{ id => 'acct_LocksOther000001', seed => 42, sizes => \%sizes, keys => [ { key => $other_key } ] } ] });
my $node = Billstack::Node->make('locks', $sim);
$node->connect_team('acme', $key);
$node->connect_team('other', $other_key);
my ($holder, $third) = map { Billstack::Session->new($node, 'postgres') } 1 .. 2;
my $schema = 'stripe_team_acme';

sub equals_stripe
{
	my ($name) = @_;
	my $seen = compare_mirror(port => $sim->port, account => 'acct_LocksAcme0000001', schema => $schema,
		query => sub { split /\n/, $node->sql($_[0]) });
	return is_deeply($seen->{differences}, [], "$name: $seen->{objects} objects equal Stripe's");
}

# Calls of other sessions go through the same worker: it may sit in one lock's timeout (1 s) that began before
# the call, and then in short ones. Looked at until it has been refused the lock twice more.
sub calls_are_answered
{
	my ($name) = @_;
	my $refusals = sub { return scalar(() = slurp_file($node->logfile) =~ /backfill of \w+ (?:pauses|waits with \w+) for/g) };
	my ($calls, $slowest, $until) = (0, 0, $refusals->() + 2);
	while ($refusals->() < $until && $calls < 10_000)
	{
		my $from = time;
		$third->value("SELECT billstack.check_keys('$key')");
		$slowest = time - $from if time - $from > $slowest;
		$calls++;
	}
	return cmp_ok($slowest, '<', 1.7, sprintf '%s: check_keys is answered %d times, the slowest in %.0f ms', $name, $calls, 1000 * $slowest);
}

# --- nothing is open while Stripe is asked -----------------------------------------------------------

$sim->faults({ match => { path => '^/v1/', query => 'starting_after' }, action => { hang => \1 } });
my $run = $node->start_backfill('acme');
my $worker = $node->worker_pid;
# Every first page is written and every second one hangs: there is nothing left to do but wait.
my $rest = "SELECT bool_and(synced >= 100) FROM billstack.sync_progress
	WHERE team = 'acme' AND object IN ('customer', 'subscription', 'invoice', 'charge')";
$node->comes_true($rest, 'the first pages are written');
Billstack::Node->wait_until(sub { $sim->stats->{concurrent_requests} >= 4 });
my ($samples, $open) = (0, '');
# But for the claims of its ranges, which concern other workers only.
for (1 .. 200)
{
	my $seen = $third->value("SELECT concat_ws(' ', xact_start, backend_xmin::text, backend_xid::text, state,
		(SELECT string_agg(mode || ' ' || coalesce(relation::regclass::text, locktype), ' ') FROM pg_locks WHERE pid = $worker
			AND NOT (locktype = 'object' AND classid = 'billstack_internal.backfill_range'::regclass)))
		FROM pg_stat_activity WHERE pid = $worker");
	$samples++;
	$open .= "$seen\n" if $seen ne 'idle';
}
cmp_ok($sim->stats->{concurrent_requests}, '>=', 4, 'requests hang');
is($open, '', "no transaction, snapshot or lock is open in $samples looks");
is($node->worker_pid, $worker, 'the worker is the same');

# --- a table ------------------------------------------------------------------------------------------

# Waiting for the end of hanging requests would take their deadline: start over.
$node->sql("SELECT billstack.cancel_backfill('acme')");
$sim->faults;
Billstack::Node->wait_until(sub { $sim->stats->{concurrent_requests} == 0 });
$holder->value("BEGIN; LOCK $schema.invoices IN ACCESS EXCLUSIVE MODE");
$run = $node->start_backfill('acme');
$node->comes_true("SELECT count(*) = 1 FROM pg_locks WHERE relation = '$schema.invoices'::regclass AND NOT granted",
	'the worker meets the lock');
calls_are_answered('a table is locked');
$node->comes_true("SELECT error LIKE 'writing waits: %lock timeout%' FROM billstack.sync_progress
	WHERE team = 'acme' AND object = 'invoice'", 'sync_progress says what invoices wait for');
my $other = $node->start_backfill('other');
is($node->run_ends($other), 'done', 'another team\'s backfill runs through');
$node->comes_true(q{SELECT bool_and(state = 'done') FROM billstack.sync_progress
	WHERE team = 'acme' AND object IN ('customer', 'product', 'price')}, 'so do other kinds of this one');
is($node->progress('acme')->{invoice}{state}, 'running', 'invoices wait still');
$holder->value('COMMIT');
is($node->run_ends($run), 'done', 'the lock ends: the run completes');
is($node->progress('acme')->{invoice}{error}, undef, 'no error is left behind');
equals_stripe('after a table lock');

# --- rows ---------------------------------------------------------------------------------------------

my @changed = map { $_->{id} } (sort { $a->{id} cmp $b->{id} } $sim->objects('customer'))[ 0 .. 9 ];
($sim->accounts)[0]{id} eq 'acct_LocksAcme0000001' or die 'the first account is another one';
$sim->patch('customer', $_, { description => 'changed' }) for @changed;
$holder->value("BEGIN; SELECT id FROM $schema.customers WHERE id = '$changed[4]' FOR UPDATE");
$run = $node->start_backfill('acme');
$node->comes_true("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = " . $node->worker_pid,
	'the worker meets a locked row');
calls_are_answered('a row is locked');
$node->comes_true("SELECT error LIKE 'writing waits: %lock timeout%' FROM billstack.sync_progress
	WHERE team = 'acme' AND object = 'customer'", 'sync_progress says what customers wait for');
is($node->run_ends($node->start_backfill('other')), 'done', 'another team\'s backfill runs through');
$holder->value('COMMIT');
is($node->run_ends($run), 'done', 'the lock ends: the run completes');
equals_stripe('after a row lock');
is($node->sql("SELECT count(*) FROM $schema.customers WHERE description = 'changed'"), 10, 'every changed row is there');

$node->stop;
done_testing();
