# The door of the inbox: one row for an event however often and by how many at once, nothing for what is
# not signed, who may hand events in, the limits, the clock's edges, and that a commit is on disk.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Digest::SHA qw(hmac_sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = Billstack::Simulator->new(customers => 2);
my $node = Billstack::Node->make('inbox', $sim, durable => 1, conf => "wal_writer_delay = 10s\nautovacuum = off");
my $secret = 'whsec_tap00000000000000000000000001';
my $next_secret = 'whsec_tap00000000000000000000000002';
my $third_secret = 'whsec_tap00000000000000000000000003';
my $key = $sim->key;
$node->sql("SELECT billstack.connect('acme', '$key', webhook_secret => '$secret')");
$node->sql("SELECT billstack.connect('other', '$key', webhook_secret => '$secret')");

my $created = time - 1000;
sub body { my ($id) = @_; return qq({"id":"$id","object":"event","type":"tap.nothing","created":$created,"data":{"object":{"id":"x","object":"nothing"}}}); }
sub signature
{
	my ($body, $with, $age) = @_;
	my $at = time - ($age // 0);
	return "t=$at,v1=" . hmac_sha256_hex("$at.$body", $with // $secret);
}
sub insert
{
	my ($id, %options) = @_;
	my $body = $options{body} // body($id);
	return sprintf q{INSERT INTO billstack.webhook_inbox (team, payload, signature) VALUES ('%s', '%s', '%s') RETURNING event_id, duplicate},
	  $options{team} // 'acme', $body, signature($body, $options{secret}, $options{age});
}
# Of one event, whether it waits or is done.
sub rows_of
{
	my ($id) = @_;
	return $node->sql("SELECT count(*) FROM billstack.webhook_events WHERE event_id = '$id' AND team = 'acme'");
}
sub duplicates { return $node->sql("SELECT duplicates FROM billstack.inbox_status WHERE team = 'acme'"); }

# --- one event, many hands ------------------------------------------------------------------------------

my $folder = PostgreSQL::Test::Utils::tempdir;
append_to_file("$folder/same.sql", insert('evt_same') . ";\n");
command_ok([ 'pgbench', '-h', $node->host, '-p', $node->port, '-n', '-c', 10, '-j', 2, '-t', 5, '-f', "$folder/same.sql", 'postgres' ], '50 inserts of one event succeed');
is(rows_of('evt_same'), 1, 'one row of it');
is(duplicates(), 49, '49 were duplicates');
is($node->sql(insert('evt_same')), 'evt_same|t', 'and it is still one');
is(duplicates(), 50, 'counted too');
my $status = $node->status('acme')->{webhook};
ok($status->{connected} && $status->{lastEventAt}, 'the first event has connected the webhook');
ok(!$node->status('other')->{webhook}{connected}, 'of that team only');
is($node->sql(insert('evt_same', team => 'other')), 'evt_same|f', 'another integration gets its own');

# What a subtransaction or transaction takes back is not there and not counted.
$node->sql(join ";\n", 'BEGIN', insert('evt_rolled'), 'SAVEPOINT a', insert('evt_rolled'), 'ROLLBACK TO a', 'ROLLBACK');
is(rows_of('evt_rolled'), 0, 'an event rolled back is not there');
is(duplicates(), 50, 'nor its duplicate counted');
$node->sql(join ";\n", 'BEGIN', insert('evt_kept'), 'SAVEPOINT a', insert('evt_kept'), 'RELEASE a', 'SAVEPOINT a', insert('evt_kept'), 'ROLLBACK TO a', 'COMMIT');
is(rows_of('evt_kept'), 1, 'one that is kept is');
is(duplicates(), 51, 'with the duplicate that was kept');

# --- a copy while the worker moves the first one to the ledger ---------------------------------------------

# The pauses bring the copies to every moment of the worker's turn.
append_to_file("$folder/twice.sql", join "\n", map { (insert("evt_twice_$_") . ';', sprintf('DO $$ BEGIN PERFORM pg_sleep(%f); END $$;', $_ % 100 / 50_000), insert("evt_twice_$_") . ';') } 1 .. 1000);
my $answers = $node->safe_psql('postgres', '', extra_params => [ '-q', '-f', "$folder/twice.sql" ]);
is(scalar(() = $answers =~ /^evt_twice_\d+\|t$/mg), 1000, 'a copy that comes at once is told to be one, wherever the first is just then');

# --- what is not signed leaves nothing ---------------------------------------------------------------------

my $size = q{SELECT pg_total_relation_size('billstack_internal.inbox') + pg_total_relation_size('billstack_internal.event') + pg_total_relation_size('billstack_internal.inbox_stat')};
append_to_file("$folder/forged.sql", join "\n", map { insert("evt_forged_$_", secret => $next_secret) . ';' } 1 .. 2000);
$node->comes_true("SELECT count(*) = 0 FROM billstack_internal.inbox WHERE failed_at IS NULL AND next_try IS NULL", 'the queue is empty')
  if $node->sql("SELECT EXISTS (SELECT FROM billstack_internal.event)") eq 't';
my ($size_before, $ids_before) = ($node->sql($size), $node->sql('SELECT last_value FROM billstack_internal.inbox_id_seq'));
my $wal = $node->sql('SELECT pg_current_wal_insert_lsn()');
$node->psql('postgres', '', extra_params => [ '-q', '-f', "$folder/forged.sql" ], on_error_stop => 0, stderr => \my $errors);
is(scalar(() = $errors =~ /webhook signature is not valid/g), 2000, '2000 forged events are refused');
is($node->sql($size), $size_before, 'and the tables have not grown by a byte');
is($node->sql('SELECT last_value FROM billstack_internal.inbox_id_seq'), $ids_before, 'nor was a number taken');
cmp_ok($node->sql("SELECT pg_current_wal_insert_lsn() - '$wal'::pg_lsn"), '<', 200_000, 'and hardly anything is in the log');
is($node->status('acme')->{webhook}{lastRefusal}, 'mismatch', 'status tells of it');
unlike($node->sql('SELECT billstack.status(\'acme\')'), qr/v1=|whsec/, 'but not what was sent');

# --- the edges of five minutes ------------------------------------------------------------------------------

# A second may end between signing and verifying: of five tries the friendly side holds once.
sub outcomes
{
	my ($age) = @_;
	my %seen;
	for (1 .. 5)
	{
		my $error = $node->error_of(insert("evt_edge_$age", age => $age) . ';');
		$seen{ $error ? "$error->{sqlstate} $error->{detail}" : 'taken' }++;
	}
	return \%seen;
}
ok(outcomes(300)->{taken}, '300 s old is taken');
is_deeply(outcomes(301), { '28000 The signature is too old.' => 5 }, '301 s old is not');
is_deeply(outcomes(-299), { taken => 5 }, '299 s ahead is taken');
ok(outcomes(-301)->{'28000 The signature\'s time is too far in the future.'}, '301 s ahead is not');

# --- a new secret counts at once, in every session ----------------------------------------------------------

my $open = Billstack::Session->new($node, 'postgres');
sub in_session { my ($id, $with) = @_; $open->start(insert($id, secret => $with)); return $open->answer->{sqlstate} // ''; }
is(in_session('evt_a', $secret), '', 'the first secret verifies');
is(in_session('evt_b', $next_secret), '28000', 'one that is not stored does not');
$node->sql("SELECT billstack.set_webhook_secret('acme', '$next_secret')");
is(in_session('evt_b', $next_secret), '', 'stored by another session it does at once');
is(in_session('evt_c', $secret), '', 'beside the one before');
$node->sql("SELECT billstack.rotate_keys('acme', NULL, webhook_secret => '$third_secret')");
is(in_session('evt_d', $third_secret), '', 'a third');
is(in_session('evt_e', $secret), '28000', 'ends the first');
$node->sql("SELECT billstack.disconnect('acme')");
is(in_session('evt_f', $third_secret), '42704', 'disconnected: unknown');
$node->sql("SELECT billstack.connect('acme', '$key', webhook_secret => '$secret')");
is(in_session('evt_f', $secret), '', 'connected again: a new inbox with the new secret');
is(in_session('evt_g', $third_secret), '28000', 'and no old one');

# --- who may -------------------------------------------------------------------------------------------------

for my $role (qw(webhook app admin reader))
{
	$node->sql("CREATE ROLE r_$role LOGIN; SELECT billstack.grant_access('r_$role', '$role', 'acme')");
}
$node->sql(q{CREATE ROLE r_member LOGIN; GRANT r_webhook TO r_member; CREATE ROLE r_nobody LOGIN; CREATE ROLE r_all LOGIN;
	SELECT billstack.grant_access('r_all', 'webhook');
	CREATE ROLE r_mixed LOGIN; SELECT billstack.grant_access('r_mixed', 'reader', 'acme'); SELECT billstack.grant_access('r_mixed', 'webhook', 'other')});
my %allowed = (acme => 'webhook app admin member all', other => 'all mixed');
my $count = 0;
for my $role (qw(webhook app admin reader member nobody all mixed))
{
	for my $team (qw(acme other))
	{
		my $id = 'evt_role_' . ++$count;
		my $body = body($id);
		for my $statement (insert($id, team => $team), "SELECT billstack.receive_webhook('$team', '$body', '" . signature($body) . "')",
			"SELECT billstack.receive_webhook_raw('$team', convert_to('$body', 'UTF8'), '" . signature($body) . "')")
		{
			my $error = $node->error_of("SET ROLE r_$role;\n$statement;");
			my ($kind) = $statement =~ /(INSERT|receive_\w+)/;
			my $may = grep { $_ eq $role } split / /, $allowed{$team};
			my $expected = $may ? '' : $role eq 'mixed' || $role eq 'reader' || $role eq 'nobody' ? '42501' : '42704';
			is($error ? $error->{sqlstate} : '', $expected, "$role, team $team, $kind" . ($may ? '' : ': refused'));
		}
	}
}
is($node->error_of("SET ROLE r_webhook;\n" . insert('evt_x', team => 'other') . ';')->{message} =~ s/other/none/r,
	$node->error_of("SET ROLE r_webhook;\n" . insert('evt_x', team => 'none') . ';')->{message}, 'a foreign team and an unknown one look alike');
is($node->error_of("SET ROLE r_webhook;\nSELECT payload FROM billstack.webhook_inbox;")->{sqlstate}, '42501', 'the view is not for reading');
my $webhook = Billstack::Session->new($node, 'postgres', 'r_webhook');
$webhook->start(insert('evt_w1'));
is($webhook->answer->{sqlstate} // '', '', 'a session may');
$node->sql("SELECT billstack.revoke_access('r_webhook', 'webhook', 'acme')");
$webhook->start(insert('evt_w2'));
is($webhook->answer->{sqlstate}, '42501', 'until its right is taken');

# --- limits ----------------------------------------------------------------------------------------------------

sub limit
{
	my ($name, $value) = @_;
	$node->sql("ALTER SYSTEM SET billstack.$name = '$value'");
	$node->reload;
	$node->comes_true("SELECT setting::bigint = pg_size_bytes('$value') / CASE unit WHEN 'kB' THEN 1024 ELSE 1 END FROM pg_settings WHERE name = 'billstack.$name'", "$name is $value");
	return;
}
my $id_of_other = $node->sql("SELECT id FROM billstack_internal.integration WHERE team = 'other'");
limit('inbox_max_rows', 10);
my $eleven = join ";\n", 'BEGIN', (map { insert("evt_cap_$_", team => 'other') } 1 .. 11), 'COMMIT';
my $full = $node->error_of("$eleven;");
is($full->{sqlstate}, '53400', 'a transaction counts its own events');
like($full->{hint}, qr/^Try again later/, 'and is asked to come back');
# Events that the worker leaves alone.
$node->sql(qq{INSERT INTO billstack_internal.inbox (integration_id, event_id, event_created, received_at, payload, next_try)
	SELECT $id_of_other, 'evt_waiting_' || n, now(), now(), '{}', 'infinity' FROM generate_series(1, 10) AS n});
$node->restart;
is($node->error_of(insert('evt_over', team => 'other') . ';')->{sqlstate}, '53400', 'what lies in the table counts, after a restart too');
is($node->sql(insert('evt_over')), 'evt_over|f', 'of this integration only');
$node->sql(qq{DELETE FROM billstack_internal.inbox WHERE event_id LIKE 'evt_waiting%'});
$node->comes_true("SELECT count(*) = 1 FROM (SELECT billstack.receive_webhook('other', b, s) FROM (VALUES ('"
	  . body('evt_after') . "', '" . signature(body('evt_after')) . "')) AS v (b, s)) AS x", 'a full queue is counted again before long');
limit('inbox_max_rows', 1000000);
limit('inbox_max_bytes', '64kB');
my $large = body('evt_large') =~ s/"nothing"/'"' . ('x' x 70000) . '"'/er;
is($node->error_of(insert('evt_large', body => $large, team => 'other') . ';')->{sqlstate}, '53400', 'bytes are limited too');
limit('inbox_max_bytes', '1GB');

# --- on disk ------------------------------------------------------------------------------------------------------

$node->sql(join ";\n", 'SET synchronous_commit = off', insert('evt_durable'));
$node->stop('immediate');
$node->start;
is(rows_of('evt_durable'), 1, 'an event committed with synchronous_commit = off survives a crash');

# --- an endpoint made by Stripe --------------------------------------------------------------------------------------

$node->sql("ALTER SYSTEM SET billstack.public_url = 'https://billing.example.com'");
$node->reload;
$node->comes_true("SELECT current_setting('billstack.public_url') <> ''", 'public_url is set');
like($node->sql("SELECT billstack.create_webhook_endpoint('acme') ->> 'url'"), qr{^https://billing.example.com/api/webhooks/stripe/acme$}, 'the address is made from it');
$node->stop;
unlike(slurp_file($node->logfile), qr/whsec_[A-Za-z0-9]/, 'no secret is in the log');
done_testing();
