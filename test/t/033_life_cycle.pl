# Launcher and workers through their lives: found, started, ended, failing, on a standby, without
# preloading, and how quiet a worker is that has nothing to do.
use strict;
use warnings;
use Billstack::Scene;
use Billstack::Session;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $key = 'sk_test_sim' . '0' x 22;
my $call = "SELECT billstack.check_keys('$key')";
my $sim = Billstack::Scene::Simulator->new('--customers', 300);
my $node = PostgreSQL::Test::Cluster->new('life');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', conf_with_preload($sim->url) . "max_worker_processes = 16\n");
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
	my ($expected, $seconds, $name) = @_;
	my $from = time;
	wait_for($seconds, sub { workers() eq $expected });
	return is(workers(), $expected, sprintf '%s (%.0f ms)', $name, 1000 * (time - $from));
}

sub run_sql
{
	my ($database, @statements) = @_;
	my $session = Billstack::Session->new($node, $database);
	my $value;
	$value = $session->value($_) for @statements;
	$session->close;
	return $value;
}

# The error of a statement as "sqlstate|message|detail|hint".
sub error_of
{
	my ($on, $database, $statement) = @_;
	my $session = Billstack::Session->new($on, $database);
	$session->start($statement);
	my $answer = $session->answer;
	$session->close;
	return join '|', map { $answer->{$_} // '' } qw(sqlstate message detail hint);
}

sub health_of { my ($database, $check) = @_;
	return run_sql($database, "SELECT concat_ws('|', status, detail, hint) FROM billstack.health() WHERE check_name = '$check'"); }

# Created, rolled back, dropped, created again
$control->value("CREATE DATABASE $_") for qw(one two plain);
run_sql('one', 'CREATE EXTENSION billstack');
workers_become('one', 2, 'CREATE EXTENSION: a worker');
run_sql('plain', 'BEGIN', 'CREATE EXTENSION billstack', 'ROLLBACK');
run_sql('plain', 'BEGIN', 'SAVEPOINT s', 'CREATE EXTENSION billstack', 'ROLLBACK TO s', 'COMMIT');
run_sql('two', 'CREATE EXTENSION billstack');
workers_become('one two', 2, 'rolled back: none, while the next one has its worker');
my $worker = worker_of('one');
run_sql('one', 'BEGIN', 'DROP EXTENSION billstack', 'ROLLBACK');
workers_become('one two', 2, 'DROP EXTENSION rolled back: the worker is there again');
run_sql('one', 'DROP EXTENSION billstack');
workers_become('two', 2, 'DROP EXTENSION: the worker leaves');
run_sql('one', 'CREATE EXTENSION billstack');
workers_become('one two', 2, 'CREATE EXTENSION again: it is back');
run_sql('one', map { ('DROP EXTENSION billstack', 'CREATE EXTENSION billstack') } 1 .. 30);
workers_become('one two', 3, '... also after thirty times, one after the other');
like(run_sql('one', $call), qr/acct_/, '... and it works');

# Found by the launcher
$control->value('CREATE DATABASE copy TEMPLATE one');
$control->close;
$node->restart;
$control = Billstack::Session->new($node, 'postgres');
workers_become('one two', 5, 'after a restart the launcher finds both by itself, not the copy');
like(health_of('copy', 'worker'), qr/^fail\|this database does not bear the mark/, '... where health() says why');
like(error_of($node, 'copy', $call), qr/^55000\|the billstack worker of this database is not running/, '... as does a call');
run_sql('copy', 'SELECT billstack_internal.note_installed()');
workers_become('copy one two', 2, 'marked: the copy has a worker');
$control->value('DROP DATABASE copy');

# Terminated
my @back;
for (1 .. 3)
{
	my $pid = worker_of('one');
	my $from = time;
	kill 'TERM', $pid;
	ok(wait_for(8, sub { my $now = worker_of('one'); $now && $now ne $pid }), 'SIGTERM: the worker comes back');
	push @back, time - $from;
}
my ($longest) = sort { $b <=> $a } @back;
cmp_ok($longest, '<=', 6, '... ' . figures(@back));

# The launcher too; its workers go on.
$worker = worker_of('one');
my $launcher = $control->value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'billstack launcher'});
kill 'TERM', $launcher;
run_sql('plain', 'CREATE EXTENSION billstack');
workers_become('one plain two', 8, 'the launcher comes back and starts what has come meanwhile');
is(worker_of('one'), $worker, '... workers have gone on');
run_sql('plain', 'DROP EXTENSION billstack');
workers_become('one two', 2, '... and still leave when asked');

