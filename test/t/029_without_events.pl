# No event ever comes. The account changes while backfills run, Stripe fails a fifth of the requests, and the
# server is restarted, fast and immediate, in the middle. A run shows everything that did not change meanwhile;
# the next one on a quiet account everything: created, changed and deleted. BILLSTACK_SEED repeats a run's
# changes, BILLSTACK_LONG makes 20 rounds of 3.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Simulator;
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = $ENV{BILLSTACK_LONG} ? 20 : 3;
my $seed = $ENV{BILLSTACK_SEED} // time;
srand $seed;
note "BILLSTACK_SEED=$seed";

my $schema = 'stripe_team_acme';
my $sim = Billstack::Simulator->new(seed => 81, customers => 700, products => 150, prices => 60, subscriptions => 300,
	invoices => 500, charges => 900);
my $node = Billstack::Node->make('quiet', $sim, durable => 1);
$node->connect_team('acme', $sim->key);
my @kinds = qw(customer product subscription invoice charge);
my (%touched, %count, $made);

# One object of a kind comes, changes or goes, behind Stripe's back.
sub change_something
{
	my $kind = $kinds[ rand @kinds ];
	my @ids = map { $_->{id} } $sim->objects($kind);
	my $id = $ids[ rand @ids ];
	my $dice = rand;
	if ($dice < 0.3)
	{
		# Anywhere in time: also where the run has been already.
		my $twin = $sim->object($kind, $id);
		$twin->{id} = sprintf '%s_made_%04d', $kind, ++$made;
		delete @$twin{qw(items lines)};
		$twin->{created} += int(rand 3) - 1;
		$sim->put($kind, $id = $twin->{id}, $twin);
		$count{created}++;
	}
	elsif ($dice < 0.65) { $sim->patch($kind, $id, { metadata => { changed => int rand 1e9 } }); $count{changed}++; }
	else { $sim->remove($kind, $id); $count{deleted}++; }
	$touched{"$kind $id"} = 1;
	return;
}

sub synced { return $node->sql("SELECT coalesce(sum(synced), 0) FROM billstack_internal.backfill_range WHERE run_id = $_[0]"); }

for my $round (1 .. $rounds)
{
	%touched = ();
	$sim->latency(15);
	$sim->faults({ random => 0.2, match => { path => '^/v1/' } });
	my $run = $node->start_backfill('acme');
	# The restart comes this far into the run.
	my $goal = 200 + int rand 1500;
	while (1)
	{
		change_something() for 1 .. 3;
		last if synced($run) >= $goal || $node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run") !~ /queued|running/;
	}
	my $mode = $round % 2 ? 'immediate' : 'fast';
	$node->restart($mode) if $mode eq 'fast';
	if ($mode eq 'immediate') { $node->stop('immediate'); $node->start; }
	change_something() for 1 .. 20;
	is($node->run_ends($run), 'done', "round $round: changes, faults and a restart ($mode) beside the run: it ends done");
	my $seen = compare_mirror(port => $sim->port, schema => $schema, query => sub { split /\n/, $node->sql($_[0]) }, kinds => \@kinds);
	my @differences = grep { /^(\w+ \w+)/ && !$touched{$1} } @{ $seen->{differences} };
	diag($_) for splice @{ [@differences] }, 0, 10;
	is(scalar @differences, 0, "round $round: of $seen->{objects} objects those that did not change meanwhile equal Stripe's");
	$sim->faults;
	$sim->latency(0);
	$node->run_backfill('acme');
	$node->equals_stripe($sim, $schema, "round $round: after a quiet run all do");
}
note join ', ', map { "$count{$_} $_" } sort keys %count;
is($node->sql("SELECT count(*) FROM billstack_internal.refetch"), 0, 'nothing is left to be read');
my $gone = $node->sql('SELECT ' . join ' + ', map { "(SELECT count(*) FROM $schema.${_}s WHERE _deleted_at IS NOT NULL)" } @kinds);
cmp_ok($gone, '>', 10, "$gone tombstones");
$node->stop;
done_testing();
