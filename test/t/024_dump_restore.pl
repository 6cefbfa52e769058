# Copies of a database: by pg_dump into the same and into another cluster, and from a template. All rows and
# settings are there, nothing is sent to Stripe before arm(), afterwards work goes on; a missing root key is
# named, and OIDs of the old database do not make a stranger's schema billstack's.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Simulator;
use File::Copy qw(copy move);
use PostgreSQL::Test::Utils;
use Test::More;

my %key = (acme => 'sk_test_dumpacme000000000', beta => 'sk_test_dumpbeta000000000');
my %account = (acme => 'acct_DumpAcme00000001', beta => 'acct_DumpBeta00000001');
my %sizes = (customer => 150, product => 20, price => 60, subscription => 80, invoice => 150, charge => 120);
my $sim = Billstack::Simulator->new(config => { accounts => [
	map { { id => $account{$_}, seed => ord, sizes => \%sizes, keys => [ { key => $key{$_} } ] } } qw(acme beta) ] });
my $node = Billstack::Node->make('original', $sim);
my $away = Billstack::Node->make('away', $sim, start => 0);
$away->start;
for my $cluster ($node, $away)
{
	$cluster->sql('CREATE ROLE keeper; CREATE ROLE analyst');
}
for my $team (qw(acme beta))
{
	$node->connect_team($team, $key{$team});
	$node->run_backfill($team);
}
$node->sql(q{SELECT billstack.set_owner('acme', 'keeper'), billstack.grant_access('analyst', 'reader', 'acme')});
my $fingerprint = $node->sql('SELECT DISTINCT fingerprint FROM billstack_internal.sealed_key');

# --- what the tests look at ---------------------------------------------------------------------------

# A checksum of each mirror table, rows whole, and what billstack tells of the integrations.
sub contents
{
	my ($cluster, $database) = @_;
	my @tables = split /\n/, $cluster->sql(q{SELECT format('%I.%I', n.nspname, relname) FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname LIKE 'stripe\\_team\\_%' AND relkind = 'r' ORDER BY 1}, $database);
	my $query = join ' UNION ALL ',
	  map { "SELECT '$_', count(*), md5(string_agg(t::text, E'\\n' ORDER BY id COLLATE \"C\")) FROM $_ AS t" } @tables;
	return { tables => $cluster->sql($query, $database),
		integrations => $cluster->sql(q{SELECT to_jsonb(i) - ARRAY['created_at', 'last_validated_at', 'is_active', 'last_error']
			FROM billstack.integrations AS i ORDER BY team}, $database),
		grants => $cluster->sql('SELECT role_name, profile, team FROM billstack_internal.access_grant', $database) };
}

sub equals_stripe
{
	my ($name, $team, $cluster, $database) = @_;
	my $seen = compare_mirror(port => $sim->port, account => $account{$team}, schema => "stripe_team_$team",
		query => sub { split /\n/, $cluster->sql($_[0], $database) });
	return is_deeply($seen->{differences}, [], "$name: $seen->{objects} objects equal Stripe's");
}

sub shell_ok
{
	my ($command, $name) = @_;
	my $done = IPC::Run::run([ 'bash', '-o', 'pipefail', '-c', $command ], '>', \my $out, '2>', \my $err);
	ok($done && $err eq '', $name) or diag $err;
	return;
}

# A worker is there and has looked, at least once after it was told to look again.
sub worker_looks
{
	my ($cluster, $database, $name) = @_;
	ok(Billstack::Node->wait_until(sub { $cluster->worker_pid($database) }), "$name: it has a worker");
	my $turn = q{SELECT count(*) FROM billstack.health() WHERE check_name = 'last turn' AND status = 'ok'};
	ok(Billstack::Node->wait_until(sub { $cluster->sql($turn, $database) }), '... which looks at its work');
	$cluster->reload;
	# A query through the worker is answered after its look at the runs.
	my $error = $cluster->error_of("SELECT billstack.check_keys('sk_test_unknowntostripe000')", $database);
	is($error->{sqlstate}, 'BS401', '... and answers calls');
	return;
}

# By the ledger, which has the probe of worker_looks as well.
sub sent { my ($since) = @_; return [ map { "$_->{method} $_->{target}" } grep { $_->{account} } $sim->ledger($since) ]; }

sub is_silent
{
	my ($cluster, $database, $since, $name) = @_;
	worker_looks($cluster, $database, $name);
	for my $team (qw(acme beta))
	{
		ok(!$cluster->status($team, $database)->{isActive}, "$name: team $team is not active");
		my $error = $cluster->error_of("SELECT billstack.backfill('$team')", $database);
		is($error->{sqlstate}, '55000', '... a backfill is refused');
		like($error->{hint}, qr/billstack\.arm\('$team'\)/, '... with the act');
	}
	my @hints = split /\n/, $cluster->sql(q{SELECT hint FROM billstack.health() WHERE check_name LIKE 'integration %'}, $database);
	is(scalar(grep { /arm/ } @hints), 2, '... which health() names too');
	return is_deeply(sent($since), [], "$name: nothing was sent to Stripe");
}

sub goes_on
{
	my ($cluster, $database, $name) = @_;
	my $before = $cluster->row_versions('stripe_team_acme', $database);
	is($cluster->run_backfill('acme', database => $database)->{syncStatus}, 'ready', "$name: armed, a backfill runs through");
	is_deeply([ Billstack::Node->changed_rows($before, $cluster->row_versions('stripe_team_acme', $database)) ], [],
		'... and rewrites 0 of ' . keys(%$before) . ' rows');
	ok($cluster->status('acme', $database)->{isActive}, '... the team is active');
	return;
}

# --- another database of the same cluster -------------------------------------------------------------

