# Three workers share the backfills of a database: who writes what, what happens when one of them ends in the
# middle, and that none of them is in the way of commands, nor stays when the work is done.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my %account = (large => 'acct_WorkersLarge00001', small => 'acct_WorkersSmall00001');
my %key = (large => 'sk_test_workerslarge00001', next => 'sk_test_workerslarge00002', small => 'sk_test_workerssmall00001');
my %sizes = (customer => 3500, product => 20, price => 60, subscription => 500, invoice => 900, charge => 5000);
my $sim = Billstack::Simulator->new(config => { latency_ms => 40, accounts => [
	{ id => $account{large}, seed => 61, sizes => \%sizes, keys => [ { key => $key{large} }, { key => $key{next} } ] },
	{ id => $account{small}, seed => 62, keys => [ { key => $key{small} } ], sizes => { map { $_ => 150 } keys %sizes } } ] });
my $node = Billstack::Node->make('workers', $sim, conf => "billstack.workers = 3\nmax_worker_processes = 16");
my $schema = 'stripe_team_large';
$sim->latency(40);

# --- what the tests look at ---------------------------------------------------------------------------

my $helpers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'billstack backfill worker'};
sub backfill_workers { return split /\n/, $node->sql(q{SELECT pid FROM pg_stat_activity
	WHERE backend_type = 'billstack backfill worker' ORDER BY 1}); }
# The locks of ranges, one a row: pid and the lock's own name.
my $claims = q{(SELECT pid, objid || '/' || objsubid AS name FROM pg_locks WHERE locktype = 'object' AND granted
	AND classid = 'billstack_internal.backfill_range'::regclass AND mode = 'ExclusiveLock') AS claims};
my $open_ranges = q{(SELECT count(*) FROM billstack_internal.backfill_range AS g JOIN billstack_internal.backfill_run AS r
	ON r.id = g.run_id WHERE g.state = 'open' AND r.state IN ('queued', 'running'))};
# Claims of the process with most of them among backfill workers.
sub busy_worker { return $node->wait_until(sub { $node->sql(qq{SELECT pid FROM $claims JOIN pg_stat_activity USING (pid)
	WHERE backend_type = 'billstack backfill worker' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1}) }); }
sub hanging { return $sim->stats->{concurrent_requests}; }
sub equals_stripe { my ($name, $team) = @_; $team //= 'large';
	return $node->equals_stripe($sim, "stripe_team_$team", $name, account => $account{$team}); }
sub is_done { my ($run, $name) = @_; return is($node->run_ends($run), 'done', $name); }
sub forget_rows { $node->sql("DELETE FROM $schema.$_") for qw(charges customers invoices); return; }
sub no_helper { return $node->comes_true("$helpers", "$_[0]: the further workers leave", 0); }
sub is_counted
{
	my ($run, $name) = @_;
	my %synced = map { split /\|/ } split /\n/, $node->sql(
		"SELECT object, sum(synced) FROM billstack_internal.backfill_range WHERE run_id = $run GROUP BY 1");
	return is_deeply(\%synced, \%sizes, "$name: each object was written once");
}
sub seconds_of { my ($session, $sql) = @_; my $from = time; $session->value($sql); return time - $from; }

$node->connect_team($_, $key{$_}) for qw(large small);
is($node->sql($helpers), 0, 'no run: the sync worker is alone');
is($node->sql('SHOW billstack.workers'), 3, '... of the three there may be');

# --- who writes ----------------------------------------------------------------------------------------

$node->sql(qq{CREATE TABLE public.writer (pid integer, what text, PRIMARY KEY (pid, what));
CREATE FUNCTION public.note_writer() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
	INSERT INTO public.writer VALUES (pg_backend_pid(), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME) ON CONFLICT DO NOTHING;
	RETURN NULL;
END \$\$;
CREATE TRIGGER w AFTER INSERT ON $schema.charges FOR EACH STATEMENT EXECUTE FUNCTION public.note_writer();
CREATE TRIGGER w AFTER INSERT ON $schema.customers FOR EACH STATEMENT EXECUTE FUNCTION public.note_writer();
CREATE TRIGGER w AFTER INSERT ON stripe_team_small.charges FOR EACH STATEMENT EXECUTE FUNCTION public.note_writer()});
my $worker = $node->worker_pid;
my $since = $sim->last_sequence;
my $large = $node->start_backfill('large');
my $small = $node->start_backfill('small');
$node->comes_true("SELECT ($helpers) = 2", 'a run: two further workers come');
my @helpers = backfill_workers();
like($node->sql(q{SELECT status || '|' || detail FROM billstack.health() WHERE check_name = 'worker'}),
	qr/^ok\|running as process $worker, backfill workers as (?:$helpers[0], $helpers[1]|$helpers[1], $helpers[0])$/, '... health() names them');
