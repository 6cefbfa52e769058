# The worker is killed at random moments of one backfill. Each time the server recovers, the run goes on by
# itself where it was, and in the end the mirror equals Stripe. BILLSTACK_LONG kills 20 times instead of 5.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $kills = $ENV{BILLSTACK_LONG} ? 20 : 5;
my $seed = $ENV{BILLSTACK_SEED} // time;
srand $seed;
note "seed $seed";

my $sim = Billstack::Simulator->new(seed => 33, customers => 600, products => 20, prices => 60,
	subscriptions => 500, invoices => 200 * $kills, charges => 400 * $kills, latency_ms => 40);
my $node = Billstack::Node->make('crash', $sim, durable => 1);
$node->connect_team('acme', $sim->key);
my $run = $node->start_backfill('acme');

sub synced { my $text = eval { $node->sql("SELECT coalesce(sum(synced), 0) FROM billstack_internal.backfill_range WHERE run_id = $run") }; return $text // -1; }
sub state_of_run { return eval { $node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run") } // ''; }

my ($done, $killed) = (0, 0);
for my $round (1 .. $kills)
{
	# The moment: some rows further than at the last kill, and a random while inside a page.
	my $goal = $done + int rand 300;
	Billstack::Node->wait_until(sub { synced() >= $goal && synced() > $done || state_of_run() eq 'done' });
	last if state_of_run() eq 'done';
	sleep rand 0.06;
	my $worker = eval { $node->worker_pid } or next;
	$done = synced();
	kill 'KILL', $worker;
	$killed++;
	Billstack::Node->wait_until(sub { !-e "/proc/$worker" });
	Billstack::Node->wait_until(sub { state_of_run() ne '' });
	cmp_ok(synced(), '>=', 0, "kill $round at $done rows: the server is back");
}
is($killed, $kills, 'every kill hit a running backfill');
is($node->run_ends($run), 'done', 'the run ends by itself');
is($node->status('acme')->{syncStatus}, 'ready', 'and the mirror is ready');
is($node->progress('acme')->{charge}{synced}, 400 * $kills, 'no row is counted twice');
my $seen = compare_mirror(port => $sim->port, schema => 'stripe_team_acme',
	query => sub { split /\n/, $node->sql($_[0]) });
is_deeply($seen->{differences}, [], "$seen->{objects} objects, $seen->{fields} fields equal");

# What was committed is not read again: per kill at most the pages in flight and one more a kind.
my $needed = 1 + 6 + 1 + 1 + 5 + 2 * $kills + 4 * $kills;
my $pages = grep { $_->{target} =~ m{^/v1/(customers|products|prices|subscriptions|invoices|charges)\?} } $sim->ledger;
cmp_ok($pages, '<=', $needed + $kills * 6 * 3, "$pages list requests for $needed pages and $kills crashes");

$node->stop;
done_testing;
