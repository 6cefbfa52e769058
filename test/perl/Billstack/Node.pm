# A private cluster with billstack preloaded, and what tests do with teams, backfills and the worker.
package Billstack::Node;
use strict;
use warnings;
use parent -norequire, 'PostgreSQL::Test::Cluster';
use Billstack::MirrorCompare qw(compare_mirror);
use Cpanel::JSON::XS;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More ();
use Time::HiRes qw(time sleep);

my $json = Cpanel::JSON::XS->new->utf8;

# make($name, $simulator, OPTION => VALUE...): a running cluster with the extension in database postgres.
#   conf => lines for postgresql.conf    durable => 1 leaves fsync on    init => [arguments of init()]
#   start => 0: neither started nor the extension created
sub make
{
	my ($class, $name, $simulator, %options) = @_;
	my $self = $class->new($name);
	$self->init(@{ $options{init} // [] });
	$self->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = 'billstack'",
		"billstack.api_base = '" . $simulator->url . "'", $options{durable} ? () : 'fsync = off',
		'billstack.rate_limit = 0', 'billstack.endpoint_rate_limit = 0', # the simulator takes what comes
		'restart_after_crash = on', $options{conf} // '', '');
	return $self if !($options{start} // 1);
	$self->start;
	$self->safe_psql('postgres', 'CREATE EXTENSION billstack');
	return $self;
}

# A psql that has lost its server ends before it reads the query: to IPC::Run a broken pipe, to those who look
# whether the server is back one more failed attempt.
sub psql
{
	my ($self, $database, $query, %options) = @_;
	my @result = eval { $self->SUPER::psql($database, $query, %options) };
	return wantarray ? @result : $result[0] if !$@;
	die $@ if $@ !~ /Broken pipe/ || $options{on_error_die};
	${ $options{$_} } = '' for grep { ref $options{$_} } 'stdout', 'stderr';
	return wantarray ? (2, '', 'the server has gone') : 2;
}

sub sql { my ($self, $sql, $database) = @_; return $self->safe_psql($database // 'postgres', $sql); }

# Waits until the query gives the expected text ('t'), within the tests' time limit, and says so as a test.
sub comes_true
{
	my ($self, $query, $name, $expected) = @_;
	my $from = time;
	my $came = $self->poll_query_until('postgres', $query, $expected // 't');
	return Test::More::ok($came, sprintf '%s (%.1f s)', $name, time - $from);
}

# The answer of connect() as a hash.
sub connect_team
{
	my ($self, $team, $key, $database) = @_;
	return $json->decode($self->sql("SELECT billstack.connect('$team', '$key')", $database));
}

# Arguments for SQL after the team: objects => [...], created_after => '...', integration => '...'.
sub _arguments
{
	my ($team, %options) = @_;
	my @arguments = ("'$team'");
	push @arguments, 'objects => ARRAY[' . join(',', map { "'$_'" } @{ $options{objects} }) . ']'
	  if $options{objects};
	push @arguments, "$_ => '$options{$_}'" for grep { defined $options{$_} } 'created_after', 'integration';
	return join ', ', @arguments;
}

# Starts a backfill and returns its run id.
sub start_backfill
{
	my ($self, $team, %options) = @_;
	my $answer = $self->sql('SELECT billstack.backfill(' . _arguments($team, %options) . ')', $options{database});
	return $json->decode($answer)->{runId};
}

# Runs a backfill to its end; the result as a hash. Dies if the call fails.
sub run_backfill
{
	my ($self, $team, %options) = @_;
	my $answer = $self->sql('CALL billstack.run_backfill(' . _arguments($team, %options) . ')', $options{database});
	return $json->decode($answer);
}

# Waits for the end of a run; its state, or what it is in when time runs out.
sub run_ends
{
	my ($self, $run, $database) = @_;
	my $state = "SELECT state FROM billstack_internal.backfill_run WHERE id = $run";
	$self->poll_query_until($database // 'postgres', "SELECT ($state) NOT IN ('queued', 'running')");
	return $self->sql($state, $database);
}

sub status
{
	my ($self, $team, $database) = @_;
	return $json->decode($self->sql("SELECT billstack.status('$team')", $database));
}

# sync_progress of a team: {kind => {state, synced, error, ...}}.
sub progress
{
	my ($self, $team, $database) = @_;
	return $json->decode($self->sql(qq{SELECT coalesce(jsonb_object_agg(object, to_jsonb(p)), '{}')
		FROM billstack.sync_progress AS p WHERE team = '$team'}, $database));
}

# The sync worker's process, or ''.
sub worker_pid
{
	my ($self, $database) = @_;
	return $self->sql(sprintf q{SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'billstack sync worker' AND datname = '%s'}, $database // 'postgres');
}

# The error of a statement as a hash {sqlstate, message, detail, hint}; undef when it succeeds.
sub error_of
{
	my ($self, $sql, $database) = @_;
	my (undef, undef, $stderr) = $self->psql($database // 'postgres', "\\set VERBOSITY verbose\n$sql");
	return if $stderr !~ /^psql:.*?(?:ERROR|FATAL): +(\w{5}): (.*)$/m && $stderr !~ /(?:ERROR|FATAL): +(\w{5}): (.*)$/m;
	my %error = (sqlstate => $1, message => $2);
	$error{lc $1} = $2 while $stderr =~ /^(DETAIL|HINT): +(.*)$/mg;
	return \%error;
}

# A test: the mirror holds what the simulator holds, field by field. Further options: see compare_mirror().
sub equals_stripe
{
	my ($self, $simulator, $schema, $name, %options) = @_;
	my $database = delete $options{database};
	my $seen = compare_mirror(port => $simulator->port, schema => $schema,
		query => sub { return split /\n/, $self->sql($_[0], $database) }, %options);
	my @differences = @{ $seen->{differences} };
	Test::More::diag($_) for splice @{ $seen->{differences} }, 0, 20;
	return Test::More::ok(!@differences && $seen->{objects} > 0, sprintf
		'%s: %d objects, %d fields compared, %d differences', $name, @$seen{ 'objects', 'fields' }, scalar @differences);
}

# xmin of every row of a team's mirror: {"table id" => xmin}.
sub row_versions
{
	my ($self, $schema, $database) = @_;
	my @tables = split /\n/, $self->sql("SELECT relname FROM pg_class
		WHERE relnamespace = '$schema'::regnamespace AND relkind = 'r' ORDER BY 1", $database);
	my $query = join ' UNION ALL ', map { qq{SELECT '$_ ' || id, xmin::text FROM "$schema"."$_"} } @tables;
	return { map { split /\|/ } split /\n/, $self->sql($query, $database) };
}

# Names of what is new or has another version in the second of two row_versions().
sub changed_rows
{
	my ($class, $before, $after) = @_;
	my @changed = sort grep { ($before->{$_} // '') ne $after->{$_} } keys %$after;
	return @changed;
}

# Waits for a condition of the test's own; 0 when time runs out.
sub wait_until
{
	my ($class, $condition, $seconds) = @_;
	for (my $until = time + ($seconds // $PostgreSQL::Test::Utils::timeout_default); time < $until;)
	{
		my $seen = $condition->();
		return $seen if $seen;
		sleep 0.01;
	}
	return 0;
}

1;