# New settings: the worker follows.
my $other = Billstack::Scene::Simulator->new('--customers', 5, '--name', 'Second');
$control->value(q{ALTER SYSTEM SET billstack.api_base = '} . $other->url . q{'});
$control->value('SELECT pg_reload_conf()');
ok(wait_for(5, sub { run_sql('one', "SELECT billstack.check_keys('$key') ->> 'accountName'") eq 'Second' }),
	'a new api_base: the worker follows');
is(worker_of('one'), $worker, '... without a restart');
$control->value('ALTER SYSTEM RESET billstack.api_base');
$control->value('SELECT pg_reload_conf()');
wait_for(5, sub { run_sql('one', "SELECT billstack.check_keys('$key') ->> 'accountName'") eq 'Acme' });

# 2,000 calls: nothing grows.
sub open_files { my ($pid) = @_; return scalar(my @fds = glob "/proc/$pid/fd/*"); }
my $many = "DO \$\$ BEGIN FOR i IN 1..%d LOOP PERFORM billstack.check_keys('$key'); END LOOP; END \$\$";
run_sql('one', sprintf $many, 20);
my @before = (open_files($worker), threads($worker));
my $requests = $sim->requests;
run_sql('one', sprintf $many, 2000);
is($sim->requests - $requests, 2000, '2,000 calls were sent');
is(open_files($worker), $before[0], "... the worker has $before[0] files open as before");
is(threads($worker), $before[1], "... and $before[1] thread(s)");

# A version of the extension that is not the library's.
my $version = run_sql('one', q{SELECT extversion FROM pg_extension WHERE extname = 'billstack'});
run_sql('one', "SELECT billstack.connect('acme', secret_key => '$key')");
run_sql('one', q{UPDATE pg_extension SET extversion = '99.0' WHERE extname = 'billstack'});
$control->value('SELECT pg_reload_conf()');
ok(wait_for(5, sub { health_of('one', 'worker') =~ /^warn\|the extension is 99\.0, the library/ }),
	'another version: health() says so') or diag health_of('one', 'worker');
