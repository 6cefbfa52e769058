# Commands on databases and on the extension, and a shutdown, beside calls and backfills that hang at
# Stripe: each is done within a second, and afterwards the right workers run.
use strict;
use warnings;
use Billstack::Scene;
use Billstack::Session;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $key = 'sk_test_sim' . '0' x 22;
my $sim = Billstack::Scene::Simulator->new('--customers', 300);
my $node = PostgreSQL::Test::Cluster->new('ddl');
$node->init;
$node->append_conf('postgresql.conf', conf_with_preload($sim->url) . q{
billstack.http_timeout = 30s
allow_in_place_tablespaces = on
max_worker_processes = 16
});
$node->start;
my $control = Billstack::Session->new($node, 'postgres');

sub workers
{
	return $control->value(q{SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') FROM pg_stat_activity
		WHERE backend_type = 'billstack sync worker'});
}
sub worker_of { return $control->value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'billstack sync worker' AND datname = '$_[0]'"); }

sub workers_become
{
	my ($expected, $name) = @_;
	wait_for(5, sub { workers() eq $expected });
	return is(workers(), $expected, $name);
}

sub run_sql
{
	my ($database, @statements) = @_;
	my $session = Billstack::Session->new($node, $database);
	$session->value($_) for @statements;
	$session->close;
	return;
}

# A database with the extension and a connected team.
sub make_database
{
	my ($name) = @_;
	$sim->faults;
	$control->value("CREATE DATABASE $name");
	run_sql($name, 'CREATE EXTENSION billstack', "SELECT billstack.connect('acme', secret_key => '$key')");
	$sim->faults({ match => { path => '^/v1/' }, action => { hang => \1 } });
	return;
}

# How many requests hang at Stripe.
sub hanging { return $sim->stats->{concurrent_requests}; }

sub start_backfill
{
	my ($database) = @_;
	my $before = hanging();
	run_sql($database, "SELECT billstack.backfill('acme')");
	wait_for(5, sub { hanging() > $before }) or BAIL_OUT('the backfill sends nothing');
	return;
}

# A session whose call hangs, for 30 s if nobody ends it.
sub hanging_call
{
	my ($database) = @_;
	my $before = hanging();
	my $caller = Billstack::Session->new($node, $database);
	$caller->start("SELECT billstack.check_keys('$key')");
	wait_for(5, sub { hanging() > $before }) or BAIL_OUT('the call does not hang');
	return $caller;
}

sub end_call
{
	my ($caller) = @_;
	$control->value('SELECT pg_terminate_backend(' . $caller->pid . ')');
	$caller->answer;
	$caller->close;
	return;
}

# Runs a command and says how long it took.
sub is_quick
{
	my ($command, $name, $session) = @_;
	$session //= $control;
	$session->start($command);
	my $answer = $session->answer;
	my $seconds = $answer->{at} - $session->sent_at;
	is($answer->{sqlstate}, undef, "$name: done") or diag $answer->{message};
	# Copying a database is work for the disk; the server itself would wait 5 s for others to leave.
	my $most = $command =~ /^CREATE DATABASE/ ? 3 : 1;
	return cmp_ok($seconds, '<=', $most, sprintf '%s: %.0f ms', $name, 1000 * $seconds);
}

make_database('app');
$control->value('CREATE DATABASE unrelated');
start_backfill('app');
my $caller = hanging_call('app');
my $worker = worker_of('app');

# Another database
is_quick('DROP DATABASE unrelated', 'DROP DATABASE of another database');
is(worker_of('app'), $worker, '... the worker stays');
ok(!$caller->has_answer, '... and the call goes on');

# Who has no right to a command cannot use it against the worker.
$control->value('CREATE ROLE plain LOGIN');
$control->value('CREATE ROLE maker LOGIN CREATEDB');
for my $case (
	[ plain => 'DROP DATABASE app' ], [ plain => 'DROP DATABASE app WITH (FORCE)' ],
	[ plain => 'ALTER DATABASE app RENAME TO stolen' ], [ plain => 'ALTER DATABASE app SET TABLESPACE pg_default' ],
	[ plain => 'CREATE DATABASE stolen TEMPLATE app' ], [ maker => 'CREATE DATABASE stolen TEMPLATE app' ])
{
	my ($role, $command) = @$case;
	my $session = Billstack::Session->new($node, 'postgres', $role);
	$session->start($command);
	is($session->answer->{sqlstate}, '42501', "$role: $command is refused");
	is(worker_of('app'), $worker, '... and the worker stays');
	$session->close;
}
ok(!$caller->has_answer, '... so does the call');
end_call($caller);

# Commands that need the database for themselves, with the worker and its hanging pages there.
is_quick('CREATE DATABASE twin TEMPLATE app', 'CREATE DATABASE ... TEMPLATE');
workers_become('app', '... the worker is back, the copy has none');
wait_for(5, sub { hanging() > 0 });
is_quick('ALTER DATABASE app RENAME TO renamed', 'RENAME');
workers_become('renamed', '... the worker is back under the new name');
wait_for(5, sub { hanging() > 0 });
$control->value(q{CREATE TABLESPACE room LOCATION ''});
is_quick('ALTER DATABASE renamed SET TABLESPACE room', 'SET TABLESPACE');
workers_become('renamed', '... the worker is back');
wait_for(5, sub { hanging() > 0 });
ok(hanging() > 0, '... and its backfill has gone on asking Stripe');

$worker = worker_of('renamed');
$control->start('ALTER DATABASE renamed RENAME TO postgres');
is($control->answer->{sqlstate}, '42P04', 'a command that fails');
ok(wait_for(5, sub { my $now = worker_of('renamed'); $now && $now ne $worker }), '... gets the worker back');
$control->value('BEGIN');
$control->value('ALTER DATABASE renamed RENAME TO gone');
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
sub worker_processes { return grep { slurp_file("/proc/$_/cmdline") =~ /billstack sync worker/ }
	grep { alive($_) } split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children"); }
wait_for(5, sub { !worker_processes() });
is(wait_for(0.5, sub { scalar worker_processes() }), 0, 'until the transaction ends no worker tries to come back');
$control->value('ROLLBACK');
workers_become('renamed', 'rolled back: it is there again');

wait_for(5, sub { hanging() > 0 });
is_quick('DROP DATABASE renamed', 'DROP DATABASE of this database, its worker alone there');
workers_become('', '... no worker is left');
is_quick('DROP DATABASE twin', 'DROP DATABASE of the copy');
ok(wait_for(2, sub { hanging() == 0 }), 'no request is left either');

make_database('app');
start_backfill('app');
$caller = hanging_call('app');
is_quick('DROP DATABASE app WITH (FORCE)', 'DROP DATABASE ... WITH (FORCE) beside a call');
# The worker leaves and the session is terminated at once: the call may hear of either first.
my $told = $caller->answer->{sqlstate};
$told = $caller->answer->{sqlstate} if $told eq 'BS503';
is($told, '57P01', '... the session of the call is terminated');
workers_become('', '... no worker is left');

# A template1 with the extension: every database then has it, and each CREATE DATABASE needs template1
# for itself without naming it.
run_sql('template1', 'CREATE EXTENSION billstack');
workers_become('template1', 'the extension in template1: a worker');
is_quick('CREATE DATABASE child', 'CREATE DATABASE without TEMPLATE');
run_sql('template1', 'DROP EXTENSION billstack');
workers_become('', 'DROP EXTENSION in template1: no worker');
$control->value('DROP DATABASE child');

# DROP EXTENSION beside a call of another session; nobody holds its tables.
make_database('app');
$caller = hanging_call('app');
my $session = Billstack::Session->new($node, 'app');
$session->value(q{SET client_min_messages = warning});
is_quick('DROP EXTENSION billstack CASCADE', 'DROP EXTENSION beside a call', $session);
ok(wait_for(1, sub { workers() eq '' }), '... the worker leaves within a second');
is($caller->answer->{sqlstate}, 'BS503', '... the call is told');
$caller->close;
$session->close;
$control->value('DROP DATABASE app');

# Shutdown
make_database('app');
start_backfill('app');
$caller = hanging_call('app');
my $from = time;
$node->stop('fast');
my $seconds = time - $from;
cmp_ok($seconds, '<=', 1, sprintf 'fast shutdown beside a call: %.0f ms', 1000 * $seconds);
is($caller->answer->{sqlstate}, '57P01', '... the call ends with it');

my @unexpected = grep { /(?:ERROR|FATAL|PANIC|WARNING):/ } split /\n/, slurp_file($node->logfile);
@unexpected = grep { !/terminating connection due to administrator command|terminating background worker "billstack/ } @unexpected;
@unexpected = grep { !/permission denied|must be owner|already exists|reading the account failed: Stripe could not be reached/ } @unexpected;
is(join("\n", @unexpected), '', 'the log has no other error');
done_testing();