my $expected = contents($node);
like($expected->{tables}, qr/^stripe_team_beta\.products\|20\|\w{32}$/m, 'there are checksums of tables');
my $from = sprintf '-h %s -p %d', $node->host, $node->port;
my $since = $sim->last_sequence;
$node->sql('CREATE DATABASE restored TEMPLATE template0');
shell_ok("pg_dump -Fc $from postgres | pg_restore $from --exit-on-error -d restored", 'pg_dump -Fc | pg_restore');
is_deeply(contents($node, 'restored'), $expected, 'all rows, integrations and grants are there');
is_silent($node, 'restored', $since, 'restored beside the original');
is($node->sql("SET ROLE analyst; SELECT count(*) FROM stripe_team_acme.customers", 'restored'), 150, 'rights are there');
like($node->sql("SELECT billstack.arm('acme')", 'restored'), qr/"success": true/, 'arm()');
goes_on($node, 'restored', 'restored beside the original');
ok(!$node->status('beta', 'restored')->{isActive}, '... the other team is not');

# --- another cluster ------------------------------------------------------------------------------------

$since = $sim->last_sequence;
$away->sql('CREATE DATABASE restored TEMPLATE template0');
shell_ok(sprintf("pg_dump $from postgres | psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -h %s -p %d -d restored", $away->host, $away->port),
	'pg_dump | psql in another cluster');
is_deeply(contents($away, 'restored'), $expected, 'all rows, integrations and grants are there');
is_silent($away, 'restored', $since, 'in another cluster');

my $error = $away->error_of("SELECT billstack.arm('acme')", 'restored');
is($error->{sqlstate}, 'F0000', 'arm() without the root key');
like($error->{message}, qr/\Q$fingerprint\E/, '... names its fingerprint');
ok(!$away->status('acme', 'restored')->{isActive}, '... and changes nothing');
is_deeply(sent($since), [], '... and sends nothing');

my ($ring, $ring_away) = map { $_->sql('SHOW billstack.master_key_file') } $node, $away;
isnt($ring_away, $ring, 'the other cluster looks for another file');
copy($ring, $ring_away) or die $!;
chmod 0600, $ring_away;
$away->sql("SELECT billstack.arm('acme')", 'restored');
goes_on($away, 'restored', 'in another cluster');
is($away->sql("SELECT billstack.validate('acme') ->> 'keyValid'", 'restored'), 'true', '... its key opens and is valid');

move($ring_away, "$ring_away.away") or die $!;
$error = $away->error_of("SELECT billstack.validate('acme')", 'restored');
is($error->{sqlstate}, 'F0000', 'validate() without the root key');
like($error->{message}, qr/\Q$fingerprint\E/, '... names its fingerprint');
my $run = $away->start_backfill('acme', database => 'restored', objects => ['product']);
is($away->run_ends($run, 'restored'), 'failed', 'a backfill without the root key fails');
like($away->status('acme', 'restored')->{lastError}, qr/\Q$ring_away\E/, '... and names the file');
move("$ring_away.away", $ring_away) or die $!;

# --- disconnect before arm -----------------------------------------------------------------------------

$away->sql(q{CREATE SCHEMA stranger; CREATE TABLE stranger.own (id text);
	UPDATE billstack_internal.integration SET schema_oid = 'stranger'::regnamespace::oid WHERE team = 'beta'}, 'restored');
my $stranger = q{SELECT to_regclass('stranger.own') IS NOT NULL};
for my $call ("billstack.disconnect('beta')", "billstack.disconnect('beta', drop_dependents => true)")
{
	$error = $away->error_of("SELECT $call", 'restored');
	is($error->{sqlstate}, '55000', "the stored OID is a stranger's schema: $call is refused");
	like($error->{hint}, qr/arm\('beta'\)/, '... with the act');
	is($away->sql($stranger, 'restored'), 't', '... and the stranger stays');
}
is($away->sql('SELECT count(*) FROM stripe_team_beta.customers', 'restored'), 150, '... the mirror too');
$away->sql('DROP SCHEMA stripe_team_beta CASCADE', 'restored');
is($away->sql(q{SELECT billstack.disconnect('beta', drop_dependents => true) -> 'droppedSchema'}, 'restored'), 'null',
	'without the mirror disconnect drops nothing');
is($away->sql($stranger, 'restored'), 't', '... the stranger stays');

# --- a copy from a template, with a run in the middle --------------------------------------------------

$sim->faults({ match => { path => '^/v1/', query => 'starting_after' }, action => { hang => \1 } });
$run = $node->start_backfill('acme');
$node->comes_true("SELECT bool_or(synced >= 100) FROM billstack.sync_progress WHERE run_id = $run", 'a run is in the middle');
shell_ok("createdb $from -T postgres clone", 'createdb -T');
$node->sql("SELECT billstack.cancel_backfill('acme')");
ok(Billstack::Node->wait_until(sub { $sim->stats->{concurrent_requests} == 0 }), 'the original is quiet');
$sim->faults;
$since = $sim->last_sequence;
is($node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run", 'clone'), 'running', 'the copy has the open run');
is($node->worker_pid('clone'), '', 'and no worker');
$node->sql('SELECT billstack_internal.note_installed()', 'clone');
is_silent($node, 'clone', $since, 'from a template');
$node->sql("SELECT billstack.arm('acme')", 'clone');
is($node->run_ends($run, 'clone'), 'done', 'armed, the copied run goes on to its end');
equals_stripe('from a template', 'acme', $node, 'clone');
is($node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run"), 'canceled', 'the original\'s own stays as it was');
ok($node->status('acme')->{isActive}, 'the original is active');

$_->stop for $node, $away;
done_testing();