$requests = $sim->requests;
run_sql('one', q{SELECT billstack.backfill('acme')});
wait_for(1, sub { $sim->requests > $requests });
is($sim->requests, $requests, '... and the worker leaves its work alone');
run_sql('one', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'billstack'");
$control->value('SELECT pg_reload_conf()');
ok(wait_for(5, sub { $sim->requests > $requests }), 'the right version: the work goes on');
ok(wait_for(20, sub { run_sql('one', q{SELECT count(*) FROM billstack_internal.backfill_run WHERE finished_at IS NULL}) == 0 }),
	'... to its end');
like(health_of('one', 'worker'), qr/^ok\|/, '... and health() is content');

# The network is in the worker only.
$sim->faults({ action => { hang => \1 } });
my $caller = Billstack::Session->new($node, 'one');
my $hung = $sim->requests;
$caller->start($call);
wait_for(5, sub { $sim->requests > $hung });
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
my @children = split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children");
my @with_network = grep { sockets_to($_) } $postmaster, @children;
is("@with_network", $worker, 'of ' . @children . ' processes only the worker has TCP sockets');

# Postmaster gone: everybody goes.
$control->close;
my $from = time;
$node->kill9;
ok(wait_for(5, sub { !grep { alive($_) } @children }, 0.001), 'postmaster killed: all processes end');
cmp_ok(time - $from, '<=', 1, sprintf '... within %.0f ms, beside a hanging call', 1000 * (time - $from));
$sim->faults;
wait_for(10, sub { !-e "/proc/$postmaster" });    # a zombie still counts as running
$node->start;
$control = Billstack::Session->new($node, 'postgres');
workers_become('one two', 10, 'started again: the workers are back');

# A lasting error of one worker, meanwhile the other has nothing to do.
run_sql('two', 'ALTER TABLE billstack_internal.backfill_run RENAME TO out_of_the_way');
$node->safe_psql('postgres', 'CHECKPOINT');    # what the start has left to do is done
my $idle = worker_of('one');
my $switches = voluntary_switches($idle);
$from = time;
kill 'TERM', worker_of('two');
my @pauses;
for my $failures (1 .. 4)
{
	my $seen = wait_for(20, sub { my $detail = health_of('two', 'worker'); $detail =~ /^fail\|ended $failures times/ && $detail });
	my ($retry) = $seen =~ /started again at (\S+?)\.?$/;
	push @pauses, $control->value("SELECT round(extract(epoch FROM '$retry'::timestamptz - now()))") if $retry;
	like($seen, qr/out_of_the_way|backfill_run/, "health() says why it has ended $failures times");
}
is("@pauses", '1 2 4 8', 'a worker that fails at its start is started again after 1, 2, 4, 8 ... s');
# The rest is computed: doubling up to the longest pause the source names.
my ($most) = slurp_file("$ENV{BILLSTACK_SOURCE}/src/pg/worker/launcher.cpp") =~ /longest_backoff_s = (\d+)/;
my ($restarts, $clock, $pause) = (0, 0, 1);
while (($clock += $pause) <= 600) { $restarts++; $pause = 2 * $pause < $most ? 2 * $pause : $most; }
cmp_ok($restarts, '<=', 12, "... $restarts times in ten minutes");
wait_for(10, sub { time - $from >= 10 });
my $woken = voluntary_switches($idle) - $switches;
cmp_ok($woken, '<=', 1, sprintf 'an idle worker woke %d times in %.0f s', $woken, time - $from);
run_sql('two', 'ALTER TABLE billstack_internal.out_of_the_way RENAME TO backfill_run');

# Standby
$requests = $sim->requests;
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
like(error_of($standby, 'two', $call), qr/^25006\|cannot call Stripe during recovery/, 'a standby: calls raise 25006');
like(error_of($standby, 'two', "SELECT billstack.connect('x', secret_key => '$key')"), qr/^25006\|/, '... connect too');
my $on_standby = Billstack::Session->new($standby, 'one');
is($on_standby->value(q{SELECT count(*) FROM billstack.integrations}), 1, '... reading works');
is($on_standby->value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'billstack%'}), 0, '... no launcher, no worker');
like($on_standby->value(q{SELECT detail FROM billstack.health() WHERE check_name = 'worker'}), qr/standby/, '... health() knows');
is($sim->requests, $requests, '... and no request was sent');
$node->stop('fast');
$from = time;
$on_standby->value('SELECT pg_promote()');
ok(wait_for(10, sub { $on_standby->value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'billstack sync worker'}) == 2 }),
	'promoted: workers');
cmp_ok(time - $from, '<=', 2, sprintf '... after %.0f ms', 1000 * (time - $from));
ok(wait_for(10, sub { error_of($standby, 'two', $call) eq '|||' }), '... who work');
$on_standby->close;

# Without preloading
$standby->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
$standby->restart;
my $missing = qr/^55000\|billstack is not preloaded\|.*shared_preload_libraries = 'billstack'/;
my $alone = Billstack::Session->new($standby, 'plain');
$alone->value('CREATE EXTENSION billstack');
is($alone->value('SELECT count(*) FROM billstack.integrations'), 0, 'not preloaded: CREATE EXTENSION and reading work');
like(error_of($standby, 'one', q{SELECT billstack.status('acme')}), qr/^\|/, '... status() too');
like($alone->value(q{SELECT hint FROM billstack.health() WHERE check_name = 'preloaded'}), qr/shared_preload_libraries = 'billstack'/,
	'... health() says what to add');
like(error_of($standby, 'plain', "SELECT billstack.connect('x', secret_key => '$key')"), $missing, '... connect too, with 55000');
like(error_of($standby, 'plain', $call), $missing, '... as does check_keys');
$alone->value('DROP EXTENSION billstack');
$alone->close;
$standby->stop;

my $log = slurp_file($node->logfile) . slurp_file($standby->logfile);
unlike($log, qr/terminated by signal|PANIC|leak|TRAP/, 'no crash and no leak in the log');
done_testing();
