# Random schedules through the whole way: fifty objects each that change while a backfill runs under faults,
# their events handed in late, doubled, out of order or as thin twins only; in the end the mirror holds what
# Stripe holds, field by field. Many schedules at once share an account and a mirror. Schedule n of a run has
# the seed BILLSTACK_SEED + n; BILLSTACK_SCHEDULES=1 with the seed that a failure prints repeats that one.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in drained settled);
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Schedule;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use List::Util qw(min shuffle);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $json = Cpanel::JSON::XS->new->utf8->canonical;
my $seed = $ENV{BILLSTACK_SEED} || 1 + int rand 1_000_000_000;
my $schedules = $ENV{BILLSTACK_SCHEDULES} || ($ENV{BILLSTACK_LONG} ? 10_000 : 300);
my $at_once = 100;
my $rounds = int(($schedules + $at_once - 1) / $at_once);
my $secret = 'whsec_' . 'k' x 32;
my @kinds = Billstack::Schedule::kinds();
my @with_children = map { ($_, Billstack::Schedule::children($_)) } @kinds;
note("BILLSTACK_SEED=$seed BILLSTACK_SCHEDULES=$schedules");
srand $seed;

my $sim = Billstack::Simulator->new(config => { accounts => [ map { {
	id => "acct_round$_", seed => $_, sizes => { map { $_ => 0 } qw(customer product price subscription invoice charge) },
	keys => [ { key => "sk_test_round$_" . '0' x 16 } ] } } 1 .. $rounds ] });
my $node = Billstack::Node->make('schedules', $sim, conf => 'log_statement = none');
my %total = (events => 0, handed_in => 0, reads => 0, objects => 0, fields => 0, differences => 0, schedules => 0);

# A control request to one account of the simulator.
sub ask
{
	my ($round, $path, $content) = @_;
	return $json->decode($sim->ask('POST', "$path?account=acct_round$round", $content));
}

# What was there before anybody looked, shared out among the schedules of a round.
sub schedules_of
{
	my ($round, $count) = @_;
	my %found = Billstack::Schedule::found();
	my %ids;
	for my $kind (@kinds)
	{
		my %sizes = ($kind eq 'subscription' ? (items => [ 2, 14 ]) : $kind eq 'invoice' ? (lines => [ 2, 13 ]) : ());
		my ($member) = keys %sizes;
		# Of those with children one has more than the ten that come with it.
		my @lots = $member ? ([ $found{$kind} - 1, $sizes{$member}[0] ], [ 1, $sizes{$member}[1] ]) : [ $found{$kind} ];
		for my $lot (@lots)
		{
			my $fields = $member ? { $member => { data => [ map { {} } 1 .. $lot->[1] ] } } : {};
			push @{ $ids{$kind} }, [ @{ ask($round, 'make', { kind => $kind, count => $lot->[0] * $count, fields => $fields })->{ids} } ];
		}
	}
	my %parts;
	for my $kind (map { Billstack::Schedule::children($_) } @kinds)
	{
		for my $one (map { $json->decode($_) } split /\n/, $sim->ask('GET', "objects/$kind?account=acct_round$round&parents=1"))
		{
			push @{ $parts{ $one->{parent} } }, $one->{object}{id};
		}
	}
	return map {
		my $n = $_;
		my %own = map { my $kind = $_; ($kind => [ map { splice @$_, 0, @$_ / ($count - $n) } @{ $ids{$kind} } ]) } @kinds;
		Billstack::Schedule->new($seed + ($round - 1) * $at_once + $n, \%own, \%parts);
	} 0 .. $count - 1;
}

# Changes of all schedules, taking turns; the clock stands still meanwhile, then goes on by some seconds.
sub change
{
	my ($round, $count, @schedules) = @_;
	my @lists = map { [ $_->changes($count) ] } @schedules;
	my @changes;
	while (@lists = grep { @$_ } @lists) { push @changes, map { shift @$_ } @lists; }
	$sim->set_time($sim->now + int rand 3); # never back: it runs between the rounds
	ask($round, 'changes', { changes => \@changes });
	return;
}

# The deliveries of new events: a hundredth gets lost until the end, some come twice, some as thin twins, with
# or without the snapshot.
sub collect
{
	my ($round, $from, $pool, $lost) = @_;
	my $answer = ask($round, 'deliveries', { secret => $secret, thin => 0.05, at => int time, $$from ? (from => $$from) : () });
	$$from = $answer->{next};
	my @all = @{ $answer->{deliveries} };
	my %twin = map { ($json->decode($_->{payload})->{snapshot_event} => 1) } grep { $_->{thin} } @all;
	for my $one (@all)
	{
		$total{events}++ if !$one->{thin};
		next if !$one->{thin} && $twin{ $one->{event_id} } && rand() < 0.5;
		push @{ rand() < 0.01 ? $lost : $pool }, ($one) x (rand() < 0.15 ? 2 : 1);
	}
	return;
}

