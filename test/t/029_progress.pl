# What sync_progress and backfills show while a run goes on, looked at as often as can be: percent never above
# 100 and 100 only for what is done, no estimate below what has been read; the sum of
# the kinds is the run. Ranges may be cut while it is looked at.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8;
my %size = (customers => 2500, products => 20, prices => 60, subscriptions => 400, invoices => 1500, charges => 6000);
my $sim = Billstack::Simulator->new(seed => 91, %size, latency_ms => 40);
my $node = Billstack::Node->make('progress', $sim);
my $session = Billstack::Session->new($node, 'postgres');
$node->connect_team('acme', $sim->key);
my $run = $node->start_backfill('acme');

my (@wrong, %last, %fall, %seen);
my ($looks, $state, $total) = (0, '');
while ($state !~ /done|failed|canceled/)
{
	my $look = $json->decode($session->value(qq{SELECT jsonb_build_object('run', (SELECT to_jsonb(b) FROM billstack.backfills AS b WHERE run_id = $run),
		'kinds', (SELECT jsonb_agg(to_jsonb(p)) FROM billstack.sync_progress AS p WHERE run_id = $run))}));
	$looks++;
	$state = $look->{run}{state};
	for my $row (@{ $look->{kinds} }, { %{ $look->{run} }, object => 'the run' })
	{
		my ($kind, $percent, $estimate) = @$row{qw(object percent estimated_total)};
		$seen{$kind}++ if defined $percent && $row->{state} eq 'running';
		push @wrong, "$kind: $percent %" if defined $percent && ($percent > 100 || $percent < 0);
		push @wrong, "$kind: 100 % but $row->{state}" if defined $percent && $percent == 100 && $row->{state} ne 'done';
		push @wrong, "$kind: done at $percent %" if $row->{state} eq 'done' && $percent != 100;
		push @wrong, "$kind: $row->{synced} of $estimate" if defined $estimate && $estimate < $row->{synced};
		push @wrong, "$kind: eta while $row->{state}" if defined $row->{eta} && $row->{state} ne 'running';
		$fall{$kind} = $last{$kind} - $percent
		  if defined $percent && defined $last{$kind} && $last{$kind} - $percent > ($fall{$kind} // 0);
		$last{$kind} = $percent if defined $percent;
	}
	my $sum = 0;
	$sum += $_->{synced} for @{ $look->{kinds} };
	push @wrong, "the run has $look->{run}{synced}, its kinds $sum" if $sum != $look->{run}{synced};
	push @wrong, 'ready while the run is open'
	  if $state eq 'running' && $node->status('acme')->{syncStatus} ne 'syncing' && $looks % 10 == 0
	  && $node->sql("SELECT state FROM billstack.backfills WHERE run_id = $run") eq 'running';
}
is($state, 'done', "done, after $looks looks");
is(join('; ', @wrong), '', 'nothing absurd was shown');
cmp_ok($seen{$_} // 0, '>', 3, "$_: percent was shown " . ($seen{$_} // 0) . ' times on the way') for 'the run', qw(charge customer invoice);
# What is left is estimated from what was seen: percent may fall a little when more is known.
cmp_ok($fall{$_} // 0, '<', 30, "$_: the deepest fall between two looks was " . ($fall{$_} // 0) . ' points')
  for 'the run', qw(charge customer invoice subscription);
is($node->sql("SELECT synced, estimated_total, percent, eta, open_kinds FROM billstack.backfills WHERE run_id = $run"),
	do { my $all = 0; $all += $_ for values %size; "$all|$all|100||{}" }, 'in the end the estimate is what was read');

# --- history --------------------------------------------------------------------------------------------

my $runs = sub { $node->sql("SELECT string_agg(cardinality(objects)::text, ' ' ORDER BY run_id) FROM billstack.backfills") };
my $age = sub { $node->sql("UPDATE billstack_internal.backfill_run SET finished_at = finished_at - interval '31 days'") };
is($node->sql('SELECT count(*) FROM billstack_internal.backfill_range WHERE edge_ids IS NOT NULL'), 0,
	'ranges that are done keep no ids');
$age->();
my $short = $node->start_backfill('acme', objects => ['customer']);
is($node->run_ends($short), 'done', 'customers once more');
is($runs->(), '6 1', 'the old run is the newest of five kinds: it stays');
is($node->sql("SELECT count(*), count(*) FILTER (WHERE run_id = $run) FROM billstack.sync_progress WHERE team = 'acme'"), '6|5',
	'sync_progress shows the newest run of each kind');
$age->();
is($node->run_ends($node->start_backfill('acme')), 'done', 'all of them once more');
is($runs->(), '6', 'runs older than 30 days that are the newest of nothing are gone');
$node->stop;
done_testing();
