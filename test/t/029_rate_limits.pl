# Stripe's limits: a backfill keeps to them, all databases of the server together; a user's call does not
# wait for the backfill's; whatever Stripe refuses, the copy ends right. And what was read is counted.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Simulator;
use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(time);

my $sim = Billstack::Simulator->new(seed => 71, customers => 700, products => 10, prices => 30,
	subscriptions => 400, invoices => 500, charges => 900);
my $node = Billstack::Node->make('limits', $sim, conf => "billstack.rate_limit = -1\nbillstack.endpoint_rate_limit = 8");
$node->connect_team('acme', $sim->key);

sub set
{
	my %settings = @_;
	$node->sql("ALTER SYSTEM SET billstack.$_ = $settings{$_}") for sort keys %settings;
	$node->sql('SELECT pg_reload_conf()');
	return;
}

# Of the requests since the limits were set.
sub refused { return sum0(values %{ $_[0]{refused} }); }
sub asked { return sum0(map { $_->{requests} } values %{ $_[0]{endpoints} }); }

# 25 a second in all, with a test key, and 8 of each operation.
$sim->set_limits(rate => 25, endpoint_rate => 8);
$sim->latency(40);
is($node->run_ends($node->start_backfill('acme')), 'done', 'a backfill ends within the limits');
my $seen = $sim->limits;
cmp_ok(refused($seen), '<=', asked($seen) / 50, sprintf 'hardly any of its %d requests is refused (%d)', asked($seen), refused($seen));
cmp_ok($seen->{busiest_second}, '<=', 26, "no second has more than the account's limit ($seen->{busiest_second})");
my $busiest = max(map { $_->{busiest_second} } values %{ $seen->{endpoints} });
cmp_ok($busiest, '<=', 9, "nor more than an operation's ($busiest)");
$node->equals_stripe($sim, 'stripe_team_acme', 'the mirror equals Stripe');

# Another database, the same account: they share the buckets.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION billstack');
$node->safe_psql('other', "SELECT billstack.connect('theirs', '" . $sim->key . "')");
$sim->set_limits(rate => 25, endpoint_rate => 8);
my $run = $node->start_backfill('acme');
$node->safe_psql('other', "CALL billstack.run_backfill('theirs')");
is($node->run_ends($run), 'done', 'two databases copy the account at once');
$seen = $sim->limits;
cmp_ok(refused($seen), '<=', asked($seen) / 50, sprintf 'hardly any of their %d requests is refused (%d)', asked($seen), refused($seen));
cmp_ok($seen->{busiest_second}, '<=', 26, "together they keep to the limit ($seen->{busiest_second})");
$node->safe_psql('postgres', 'DROP DATABASE other WITH (FORCE)');

# A user's calls beside a backfill that has to wait for every token.
$node->sql("SELECT billstack.create_project('acme', 'Shop', id => 'proj_limits')");
set(rate_limit => 6);
$sim->set_limits(rate => 6);
$sim->latency(20);
$run = $node->start_backfill('acme');
Billstack::Node->wait_until(sub { asked($sim->limits) > 6 });
my @waits;
for my $n (1 .. 8)
{
	my $from = time;
	$node->sql("SELECT billstack.create_product('proj_limits', 'Product $n')");
	push @waits, time - $from;
}
is($node->sql("SELECT count(*) FROM billstack_internal.backfill_run WHERE state = 'running'"), 1,
	sprintf 'users are answered while the backfill waits (in %.2f s at most)', max(@waits));
is($sim->limits->{endpoints}{'POST /v1/products'}{refused}, 0, '... and none of their calls is refused');
$sim->set_limits;
set(rate_limit => 0, endpoint_rate_limit => 0);
is($node->run_ends($run), 'done', 'the backfill goes on');

# Refusals for each reason, and for none: an object's lock.
my $refusals = 0;
for my $limits (-1, 0)
{
	set(rate_limit => $limits, endpoint_rate_limit => $limits);
	$sim->reset;
	$sim->faults(map { { match => { path => '^/v1/(?!events)' }, probability => 0.5, count => 4, action => { status => 429, %$_ } } }
		(map { { reason => $_ } } qw(global-rate endpoint-rate global-concurrency endpoint-concurrency resource-specific)),
		{ code => 'lock_timeout', no_request_id => \1 }, { reason => 'endpoint-rate', retry_after => 1 });
	is($node->run_ends($node->start_backfill('acme')), 'done', 'a backfill ends whatever is refused' . ($limits ? '' : ', without limits of its own too'));
	$refusals += $sim->stats->{by_status}{429} // 0;
	$sim->faults;
	$node->equals_stripe($sim, 'stripe_team_acme', 'the mirror equals Stripe');
}
cmp_ok($refusals, '>=', 20, "$refusals requests were refused");

# Stripe allows less than we think.
set(rate_limit => 25, endpoint_rate_limit => 25);
$sim->set_limits(rate => 15, endpoint_rate => 8, concurrency => 3, endpoint_concurrency => 2);
$sim->latency(60);
is($node->run_ends($node->start_backfill('acme')), 'done', 'a backfill finds the limits that are lower than published');
$seen = $sim->limits;
cmp_ok(refused($seen), '<', asked($seen) / 3, sprintf '%d of %d requests are refused', refused($seen), asked($seen));
$node->equals_stripe($sim, 'stripe_team_acme', 'the mirror equals Stripe');
$sim->set_limits;
$sim->latency(0);

# What was read is counted, and kept.
set(rate_limit => 0, endpoint_rate_limit => 0);
my $before = $node->status('acme')->{readsThisMonth};
$sim->reset;
$node->run_backfill('acme');
my $after = $node->status('acme')->{readsThisMonth};
is($after - $before, $sim->requests, 'each read is counted');
is_deeply($node->status('acme')->{readsAllowed}, { least => 10000, perTransaction => 500 }, 'beside what Stripe allows');
$node->comes_true("SELECT sum(reads) >= $after FROM billstack_internal.read_count WHERE account LIKE 'acct_%/test'", 'the worker stores it');
$node->restart;
cmp_ok($node->status('acme')->{readsThisMonth}, '>=', $after, 'a restart forgets nothing');
$node->stop;
done_testing;
