# The examples of README and docs: every block of SQL runs in the order of its file, the answers shown are the
# answers given, commands of make exist. The conventions stand in docs/contributing.md.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Billstack::Docs qw(blocks_of is_executed psql_script results_of json_differs text_differs);
use Billstack::Node;
use Billstack::Simulator;

my $top = $ENV{BILLSTACK_SOURCE};
my %key = (
	STRIPE_SECRET_KEY => 'sk_test_documentexample000',
	STRIPE_NEW_SECRET_KEY => 'sk_test_documentexamplenext',
	STRIPE_RESTRICTED_KEY => 'rk_test_documentexample000',
	STRIPE_LIVE_SECRET_KEY => 'sk_live_documentexample000');

my $stripe = Billstack::Simulator->new(customers => 60, config => { accounts => [ {
	id => 'acct_Example00000001', name => 'Acme', seed => 60,
	keys => [ { key => $key{STRIPE_SECRET_KEY} }, { key => $key{STRIPE_NEW_SECRET_KEY} },
		{ key => $key{STRIPE_RESTRICTED_KEY}, denied => ['charge'] } ] },
	{ id => 'acct_ExampleLive0001', name => 'Acme', seed => 61, livemode => JSON::PP::true,
	sizes => { map { $_ => 1 } qw(customer product price subscription invoice charge) },
	keys => [ { key => $key{STRIPE_LIVE_SECRET_KEY} } ] } ] });
my $node = Billstack::Node->make('docs', $stripe, start => 0, conf => "timezone = 'UTC'\nmax_worker_processes = 16");
$node->start;

# --- a file -------------------------------------------------------------------------------------------

# What a file that does not install the extension itself starts from: the state the quick start ends with.
my $prelude = q{CREATE EXTENSION billstack;
\getenv key STRIPE_SECRET_KEY
SELECT billstack.connect('acme', :'key') \g /dev/null
SET client_min_messages = warning;
CALL billstack.run_backfill('acme') \g /dev/null
RESET client_min_messages;
};

sub run_examples
{
	my ($name, @blocks) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir;
	my $script = "$folder/script.sql";
	$node->safe_psql('postgres', 'CREATE DATABASE app');
	my $start = (grep { $_->{text} =~ /CREATE EXTENSION billstack/ } @blocks) ? '' : $prelude;
	append_to_file($script, $start . psql_script($folder, @blocks));
	local %ENV = (%ENV, %key, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'app');
	IPC::Run::run([ 'psql', '-X', '-q', '-f', $script ], '>', \my $out, '2>', \my $err);
	my @results = results_of($out, $err, scalar @blocks);
	diag("$name, before the first example: $err") if $start && !$results[0]{complete} && $err !~ /^\@block/m;
	for my $i (0 .. $#blocks)
	{
		my ($block, $result) = ($blocks[$i], $results[$i]);
		my $test = "$name:$block->{line}: " . (split /\n/, $block->{text})[0];
		my $wrong = $result->{wrong} . ($result->{complete} ? '' : "it stopped here\n") . answer_differs($block, $result);
		ok($wrong eq '', $test) or diag("$wrong$result->{output}$result->{notices}");
	}
	clean_up();
	return;
}

sub answer_differs
{
	my ($block, $result) = @_;
	my $expected = $block->{expected} // return '';
	return json_differs($result->{output}, $expected->{text}) if $expected->{kind} eq 'json';
	return text_differs($result->{output} . $result->{notices}, $expected->{text});
}

# Databases and roles that the examples made.
sub clean_up
{
	for my $database (split /\n/, $node->safe_psql('postgres', "SELECT quote_ident(datname) FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"))
	{
		$node->safe_psql('postgres', "DROP DATABASE $database");
	}
	$node->safe_psql('postgres', "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE NOT rolsuper AND rolname NOT LIKE 'pg\\_%' \\gexec");
	return;
}

# --- all files ----------------------------------------------------------------------------------------

my %target = map { $_ => 1 } `make -s -C '$top' help` =~ /^  make (\S+)/mg;
ok($target{demo} && $target{check}, 'make help lists the targets');

my $executed = 0;
for my $file ("$top/README.md", sort glob("$top/docs/*.md"))
{
	my $name = substr($file, length($top) + 1);
	my @blocks = eval { blocks_of(slurp_file($file)) };
	is($@, '', "$name can be read");
	for my $block (grep { $_->{kind} eq 'sh' } @blocks)
	{
		my @missing = grep { !$target{$_} } $block->{text} =~ /^\s*make ((?!-)[a-z-]+)/mg;
		is("@missing", '', "$name:$block->{line}: targets of make exist");
	}
	my @run = grep { is_executed($_) } @blocks;
	$executed += @run;
	run_examples($name, @run) if @run;
}
cmp_ok($executed, '>=', 40, "$executed examples were executed");

# --- what pages must name --------------------------------------------------------------------------------

my $reference = slurp_file("$top/docs/sql-reference.md");
$node->safe_psql('postgres', "CREATE EXTENSION billstack; SELECT billstack.connect('acme', '$key{STRIPE_SECRET_KEY}')");
for my $table (split /\n/, $node->safe_psql('postgres', q{SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'stripe_team_acme'::regnamespace ORDER BY 1}))
{
	like($reference, qr/`$table`/, "docs/sql-reference.md names table $table");
}
for my $column (split /\n/, $node->safe_psql('postgres', q{SELECT DISTINCT attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
	WHERE relkind = 'v' AND relnamespace = 'billstack'::regnamespace ORDER BY 1}))
{
	like($reference, qr/`$column`/, "docs/sql-reference.md names the view column $column");
}
my %state = map { $_ => 1 } slurp_file("$top/src/core/error.hpp") =~ m{// ([A-Z0-9]{5})\b}g;
for my $state (sort keys %state)
{
	like($reference, qr/`$state`/, "docs/sql-reference.md explains SQLSTATE $state");
}

for my $package (slurp_file("$top/test/env/install_deps.sh") =~ /^([a-z0-9+.-]+)\|/mg)
{
	like(slurp_file("$top/docs/install.md"), qr/[` ]\Q$package\E[` ]/, "docs/install.md names package $package");
}

$node->stop;
done_testing();
