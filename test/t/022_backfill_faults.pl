# Stripe answers badly: a fifth of all requests fail in every way, kinds are forbidden, the key is revoked.
# What can be copied is copied exactly; what cannot is named.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = Billstack::Simulator->new(seed => 35, customers => 900, products => 20, prices => 60,
	subscriptions => 700, invoices => 900, charges => 1200);
my $node = Billstack::Node->make('faults', $sim);
$node->connect_team('acme', $sim->key);

# 429, 500, 503, cut connections, cut bodies and truncated JSON, at random; and each sort of garbage.
$sim->faults({ random => 0.2, match => { path => '^/v1/' } },
	(map { { match => { path => '^/v1/(invoices|charges)' }, probability => 0.03, action => { garbage => $_ } } }
		qw(binary truncated_json html empty deep)),
	(map { { match => { path => '^/v1/(customers|subscriptions)' }, probability => 0.03, action => $_ } }
		{ status => 429, retry_after => 1, reason => 'endpoint-rate' }, { cut => 'headers' }, { bad_length => \1 },
		{ slow_body => { bytes => 100_000, every_ms => 20 } }, { delay_ms => 300 }),
	# Each sort once at least, whatever the dice say.
	map { { match => { path => '^/v1/charges' }, count => 1, action => $_ } } { garbage => 'binary' },
	  { status => 429, retry_after => 1 }, { status => 500 }, { cut => 'body' }, { oversize_bytes => 40_000_000 });
my $run = $node->start_backfill('acme');
is($node->run_ends($run), 'done', 'a backfill ends under 20% faults');
my $faulty = 0;
$faulty += $_ for values %{ $sim->stats->{by_fault} };
cmp_ok($faulty, '>', 10, "$faulty faults were played in " . $sim->requests . ' requests');
$sim->faults;
is($node->status('acme')->{syncStatus}, 'ready', 'the mirror is ready');
my $seen = compare_mirror(port => $sim->port, schema => 'stripe_team_acme',
	query => sub { split /\n/, $node->sql($_[0]) });
is_deeply($seen->{differences}, [], "$seen->{objects} objects, $seen->{fields} fields equal");
is($node->progress('acme')->{invoice}{synced}, 900, 'each object is counted once');
is($node->progress('acme')->{invoice}{error}, undef, 'no error is left behind');

# A key that may not read two kinds.
$sim->set_key('rk_test_narrow00000000000000', 'invoice', 'charge');
$node->connect_team('narrow', 'rk_test_narrow00000000000000');
my $error = $node->error_of("CALL billstack.run_backfill('narrow')");
is($error->{sqlstate}, 'BS400', 'a backfill with forbidden kinds fails');
like($error->{detail}, qr/this key cannot read invoices/, 'and says what it could not read');
my $progress = $node->progress('narrow');
is($progress->{$_}{state}, 'done', "$_ is copied") for qw(customer product price subscription);
is($progress->{invoice}{state}, 'failed', 'invoices are not');
like($progress->{charge}{error}, qr/^this key cannot read charges/, 'the reason stands at the kind');
is($node->status('narrow')->{syncStatus}, 'error', 'the mirror is not ready');
like($node->status('narrow')->{lastError}, qr/cannot read/, 'and status says why');

# The key is revoked while pages are on their way.
$sim->set_key('rk_test_leaving0000000000000');
$node->connect_team('leaving', 'rk_test_leaving0000000000000');
# One request at a time: pages are left when it is revoked.
$node->sql($_) for 'ALTER SYSTEM SET billstack.max_requests = 1', 'SELECT pg_reload_conf()';
$sim->latency(150);
$run = $node->start_backfill('leaving');
Billstack::Node->wait_until(sub { ($node->progress('leaving')->{charge}{synced} // 0) > 0 });
$sim->revoke_key('rk_test_leaving0000000000000');
is($node->run_ends($run), 'failed', 'a revoked key ends the run');
$node->sql($_) for 'ALTER SYSTEM RESET billstack.max_requests', 'SELECT pg_reload_conf()';
my $status = $node->status('leaving');
is($status->{syncStatus}, 'error', 'status is error');
is($node->sql("SELECT error_code FROM billstack.backfills WHERE run_id = $run"), 'BS401', 'the run says whose fault it is');
my $rejected = $node->error_of("CALL billstack.run_backfill('leaving')");
is($rejected->{sqlstate}, 'BS401', 'a caller gets the same SQLSTATE');
like($rejected->{detail}, qr/^Stripe rejected the key, asked for \w+: .*\(request req_\w+\)/, '... what was asked for and the request');
like($rejected->{hint}, qr/rotate_keys/, '... and what to do');
ok(!$status->{keyValid}, 'the key is marked invalid');
like($status->{lastError}, qr/rejected the key, asked for \w+: .*\(request req_\w+\)\. Store a valid key/, 'the reason is told, and what to do');
unlike($status->{lastError}, qr/rk_test_leaving/, 'without the key');
$sim->latency(0);

# Nothing of it disturbs the others.
is($node->run_backfill('acme')->{syncStatus}, 'ready', 'another team goes on');
$node->stop;
done_testing;