sub hand_in_some
{
	my ($team, $share, $pool) = @_;
	@$pool = shuffle @$pool;
	my @some = splice @$pool, 0, int(@$pool * $share);
	$total{handed_in} += @some;
	hand_in($node, $team, @some);
	return;
}

# Compares a team's mirror with Stripe in a process of its own, while the next round runs.
sub start_comparing
{
	my ($round, $team, $schedules) = @_;
	my $pid = open(my $pipe, '-|') // die $!;
	if (!$pid)
	{
		my $seen = eval { compare_mirror(port => $sim->port, account => "acct_round$round", schema => "stripe_team_$team",
			query => sub { return split /\n/, $node->sql($_[0]) }, kinds => \@with_children) };
		syswrite STDOUT, $json->encode($seen // { objects => 0, fields => 0, differences => [ "comparing: $@" ] });
		POSIX::_exit(0); # the server and the simulator are the parent's
	}
	return { round => $round, schedules => $schedules, pipe => $pipe };
}

sub end_comparing
{
	my ($comparison) = @_;
	my $seen = $json->decode(join '', readline $comparison->{pipe});
	close $comparison->{pipe};
	$total{$_} += $seen->{$_} for qw(objects fields);
	my @schedules = @{ $comparison->{schedules} };
	my @differences = @{ $seen->{differences} };
	$total{differences} += @differences;
	is(scalar @differences, 0, "round $comparison->{round}: the mirror of " . @schedules . ' schedules equals Stripe');
	say_what_differs(\@schedules, @differences) if @differences;
	return;
}

sub say_what_differs
{
	my ($schedules, @differences) = @_;
	diag($_) for splice @{ [@differences] }, 0, 20;
	my %of = map { ((split / /, $_)[1] =~ s/[:.].*//r => 1) } @differences;
	for my $id (sort keys %of)
	{
		my ($schedule) = grep { $_->owns($id) } @$schedules;
		diag("$id: BILLSTACK_SEED=" . $schedule->seed . ' BILLSTACK_SCHEDULES=1 repeats it alone') if $schedule;
	}
	return;
}

sub run_round
{
	my ($round) = @_;
	my $team = "round$round";
	my $count = min($at_once, $schedules - ($round - 1) * $at_once);
	$node->connect_team($team, "sk_test_round$round" . '0' x 16);
	$node->sql("SELECT billstack.rotate_keys('$team', NULL, webhook_secret => '$secret')");
	my @schedules = schedules_of($round, $count);
	$sim->faults({ random => 0.05, match => { path => '^/v1/' } },
		(map { { match => { path => '^/v1/' }, probability => 0.02, action => $_ } }
			{ status => 429 }, { status => 500 }, { cut => 'body' }),
		# A page that comes long after it was read; others overtake it.
		{ match => { path => '^/v1/', query => 'limit' }, probability => 0.3, action => { delay_ms => 1500 } });
	$sim->latency(2);
	my $run = $node->start_backfill($team, objects => \@kinds);
	my (@pool, @lost, $from);
	for my $wave (1 .. 4)
	{
		change($round, 6, @schedules) for 1, 2;
		collect($round, \$from, \@pool, \@lost);
		hand_in_some($team, 0.7, \@pool);
	}
	is($node->run_ends($run), 'done', "round $round: the backfill beside the events ends")
	  || diag($node->sql("SELECT to_jsonb(r) FROM billstack_internal.backfill_run AS r WHERE id = $run"));
	$sim->faults();
	$sim->latency(0);
	push @pool, @lost;
	hand_in_some($team, 1, \@pool);
	$sim->set_time($sim->now + 2, standing => \0);
	ok(drained($node) && settled($node), "round $round: everything is applied, and read once more");
	$total{schedules} += $count;
	count_reads();
	return start_comparing($round, $team, \@schedules);
}

# Reads by id and of the children of one object.
sub count_reads
{
	my @targets = map { $_->{target} =~ s/\?.*//r } $sim->ledger($total{sequence} // 0);
	$total{sequence} = $sim->last_sequence;
	$total{reads} += grep { m{^/v1/[a-z_]+/[^/]+$} } @targets;
	return;
}

my $from = time;
my $comparison;
for my $round (1 .. $rounds)
{
	my $start = time;
	my $next = run_round($round);
	end_comparing($comparison) if $comparison;
	$comparison = $next;
	note(sprintf 'round %d: %.1f s', $round, time - $start);
}
end_comparing($comparison);
is($node->sql('SELECT count(*) FROM billstack_internal.inbox'), 0, 'no event is left, no dead letter');
note(sprintf '%d schedules, %d events, %d deliveries, %.3f reads an event, %d objects and %d fields compared, '
	  . '%d differences, %.0f s', @total{qw(schedules events handed_in)}, $total{reads} / ($total{events} || 1),
	@total{qw(objects fields differences)}, time - $from);
note('outcomes: ' . $node->sql(q{SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome)
	FROM (SELECT outcome, count(*) AS n FROM billstack_internal.event GROUP BY outcome) AS o}));
unlike(slurp_file($node->logfile), qr/ERROR|PANIC|terminated by signal|leak/, 'no error in the log');
$node->stop;
done_testing();
