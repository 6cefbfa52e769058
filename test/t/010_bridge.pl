# The ten rules of the bridge (docs/bridge.md), tried with a module that breaks in every way there is.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('bridge');
$node->init;
$node->append_conf('postgresql.conf', qq{
dynamic_library_path = '\$libdir:$ENV{BILLSTACK_SOURCE}/build/bridge'
max_worker_processes = 8
});
$node->start;

$node->safe_psql('postgres', q{
CREATE FUNCTION bridge_live() RETURNS integer LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_runtime_clean() RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_server_error() RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_throw(kind text) RETURNS integer LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_nested() RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_swallow(count integer) RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_flat(count integer) RETURNS text LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_resident_kib() RETURNS bigint LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_open_files() RETURNS integer LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_copy_fails() RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_sleep() RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_fatal() RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE FUNCTION bridge_run_worker(kind integer) RETURNS boolean LANGUAGE c AS 'bridge_test';
CREATE TABLE bridge_log (id integer GENERATED ALWAYS AS IDENTITY, what text, live integer);
CREATE TABLE bridge_deferred (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
-- Runs a call that must fail and says with what; then looks at what the failure left behind.
CREATE FUNCTION failure_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	BEGIN
		EXECUTE statement;
		RETURN 'no error';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
			detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	END;
	RETURN concat_ws('|', state, message, detail, hint, bridge_live(), bridge_runtime_clean());
END $$;
});

sub query { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# What ends in an error: SQLSTATE | message | detail | hint | live objects | runtime clean.
sub fails
{
	my ($call, $expected, $name) = @_;
	is(query("SELECT failure_of('SELECT $call')"), $expected, $name);
}

fails('bridge_server_error()',
	'23505|raised by the server|the detail of the server|the hint of the server|0|t',
	'a server error passes C++ objects: every destructor runs, every text survives');
fails('bridge_nested()',
	'23505|two calls deep|the detail of the server|the hint of the server|0|t',
	'an error two calls deep');
fails("bridge_throw(''core'')", '2BP01|the message|the detail|the hint|0|t', 'an error of ours');
fails("bridge_throw(''stripe'')", 'BS401|the message|||0|t', 'an SQLSTATE of our own class');
fails("bridge_throw(''bad_alloc'')", '53200|out of memory|||0|t', 'std::bad_alloc');
fails("bridge_throw(''std'')",
	'XX000|unexpected failure inside billstack|a standard exception||0|t', 'a standard exception');
fails("bridge_throw(''int'')",
	'XX000|unexpected failure inside billstack|unknown exception||0|t', 'what is no exception class');
fails('bridge_throw(NULL)', '22023|argument "kind" must not be null|||0|t', 'NULL for a required argument');

# psql leaves out half a character, so the bytes are counted in the server.
is(query(q{SELECT octet_length(split_part(f, '|', 2)), octet_length(split_part(f, '|', 3)),
		octet_length(split_part(f, '|', 4)), split_part(f, '|', 1)
	FROM failure_of('SELECT bridge_throw(''long'')') AS f}),
	'511|1022|510|55000', 'texts too long for the report are cut between two characters');

fails('bridge_copy_fails()', '53200|out of memory|||0|t', 'no memory left to copy the error');

# The same without plpgsql's subtransaction: straight to the client.
my ($code, $out, $error) = $node->psql('postgres',
	"\\set VERBOSITY verbose\nSELECT bridge_server_error();\nSELECT bridge_live(), bridge_runtime_clean();", on_error_stop => 0);
like($error, qr/ERROR:  23505: raised by the server/, 'the client gets the SQLSTATE');
like($error, qr/LOCATION:  raise_in_server, live\.hpp/, '... and where the server raised it');
like($error, qr/CONTEXT:  the context of the server/, '... and the context');
is($out, '0|t', '... and the session goes on');

# Trapping
is(query(q{BEGIN; INSERT INTO bridge_log (what) VALUES ('before'); SELECT bridge_swallow(100);
	INSERT INTO bridge_log (what) VALUES ('after'); COMMIT;
	SELECT string_agg(what, ' ' ORDER BY id) FROM bridge_log; DELETE FROM bridge_log}),
	"t\nbefore after", 'trapped errors leave the transaction around them whole');

my $rounds = 50_000;
my ($memory, $files, $live) = split / /, query("SELECT bridge_flat($rounds)");
cmp_ok($memory, '<=', 2048, "100,000 trapped errors: memory grew by $memory KiB");
is($files, 0, '... no file stays open');
is($live, 0, '... no object stays alive');

# The same out of the outer gate, trapped by plpgsql in one session.
my $trap = q{DO $$ BEGIN FOR i IN 1..%d LOOP
	BEGIN PERFORM bridge_throw('core'); EXCEPTION WHEN OTHERS THEN END;
	BEGIN PERFORM bridge_server_error(); EXCEPTION WHEN OTHERS THEN END;
END LOOP; END $$;};
my $measure = 'SELECT bridge_resident_kib(), bridge_open_files(), bridge_live();';
my @lines = split /\n/,
  query(sprintf($trap, 2000) . $measure . sprintf($trap, $rounds) . $measure);
my @before = split /\|/, $lines[0];
my @after = split /\|/, $lines[1];
cmp_ok($after[0] - $before[0], '<=', 2048,
	'100,000 errors through the outer gate: memory grew by ' . ($after[0] - $before[0]) . ' KiB');
is($after[1] - $before[1], 0, '... no file stays open');
is($after[2], 0, '... no object stays alive');

# Cancel is an error like others.
($code, $out, $error) = $node->psql('postgres',
	"\\set VERBOSITY verbose\nSET statement_timeout = 100;\nSELECT bridge_sleep();\nRESET statement_timeout;\nSELECT bridge_live(), bridge_runtime_clean();", on_error_stop => 0);
like($error, qr/ERROR:  57014/, 'a statement timeout inside a server call arrives as such');
is($out, '0|t', '... and unwinds the C++ frames');

# FATAL in a backend: the session is lost, the server is not.
my $postmaster = query('SELECT pg_postmaster_start_time()');
my $log_start = -s $node->logfile;
($code, $out, $error) = $node->psql('postgres', 'SELECT bridge_fatal()');
like($error, qr/FATAL:  the end of the backend/, 'FATAL inside a call ends the session');
is(query('SELECT pg_postmaster_start_time()'), $postmaster, '... and nothing else');

# Workers
is(query('SELECT bridge_run_worker(0)'), 't', 'a worker that meets errors ends by itself');
is(query('SELECT string_agg(what || \' \' || live, \', \' ORDER BY id) FROM bridge_log'),
	'server error 23505 0, C++ exception 0, failed commit 23505 0, still here 0',
	'... having survived an error of the server, an exception and a failed commit');
is(query('SELECT count(*) FROM bridge_deferred'), '0', '... whose rows are gone');

is(query('SELECT bridge_run_worker(1)'), 't', 'a worker whose body throws ends');
ok($node->log_contains('ERROR:  left the worker\'s body', $log_start), '... with the error in the log');
ok($node->log_contains('DETAIL:  the detail', $log_start), '... and its detail');

is(query('SELECT bridge_run_worker(2)'), 't', 'a worker that ends by FATAL');
is(slurp_file($node->data_dir . '/bridge_exit'), '1',
	'... unwinds nothing, but its exit callback has run');

my $log = slurp_file($node->logfile, $log_start);
unlike($log, qr/terminated by signal|reinitializing|leak|PANIC/, 'no crash, no leak warning in the log');
is(query('SELECT pg_postmaster_start_time()'), $postmaster, 'the server has never restarted');

$node->stop;
done_testing();
