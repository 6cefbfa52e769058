# What leaves the worker and to whom: no key to a server that cannot show who it is, none along a redirect
# or a proxy, none in a message, a table or the log.
use strict;
use warnings;
use Billstack::Scene;
use Billstack::Session;
use File::Temp qw(tempdir);
use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $key = 'sk_test_sim' . '0' x 22;
my $tail = '0' x 12;    # a part of the key that no masked form shows
my $call = "SELECT billstack.check_keys('$key')";
my $dir = tempdir(CLEANUP => 1);

# Certificates: one of a CA of our own, one that nobody signed, one for another name.
sub openssl { run_log([ 'openssl', @_ ]) or BAIL_OUT("openssl @_"); return; }
openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', 2,
	'-subj', '/CN=Test CA', '-keyout', "$dir/ca.key", '-out', "$dir/ca.crt");
for my $case ([ good => 'IP:127.0.0.1' ], [ foreign => 'DNS:api.example.com' ])
{
	my ($name, $who) = @$case;
	append_to_file("$dir/$name.ext", "subjectAltName = $who\n");
	openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', "/CN=$name",
		'-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
	openssl('x509', '-req', '-in', "$dir/$name.csr", '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key", '-CAcreateserial',
		'-days', 2, '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt");
}
openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', 2,
	'-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName = IP:127.0.0.1', '-keyout', "$dir/self.key", '-out', "$dir/self.crt");

my $sim = Billstack::Scene::Simulator->new('--customers', 5, '--log', "$dir/plain.log");
my $trap = Billstack::Scene::Simulator->new('--customers', 5);
my ($proxy, $proxy_port) = silent_listener();

my $node = PostgreSQL::Test::Cluster->new('transport');
$node->init;
$node->append_conf('postgresql.conf', conf_with_preload($sim->url) . "log_min_messages = debug1\nlog_error_verbosity = verbose\nlog_statement = all\n");
{
	my $where = "http://127.0.0.1:$proxy_port";
	local @ENV{qw(https_proxy HTTPS_PROXY http_proxy HTTP_PROXY all_proxy ALL_PROXY)} = ($where) x 6;
	$node->start;
}
my $control = Billstack::Session->new($node, 'postgres');
$control->value('CREATE EXTENSION billstack');

my $client_saw = '';    # every message and every row a client got

