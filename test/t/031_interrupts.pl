# Cancel, terminate and statement_timeout of a function that waits, in each phase its request can be in:
# the client has its error within 250 ms, the place is free again and the worker has dropped the request.
use strict;
use warnings;
use Billstack::Scene;
use Billstack::Session;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $bound = 0.250;
my $rounds = 5;
my $key = 'sk_test_sim' . '0' x 22;

my $sim = Billstack::Scene::Simulator->new('--customers', 5);
my $node = PostgreSQL::Test::Cluster->new('interrupts');
$node->init;
$node->append_conf('postgresql.conf', conf_with_preload($sim->url) . "max_connections = 60\n");
{
	local $ENV{LD_PRELOAD} = "$ENV{BILLSTACK_SOURCE}/build/bridge/libslow_resolver.so";
	$node->start;
}
$node->safe_psql('postgres', q{CREATE EXTENSION billstack;
CREATE FUNCTION ask(key text, method text, path text, body_bytes text, count text) RETURNS text
	LANGUAGE c AS 'ask_test', 'ask_test_send'});
my $control = Billstack::Session->new($node, 'postgres');

sub session { return Billstack::Session->new($node, 'postgres'); }
sub requests_check { return $control->value(q{SELECT detail FROM billstack.health() WHERE check_name = 'requests'}); }
sub worker { return $control->value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'billstack sync worker'}); }
sub launcher { return $control->value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'billstack launcher'}); }
sub waits_in_extension
{
	my ($caller) = @_;
	return $control->value("SELECT coalesce(bool_and(wait_event_type = 'Extension'), false) FROM pg_stat_activity
		WHERE state = 'active' AND pid = " . $caller->pid) eq 't';
}
sub check_keys { return "SELECT billstack.check_keys('$key')"; }

sub set
{
	my ($name, $value) = @_;
	$control->value("ALTER SYSTEM SET $name = '$value'");
	$control->value('SELECT pg_reload_conf()');
	return;
}

# Waits until the call has got somewhere. 0 if it has an answer first, or after ten seconds.
sub reaches
{
	my ($phase, $caller) = @_;
	my $reached = wait_for(10, sub { $caller->has_answer ? -1 : $phase->{reached}->($caller) });
	return $reached && $reached != -1;
}

# The worker may still have the settings of the phase before: call until the phase is really reached.
sub settle
{
	my ($phase) = @_;
	return wait_for(15, sub {
		my $caller = session();
		$phase->{before}->() if $phase->{before};
		$caller->start($phase->{call});
		my $reached = reaches($phase, $caller);
		interrupt_by('terminate', $caller);
		$caller->vanish;
		all_free();
		return $reached;
	});
}

sub interrupt_by { my ($way, $caller) = @_; return $control->value("SELECT pg_${way}_backend(" . $caller->pid . ')'); }

my $busy = 0;    # places that a phase keeps for itself
sub all_free { return wait_for(2, sub { requests_check() =~ /^$busy waiting, $busy of/ }); }

# One round: (seconds until the client knew, the error's SQLSTATE), or nothing if the phase was missed.
sub round
{
	my ($phase, $way, $timeout_ms) = @_;
	my $caller = session();
	$phase->{before}->() if $phase->{before};
	$caller->value("SET statement_timeout = $timeout_ms") if $way eq 'timeout';
	$caller->start($phase->{call});
	my $from = $caller->sent_at + $timeout_ms / 1000;
	return unless reaches($phase, $caller);
	if ($way ne 'timeout')
	{
		$from = time;
		interrupt_by($way, $caller);
	}
	my $answer = $caller->answer;
	$caller->close;
	return ($answer->{at} - $from, $answer->{sqlstate} // 'none');
}

my %expected = (cancel => '57014', terminate => '57P01', timeout => '57014');
my $p = 0;

sub try_phase
{
	my ($name, $phase) = @_;
	ok(settle($phase), "$name: the phase is reached");
	for my $way ('cancel', 'terminate', 'timeout')
	{
		my (@times, %states);
		my $timeout_ms = $way eq 'timeout' ? 150 : 0;
		for (my $tries = 0; @times < $rounds && $tries < 20; $tries++)
		{
			my ($seconds, $state) = round($phase, $way, $timeout_ms);
			# On a busy machine the timeout may strike before the phase.
			if (!defined $seconds) { $timeout_ms *= 1.5; next; }
			push @times, $seconds;
			$states{$state}++;
		}
		is(join(' ', %states), "$expected{$way} $rounds", "$name, $way: the client gets its error");
		my ($slowest) = sort { $b <=> $a } @times, 0;
		cmp_ok($slowest, '<=', $bound, "$name, $way: " . (@times ? figures(@times) : 'never'));
		ok(all_free(), "$name, $way: the places are free again") or diag requests_check();
		ok(!$phase->{left} || wait_for(2, $phase->{left}), "$name, $way: the worker has dropped the request");
	}
	return;
}

# Sockets of the worker towards a port.
sub socket_in
{
	my ($port, $state, $condition) = @_;
	return scalar grep { $_->{state} eq $state && (!$condition || $condition->($_)) } sockets_to(worker(), $port);
}
my ($syn_sent, $established) = ('02', '01');

# After a phase: another call is answered at once.
sub worker_answers
{
	my ($name) = @_;
	$sim->faults;
	set('billstack.api_base', $sim->url);
	my $caller = session();
	my $answered = wait_for(10, sub { $caller->start(check_keys()); !$caller->answer->{sqlstate} });
	ok($answered, "$name: then another call is answered");
	$caller->start(check_keys());
	my $answer = $caller->answer;
	cmp_ok($answer->{at} - $caller->sent_at, '<=', 1, "$name: ... promptly");
	$caller->close;
	return;
}

# DNS: each hanging lookup is a thread more.
my $threads;
my $dns = {
	call => check_keys(),
	before => sub { $threads = threads(worker()) },
	reached => sub { threads(worker()) > $threads },
};
set('billstack.api_base', 'https://api.slow.invalid');
try_phase('DNS', $dns);

# The worker itself, while lookups hang.
my @gone;
for (1 .. $rounds)
{
	my $caller = session();
	$dns->{before}->();
	$caller->start($dns->{call});
	reaches($dns, $caller) or last;
	my $pid = worker();
	my $from = time;
	$control->value("SELECT pg_terminate_backend($pid)");
	wait_for(5, sub { !alive($pid) }, 0.001);
	push @gone, time - $from;
	my $answer = $caller->answer;
	is($answer->{sqlstate}, 'BS503', 'its caller is told') or diag $answer->{message};
	my $new = wait_for(10, sub { my $other = worker(); $other && $other != $pid && $other });
	ok($new && time - $from <= 6, sprintf 'worker terminated during DNS: back after %.1f s', time - $from);
	$caller->close;
}
cmp_ok($gone[-1], '<=', $bound, 'worker terminated during DNS: ' . figures(@gone)) if @gone;
is(scalar @gone, $rounds, '... in each round');
worker_answers('DNS');

# Connect: the listener's queue is full.
{
	my ($listener, $port) = full_listener();
	set('billstack.api_base', "http://127.0.0.1:$port");
	try_phase('connect', {
		call => check_keys(),
		reached => sub { socket_in($port, $syn_sent) },
		left => sub { !sockets_to(worker(), $port) } });
}

# TLS: connected, but the other side does not say hello.
{
	my ($listener, $port) = silent_listener();
	set('billstack.api_base', "https://127.0.0.1:$port");
	try_phase('TLS handshake', {
		call => check_keys(),
		reached => sub { socket_in($port, $established, sub { !$_[0]{unsent} }) },
		left => sub { !sockets_to(worker(), $port) } });
}

# Send: a body that does not fit between the two, read by nobody.
{
	my ($listener, $port) = silent_listener(small => 1);
	set('billstack.api_base', "http://127.0.0.1:$port");
	try_phase('send', {
		call => "SELECT ask('$key', 'POST', '/v1/customers', '60000', '1')",
		reached => sub { socket_in($port, $established, sub { $_[0]{unsent} && $_[0]{wants_to_write} }) },
		left => sub { !sockets_to(worker(), $port) } });
	worker_answers('send');
}

# Waiting: the request is taken, no answer comes.
my $seen;
my $hangs = {
	call => check_keys(),
	before => sub { $seen = $sim->requests },
	reached => sub { $sim->requests > $seen },
	left => sub { $sim->stats->{concurrent_requests} == 0 },
};
$sim->faults({ action => { hang => \1 } });
try_phase('waiting', $hangs);
worker_answers('waiting');

# Slow body: the head and the first bytes have been read, the rest does not come.
{
	my ($listener, $port) = silent_listener();
	my $peer;
	set('billstack.api_base', "http://127.0.0.1:$port");
	try_phase('slow body', {
		call => check_keys(),
		before => sub { undef $peer },
		reached => sub {
			if (!$peer)
			{
				IO::Select->new($listener)->can_read(0) or return 0;
				accept $peer, $listener or return 0;
				sysread $peer, my $request, 65536;
				syswrite $peer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"id\": ";
			}
			return socket_in($port, $established, sub { !$_[0]{unread} });
		},
		left => sub { !sockets_to(worker(), $port) } });
	worker_answers('slow body');
}

# Back-off: Stripe has asked to come again in 30 s.
$sim->faults({ action => { status => 500, retry_after => 30 } });
try_phase('back-off', {
	call => check_keys(),
	before => $hangs->{before},
	reached => sub { $sim->requests > $seen && $sim->stats->{concurrent_requests} == 0 } });
is($sim->requests, $seen + 1, 'back-off: nothing dropped was sent again');
worker_answers('back-off');

# Queues: of the worker, all requests in flight being taken (one is allowed, a user's call may use four
# more); and of the places, all 32 of them.
sub with_hanging
{
	my ($count, $name, $phase) = @_;
	$sim->faults({ action => { hang => \1 } });
	my $holder = session();
	$holder->start("SELECT ask('$key', 'GET', '/v1/account', '0', '$count')");
	wait_for(10, sub { requests_check() =~ /^$count waiting, $count of/ && $sim->stats->{concurrent_requests} >= 5 })
	  or diag "$name: no $count calls hang: " . requests_check();
	$busy = $count;
	try_phase($name, $phase);
	is($sim->stats->{concurrent_requests}, 5, "$name: it was the limit that held them back");
	$busy = 0;
	interrupt_by('cancel', $holder);
	is($holder->answer->{sqlstate}, '57014', "$name: so was the call with $count requests canceled");
	ok(all_free(), "$name: all places are free again") or diag requests_check();
	$holder->close;
	return;
}

set('billstack.max_requests', 1);
worker_answers('new settings');
with_hanging(5, 'queue of the worker', {
	call => check_keys(),
	reached => sub { requests_check() =~ /^6 waiting, 6 of/ } });
with_hanging(32, 'queue for a place', {
	call => check_keys(),
	reached => \&waits_in_extension });
worker_answers('queue');

# No worker: it has ended, and the launcher, who would start another, is stopped.
{
	my ($launcher, $pid) = (launcher(), worker());
	kill 'STOP', $launcher;
	$control->value("SELECT pg_terminate_backend($pid)");
	wait_for(5, sub { !alive($pid) });
	try_phase('no worker', {
		call => check_keys(),
		reached => sub { requests_check() =~ /^1 waiting, 1 of/ } });
	kill 'CONT', $launcher;
	worker_answers('no worker');
}

# A worker on its way: the launcher waits before it starts it again.
{
	my $launcher = launcher();
	my $session = session();
	$session->value('ALTER TABLE billstack_internal.backfill_run RENAME TO out_of_the_way');
	$control->value('SELECT pg_terminate_backend(' . worker() . ')');
	wait_for(20, sub { ($control->value(q{SELECT detail FROM billstack.health() WHERE check_name = 'worker'})) =~ /^ended [2-9] times/ })
	  or diag 'the worker does not fail';
	kill 'STOP', $launcher;
	$session->value('ALTER TABLE billstack_internal.out_of_the_way RENAME TO backfill_run');
	try_phase('worker on its way', {
		call => check_keys(),
		reached => \&waits_in_extension });
	kill 'CONT', $launcher;
	$session->close;
	worker_answers('worker on its way');
}

# A client that is gone: the server notices when it asks (client_connection_check_interval) and the
# worker then drops the request too.
$sim->faults({ action => { hang => \1 } });
{
	my $caller = session();
	$caller->value('SET client_connection_check_interval = 100');
	$hangs->{before}->();
	$caller->start(check_keys());
	ok(reaches($hangs, $caller), 'vanished client: waits for Stripe');
	$caller->vanish;
	ok(all_free(), 'vanished client: its place is free again');
	ok(wait_for(2, $hangs->{left}), 'vanished client: the worker has dropped the request');
}

my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal|PANIC|leak/, 'no crash and no leak in the log');
unlike($log, qr/$key/, 'nor the key');
$node->stop;
done_testing();