is_done($large, 'the large account');
is_done($small, '... and the small one beside it');
my $writers = $node->sql(qq{SELECT count(DISTINCT pid) FROM writer WHERE what = '$schema.charges'});
cmp_ok($writers, '>', 1, "$writers processes have written charges");
is($node->sql(q{SELECT count(DISTINCT pid) FROM writer}), 3, '... all three have written something');
note $node->sql('SELECT pid, string_agg(what, \' \' ORDER BY what) FROM writer GROUP BY 1');
cmp_ok($node->sql("SELECT count(*) FROM billstack_internal.backfill_range WHERE run_id = $large"), '>', 6, '... ranges were cut');
is_counted($large, 'three workers');
is($node->status($_)->{syncStatus}, 'ready', "team $_ is ready") for qw(large small);
equals_stripe("after three workers, team $_", $_) for qw(large small);
my @opened = grep { $_->{target} =~ m{^/v1/events\?} && ($_->{account} // '') eq $account{large} } $sim->ledger($since);
is(scalar(@opened), 1, 'Stripe was asked once for the start of the run');
no_helper('the runs are done');
$node->sql("DROP TRIGGER w ON $_") for "$schema.charges", "$schema.customers", 'stripe_team_small.charges';
is($node->sql("SELECT count(*) FROM $claims"), 0, '... and no claim is left');

# --- one of them is told to end ------------------------------------------------------------------------

forget_rows();
$large = $node->start_backfill('large');
my $gone = busy_worker();
my %lost = map { $_ => 1 } split /\n/, $node->sql("SELECT name FROM $claims WHERE pid = $gone");
ok(%lost, 'a further worker walks ' . keys(%lost) . ' ranges');
kill 'TERM', $gone;
ok($node->wait_until(sub { !-e "/proc/$gone" }), 'SIGTERM: it ends');
$node->comes_true("SELECT (SELECT count(*) FROM $claims) >= $open_ranges", '... every range is somebody\'s again');
is_done($large, '... the run is done');
is_counted($large, 'one was terminated');
no_helper('done');

# --- a claim outlives the abort of a page ------------------------------------------------------------------

forget_rows();
my $holder = Billstack::Session->new($node, 'postgres');
$holder->value("BEGIN; LOCK $schema.charges IN ACCESS EXCLUSIVE MODE");
$large = $node->start_backfill('large', objects => ['charge']);
$node->comes_true("SELECT error LIKE 'writing waits: %' FROM billstack.sync_progress WHERE run_id = $large", 'pages that cannot be written');
is($node->sql("SELECT (SELECT count(*) FROM $claims) = $open_ranges AND $open_ranges > 0"), 't',
	'... their transactions were aborted: every range is still claimed');
$holder->value('COMMIT');
is_done($large, '... the run is done');

# --- many short runs, with three that may end them ------------------------------------------------------

$sim->faults({ match => { path => '^/v1/charges$' }, action => { hang => \1 } });
$large = $node->start_backfill('large', objects => ['charge']);
$node->comes_true("SELECT ($helpers) = 2", 'a run that hangs keeps them');
my %ended;
$ended{ $node->run_ends($node->start_backfill('small', objects => [ 'customer', 'product', 'price', 'subscription' ])) }++ for 1 .. 15;
is_deeply(\%ended, { done => 15 }, 'fifteen short runs, each is ended');

# --- cancel, other keys, disconnect -------------------------------------------------------------------------

$node->sql("SELECT billstack.cancel_backfill('large')");
$node->comes_true("SELECT count(*) = 0 FROM $claims", 'canceled: no range is claimed any more');
ok($node->wait_until(sub { hanging() == 0 }), '... no request is left');
no_helper('canceled');
$sim->faults;
forget_rows();
$large = $node->start_backfill('large');
busy_worker();
$since = $sim->last_sequence;
$node->sql("SELECT billstack.rotate_keys('large', '$key{next}')");
ok($node->wait_until(sub { grep { ($_->{key} // '') =~ /0002$/ && $_->{target} =~ /limit=100/ } $sim->ledger($since) }),
	'another key: pages are asked for with it');
$sim->revoke_key($key{large});
is_done($large, '... the run is done');
ok($node->status('large')->{keyValid}, '... and the key counts as valid');
$sim->faults({ match => { path => '^/v1/', query => 'limit=100' }, action => { hang => \1 } });
my $run = $node->start_backfill('small');
$node->comes_true("SELECT ($helpers) = 2 AND (SELECT count(*) FROM $claims) >= 6", 'a run that hangs');
$node->sql("SELECT billstack.disconnect('small')");
no_helper('disconnected');
ok($node->wait_until(sub { hanging() == 0 }), '... no request is left');
$sim->faults;

# --- kill -9 -------------------------------------------------------------------------------------------

forget_rows();
$large = $node->start_backfill('large');
$gone = busy_worker();
$node->comes_true("SELECT sum(synced) > 500 FROM billstack_internal.backfill_range WHERE run_id = $large", 'a run in the middle');
kill 'KILL', $gone;
ok($node->wait_until(sub { !-e "/proc/$gone" }), 'kill -9 of a further worker');
$node->wait_until(sub { eval { $node->sql('SELECT 1') } });
is_done($large, '... the run goes on and is done');
is_counted($large, 'one was killed');
equals_stripe('after one was killed');
no_helper('done');

# --- commands beside them ----------------------------------------------------------------------------------

my $control = Billstack::Session->new($node, 'postgres');
my $hanging = "SELECT ($helpers) = 2 AND (SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND locktype = 'object') >= 6";
sub three_at_work
{
	my ($database) = @_;
	$sim->faults;
	$node->sql("CREATE DATABASE $database") if $database ne 'postgres';
	$node->sql('CREATE EXTENSION billstack', $database);
	$node->connect_team('large', $key{next}, $database);
	$sim->faults({ match => { path => '^/v1/', query => 'limit=100' }, action => { hang => \1 } });
	$node->start_backfill('large', database => $database);
	return $node->comes_true($hanging, "$database: three workers wait for Stripe");
}
three_at_work('app');
my $took = seconds_of($control, 'ALTER DATABASE app RENAME TO renamed');
cmp_ok($took, '<=', 1, sprintf 'RENAME: %.0f ms', 1000 * $took);
$node->comes_true($hanging, '... they come back');
$took = seconds_of($control, 'DROP DATABASE renamed');
cmp_ok($took, '<=', 1, sprintf 'DROP DATABASE: %.0f ms', 1000 * $took);
no_helper('the database is gone');
three_at_work('app');
my $session = Billstack::Session->new($node, 'app');
$took = seconds_of($session, 'SET client_min_messages = warning; DROP EXTENSION billstack CASCADE');
cmp_ok($took, '<=', 1, sprintf 'DROP EXTENSION: %.0f ms', 1000 * $took);
$session->close;
no_helper('the extension is gone');
$control->value('DROP DATABASE app');
three_at_work('app');
$control->close;
my $from = time;
$node->stop('fast');
cmp_ok(time - $from, '<=', 1.5, sprintf 'fast shutdown: %.0f ms', 1000 * (time - $from));
$sim->faults;

# --- no slot for them ----------------------------------------------------------------------------------------

# The launchers of logical replication and of billstack, two sync workers.
$node->append_conf('postgresql.conf', "max_worker_processes = 4\nbillstack.http_timeout = 2s");
$node->start;
$node->comes_true(q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'billstack sync worker'},
	'max_worker_processes is used up by two sync workers');
$sim->faults({ match => { path => '^/v1/charges$' }, action => { hang => \1 } });
$large = $node->start_backfill('large');
$node->comes_true(q{SELECT status = 'warn' AND detail ~ 'no background worker slot is free for 2 of 2 further workers of the backfill'
	FROM billstack.health() WHERE check_name = 'worker'}, '... health() says so');
is($node->sql($helpers), 0, '... nobody has come');
$sim->faults;
is_done($large, '... the sync worker does it alone');
is_counted($large, 'one worker');
$node->sql('DROP DATABASE app');
$sim->faults({ match => { path => '^/v1/charges$' }, action => { hang => \1 } });
$large = $node->start_backfill('large', objects => ['charge']);
$node->comes_true("SELECT ($helpers) = 1", 'one slot is free: one further worker');
$node->sql('CREATE DATABASE app');
$node->sql('CREATE EXTENSION billstack', 'app');
$node->comes_true(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'billstack sync worker' AND datname = 'app'},
	'... it makes room for another database\'s sync worker');
$sim->faults;
$node->sql("SELECT billstack.cancel_backfill('large')");

unlike(slurp_file($node->logfile), qr/PANIC|leak|core::|std::|you don't own a lock|terminated by signal (?!9)/, 'no crash in the log');
$node->stop;
done_testing();
