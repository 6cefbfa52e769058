# The worker is killed at random moments of one backfill. Each time the server recovers, the run goes on by
# itself where it was, and in the end the mirror equals Stripe. BILLSTACK_LONG kills 50 times instead of 5;
# BILLSTACK_SEED repeats a run's moments.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $kills = $ENV{BILLSTACK_LONG} ? 50 : 5;
my $seed = $ENV{BILLSTACK_SEED} // time;
srand $seed;
note "seed $seed";

my %size = (customers => 1200 * $kills, products => 20, prices => 60, subscriptions => 400,
	invoices => 100 * $kills, charges => 200 * $kills);
my $sim = Billstack::Simulator->new(seed => 33, %size, latency_ms => 150);
# What is committed reaches the disk within 30 ms, so that little of it is read again. Few requests at once: the run
# must last for all the kills.
my $node = Billstack::Node->make('crash', $sim, durable => 1, conf => "wal_writer_delay = 10ms\nbillstack.max_requests = 3");
$node->connect_team('acme', $sim->key);
my $run = $node->start_backfill('acme');

# Something of the run, or undef while the server recovers.
sub of_run
{
	my ($what) = @_;
	my ($code, $value) = $node->psql('postgres', "SELECT $what FROM billstack_internal.backfill_run AS r
		JOIN billstack_internal.backfill_range AS g ON g.run_id = r.id WHERE r.id = $run");
	return defined $code && $code == 0 && length $value ? $value : undef;
}
sub synced { return of_run('sum(g.synced)') // -1; }

# Moments: this far, and then a random while, into whatever the worker does then.
my $total = 0;
$total += $_ for values %size;
my ($killed, @at) = (0);
for my $round (1 .. $kills)
{
	my $goal = int($total * ($round - rand 0.9) / ($kills + 1));
	$node->wait_until(sub { synced() >= $goal });
	my $worker = $node->wait_until(sub { eval { $node->worker_pid } });
	sleep rand 0.1;
	push @at, synced();
	last if (of_run('max(r.state)') // '') ne 'running';
	$killed += kill 'KILL', $worker;
	$node->wait_until(sub { !-e "/proc/$worker" });
	$node->wait_until(sub { defined of_run('1') });
}
is($killed, $kills, "seed $seed: $killed kills, at " . join(', ', @at) . " of $total rows");
my $crashes = () = slurp_file($node->logfile) =~ /terminated by signal 9/g;
is($crashes, $kills, 'each was a crash that the server recovered from');
is($node->run_ends($run), 'done', 'the run goes on by itself and ends');
is($node->status('acme')->{syncStatus}, 'ready', 'the mirror is ready');
is($node->sql('SELECT count(*) FROM billstack_internal.backfill_run'), 1, 'it is the same run');
my $progress = $node->progress('acme');
is_deeply({ map { ("${_}s" => $progress->{$_}{synced}) } keys %$progress }, \%size,
	'no row is counted twice, none is left out');
$node->equals_stripe($sim, 'stripe_team_acme', "after $kills crashes");

# Of each of three chains at most two pages were fetched and not written, and two written and not yet on disk.
my %pages;
$sim->last_sequence <= 200_000 or BAIL_OUT('the ledger does not reach back');
$_->{target} =~ m{^/v1/(\w+)\?} && exists $size{$1} && $pages{$1}++ for $sim->ledger;
for my $list (sort keys %size)
{
	my $needed = int(($size{$list} + 99) / 100);
	cmp_ok($pages{$list}, '<=', $needed + 3 * 4 * $kills, "$list: $pages{$list} requests for $needed pages");
}

$node->stop;
done_testing();