sub answer_of
{
	my ($sql) = @_;
	$control->start($sql);
	my $answer = $control->answer;
	$client_saw .= join "\n", map { $answer->{$_} // '' } qw(sqlstate message detail hint context);
	$client_saw .= join "\n", map { map { $_ // '' } @$_ } @{ $answer->{rows} };
	return $answer;
}

sub failure_of { my $answer = answer_of($_[0]); return join '|', map { $answer->{$_} // '' } qw(sqlstate message detail); }

# Sets where Stripe is and waits until the worker calls there. A call of the time between is failed.
sub set_base
{
	my ($base, $reached) = @_;
	$control->value("ALTER SYSTEM SET billstack.api_base = '$base'");
	$control->value('SELECT pg_reload_conf()');
	return wait_for(10, sub { my $failure = failure_of($call); $reached->($failure) });
}

# The environment's proxies
ok(set_base($sim->url, sub { $_[0] eq '||' }), 'with proxies in the environment: a call succeeds');
my $worker = $control->value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'billstack sync worker'});
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
like(slurp_file("/proc/$postmaster/environ"), qr/https_proxy=http:/, '... they are in the environment of the server');
ok(!IO::Select->new($proxy)->can_read(0), '... and nobody has knocked there');

# TLS
my %tls;
for my $name (qw(self good foreign))
{
	$tls{$name} = Billstack::Scene::Simulator->new('--customers', 5, '--log', "$dir/$name.log",
		'--tls-cert', "$dir/$name.crt", '--tls-key', "$dir/$name.key");
}
sub tls_url { return 'https://127.0.0.1:' . $tls{ $_[0] }->port; }
ok(set_base(tls_url('self'), sub { $_[0] =~ /^BS503\|.*certificate|^BS503.*SSL/ }), 'a certificate nobody signed is refused')
  or diag failure_of($call);
ok(set_base(tls_url('good'), sub { $_[0] =~ /^BS503\|.*certificate|^BS503.*SSL/ }), 'so is one of a CA not known') or diag failure_of($call);
$control->value("ALTER SYSTEM SET billstack.ca_file = '$dir/ca.crt'");
ok(set_base(tls_url('good'), sub { $_[0] eq '||' }), 'the CA named in ca_file: accepted');
ok(set_base(tls_url('foreign'), sub { $_[0] =~ /^BS503\|.*(?:certificate|SSL)/ }), 'a certificate for another name is refused')
  or diag failure_of($call);
for my $name (qw(self foreign))
{
	is(-s "$dir/$name.log" // 0, 0, "$name: its server has received no request");
}
cmp_ok(-s "$dir/good.log", '>', 0, 'good: its server has');
ok(!IO::Select->new($proxy)->can_read(0), 'no proxy was asked for https either');

# A server that shows no certificate sees nothing of the key: the bytes of the connection.
{
	my ($listener, $port) = silent_listener();
	$control->value("ALTER SYSTEM SET billstack.api_base = 'https://127.0.0.1:$port'");
	$control->value('SELECT pg_reload_conf()');
	my $caller = Billstack::Session->new($node, 'postgres');
	my $bytes = '';
	ok(wait_for(10, sub {
		$caller->start($call);
		if (IO::Select->new($listener)->can_read(2))
		{
			accept(my $peer, $listener);
			sysread $peer, $bytes, 65536;
			syswrite $peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
			shutdown $peer, 1;
			1 while sysread $peer, $bytes, 65536, length $bytes;
			close $peer;
		}
		$control->value('SELECT pg_cancel_backend(' . $caller->pid . ')');
		$caller->answer;
		return length $bytes;
	}), 'a server that answers in plain text to TLS: ' . length($bytes) . ' bytes received');
	unlike($bytes, qr/$tail/, '... none of them of the key');
	$caller->close;
}

# Plain http leaves the machine never.
set_base($sim->url, sub { $_[0] eq '||' });
for my $base ('http://api.stripe.com', 'http://192.0.2.1', 'http://127.0.0.1.example.com', 'ftp://127.0.0.1',
	'https://user:secret@127.0.0.1', 'file:///etc/passwd')
{
	my $failure = failure_of("ALTER SYSTEM SET billstack.api_base = '$base'");
	like($failure, qr/^22023\|/, "api_base $base is refused");
}
my $log_at = -s $node->logfile;
append_to_file($node->data_dir . '/postgresql.auto.conf', "billstack.api_base = 'http://192.0.2.1'\n");
$control->value('SELECT pg_reload_conf()');
ok(wait_for(5, sub { $node->log_contains(qr/invalid value for parameter "billstack.api_base": "http:\/\/192/, $log_at) }),
	'written into the file: refused at reload');
is($control->value('SHOW billstack.api_base'), $sim->url, '... what was before stays');
is(failure_of($call), '||', '... and works');
$control->value('ALTER SYSTEM RESET billstack.api_base');
set_base($sim->url, sub { $_[0] eq '||' });

# Redirects
for my $status (301, 302, 307, 308)
{
	$sim->faults({ action => { status => $status, redirect => $trap->url . '/v1/account' } });
	like(failure_of($call), qr/^BS5/, "status $status: the call fails");
}
is($trap->requests, 0, 'no redirect was followed');

# Size
$sim->faults({ action => { oversize_bytes => 40 * 1024 * 1024 } });
like(failure_of($call), qr/^BS5.*\|.*(?:large|exceed)/i, 'an answer of 40 MB is refused') or diag failure_of($call);
$sim->faults({ action => { oversize_bytes => 300 * 1024 } });
like(failure_of($call), qr/^BS5.*\|.*large/i, 'so is one that does not fit into a place') or diag failure_of($call);
my ($rss) = slurp_file("/proc/$worker/status") =~ /VmHWM:\s+(\d+) kB/;
cmp_ok($rss, '<', 200 * 1024, "the worker never had more than $rss kB");

# Stripe's own messages that quote the key
# (403 is no failure here: a restricted key that may not read the account.)
for my $status (400, 401, 404, 500)
{
	$sim->faults({ action => { echo_key => \1, status => $status } });
	my $failure = failure_of($call);
	like($failure, qr/^BS/, "status $status with the key in its text: the call fails");
	like(failure_of("SELECT billstack.connect('acme', secret_key => '$key')"), qr/^BS/, '... of connect too');
}
$sim->faults;
is(failure_of("SELECT billstack.connect('acme', secret_key => '$key')"), '||', 'connected');
for my $status (400, 401, 403)
{
	$sim->faults({ action => { echo_key => \1, status => $status } });
	failure_of(q{SELECT billstack.validate('acme')});
	failure_of(q{SELECT billstack.backfill('acme')});
	wait_for(20, sub { $control->value(q{SELECT count(*) FROM billstack_internal.backfill_run WHERE finished_at IS NULL}) == 0 });
	failure_of(q{SELECT * FROM billstack.integrations});
	failure_of(q{SELECT * FROM billstack.sync_progress});
	failure_of(q{SELECT * FROM billstack.health()});
	failure_of(q{SELECT billstack.status('acme')});
}
like($client_saw, qr/sync_progress|acme/, 'what clients saw was kept');
unlike($client_saw, qr/$tail/, '... the key is not in it');
unlike(slurp_file($node->logfile), qr/$tail/, '... nor in the server log, with all statements logged');
my ($dump) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, 'postgres' ]);
my $tables = $dump;
for my $table (split /\n/, $node->safe_psql('postgres', q{SELECT oid::regclass FROM pg_class
	WHERE relkind = 'r' AND relnamespace::regnamespace::text ~ '^billstack'}))
{
	$tables .= $node->safe_psql('postgres', "SELECT t::text FROM $table AS t");
}
cmp_ok(length $tables, '>', 10_000, 'every table was read');
unlike($tables, qr/$tail/, '... none holds the key');
unlike(slurp_file($_), qr/$tail/, 'nor does the simulator\'s own ledger') for "$dir/plain.log";

# It is on the disk in no file of the server, pages and write-ahead log included.
$control->close;
$node->stop;
my @files = split /\0/, `find @{[ $node->data_dir ]} -type f -print0`;
my @with_key = grep { slurp_file($_) =~ /$key/ } @files;
cmp_ok(scalar @files, '>', 500, scalar(@files) . ' files of the server were read');
is("@with_key", '', '... the key is in none');
done_testing();
