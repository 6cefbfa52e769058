# Worker, inserting sessions, checkpointer and WAL writer are killed in turn while eight clients hand in
# events. Each time the server recovers by itself. No event that a client was told is taken is lost, none
# takes effect twice: as an AFTER trigger on the mirror, the ledger and a subscribed handler see it.
# BILLSTACK_LONG kills 200 times instead of 20 (BILLSTACK_KILLS: as often as it says); BILLSTACK_SEED repeats
# a run's moments.
use strict;
use warnings;
use Billstack::Inbox qw(drained settled);
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Digest::SHA qw(hmac_sha256_hex);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $kills = $ENV{BILLSTACK_KILLS} // ($ENV{BILLSTACK_LONG} ? 200 : 20);
my $seed = $ENV{BILLSTACK_SEED} // time;
srand $seed;
note "seed $seed";

# How a client commits: events in a transaction, and as whom. synchronous_commit is off for casual.
my @clients = (
	{ batch => 1, role => 'app' }, { batch => 1, role => 'casual' }, { batch => 1, role => 'app' }, { batch => 5, role => 'casual' },
	{ batch => 5, role => 'app', block => 1 }, { batch => 20, role => 'app' }, { batch => 1, role => 'casual', block => 1 }, { batch => 20, role => 'casual' });
my $secret = 'whsec_' . 'k' x 32;
my $folder = PostgreSQL::Test::Utils::tempdir;

# --- a team whose customers and products are watched ---------------------------------------------------

my $sim = Billstack::Simulator->new(seed => 44, customers => 1, products => 1, prices => 1, subscriptions => 0, invoices => 0, charges => 0);
# Processes die, the machine does not: what was written to files stays without fsync. What was only in the
# WAL's buffers is gone, as commits of the worker and of casual are until somebody waits for them.
my $node = Billstack::Node->make('crash', $sim, conf => "wal_writer_delay = 1s\ncheckpoint_timeout = 30s\nmax_wal_size = 64MB\nlog_statement = none");
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.set_webhook_secret('acme', '$secret')");
$node->run_ends($node->start_backfill('acme'));
$node->sql(q{
	CREATE ROLE app LOGIN;
	CREATE ROLE casual LOGIN;
	ALTER ROLE casual SET synchronous_commit = off;
	SELECT billstack.grant_access('app', 'app', 'acme'), billstack.grant_access('casual', 'webhook', 'acme');
	CREATE SCHEMA seen;
	GRANT ALL ON SCHEMA seen TO app;
	CREATE TABLE seen.written (id text, op text);
	CREATE FUNCTION seen.note_row() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO seen.written VALUES (NEW.id, TG_OP); RETURN NULL; END $$;
	CREATE TRIGGER note_row AFTER INSERT OR UPDATE ON stripe_team_acme.customers FOR EACH ROW EXECUTE FUNCTION seen.note_row();
	CREATE TRIGGER note_row AFTER INSERT OR UPDATE ON stripe_team_acme.products FOR EACH ROW EXECUTE FUNCTION seen.note_row();
});
my $app = Billstack::Session->new($node, 'postgres', 'app');
$app->value($_) for 'CREATE TABLE seen.effect (event text)',
	q{CREATE FUNCTION seen.handler(event jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO seen.effect VALUES (event ->> 'id') $$},
	q{SELECT billstack.subscribe('acme', ARRAY['*'], 'seen.handler(jsonb)')};
$app->close;

# --- events: one an object, so that each object is written once ------------------------------------------

my (%payload, %object_of, @ids);
for my $round (1 .. int($kills * 300 / 1000 + 0.999))
{
	my @made = $sim->changes(map { { op => 'create', $_ % 4 ? (kind => 'customer', fields => { email => "c$round.$_\@example.com" })
		: (kind => 'product', fields => { name => "Product $round.$_" }) } } 1 .. 1000);
	$object_of{ $_->{id} } = $_->{object_id} for @made;
	push @ids, map { $_->{id} } @made;
	$payload{ $_->{event_id} } = $_->{payload} for $sim->deliveries(secret => $secret, events => [ map { $_->{id} } @made ]);
}
is(scalar(keys %payload), scalar(@ids), scalar(@ids) . ' events, one an object');

# Every tenth goes to two clients.
my $count = 0;
for my $id (@ids)
{
	push @{ $clients[ $_ % @clients ]{ids} }, $id for $count, $count % 10 ? () : $count + 3;
	$count++;
}

# --- a client ---------------------------------------------------------------------------------------------

# A front end signs nothing, Stripe does so anew with each try.
sub row
{
	my ($id) = @_;
	my $now = int time;
	my $signature = "t=$now,v1=" . hmac_sha256_hex("$now.$payload{$id}", $secret);
	return "('acme', '" . ($payload{$id} =~ s/'/''/gr) . "', '$signature')";
}

sub insert_of
{
	my ($client, @batch) = @_;
	my $insert = 'INSERT INTO billstack.webhook_inbox (team, payload, signature) VALUES ';
	my $returning = ' RETURNING event_id, duplicate';
	return $insert . join(', ', map { row($_) } @batch) . $returning if !$client->{block};
	return join '; ', 'BEGIN', (map { $insert . row($_) . $returning } @batch), 'COMMIT';
}

# What a client knows is in its file: "ack ID TIME", "again ID" (an event it had the acknowledgement of was taken
# as new), "error SQLSTATE MESSAGE". Crashes end sessions with these codes, or without a word.
my %crash_state = map { ($_ => 1) } qw(57P01 57P02 57P03 08006);

sub run_client
{
	my ($number, $client) = @_;
	srand($seed + 1 + $number);
	open my $file, '>>', "$folder/$number" or die $!;
	$file->autoflush(1);
	my @left = @{ $client->{ids} };
	my (@acknowledged, %acknowledged, $session);
	my $quota = int(@left / ($kills + 1)) + 1;
	my $may = $quota;
	while (1)
	{
		my $ending = -e "$folder/end";
		last if $ending && !@left;
		if (!$session)
		{
			$session = eval { Billstack::Session->new($node, 'postgres', $client->{role}) };
			if (!$session) { sleep 0.05; next; }
			$may = $quota;
		}
		# So much until the next crash, so that there is something left for the last one; then, and in
		# between, what was sent already.
		my $new = $ending || $may > 0;
		my $size = $ending ? 50 : $client->{batch};
		my @batch = @left[ 0 .. ($#left < $size - 1 ? $#left : $size - 1) ];
		@batch = () if !$new;
		push @batch, $acknowledged[ rand @acknowledged ] if @acknowledged && (!$new || rand() < 0.2);
		push @batch, $batch[0] if @batch && rand() < 0.05;
		sleep(rand(@batch ? 0.02 : 0.05));
		next if !@batch;
		$session->start(insert_of($client, @batch));
		my $answer = $session->answer(300);
		if ($answer->{closed} || $answer->{sqlstate})
		{
			print $file "error $answer->{sqlstate} $answer->{message}\n" if $answer->{sqlstate} && !$crash_state{ $answer->{sqlstate} };
			$session->vanish;
			undef $session;
			next;
		}
		my %in_batch;
		for my $row (@{ $answer->{rows} })
		{
			my ($id, $duplicate) = @$row;
			print $file "again $id\n" if $acknowledged{$id} && $duplicate ne 't';
			next if $acknowledged{$id}++;
			push @acknowledged, $id;
			print $file "ack $id $answer->{at}\n";
			$in_batch{$id} = 1;
			$may--;
		}
		@left = grep { !$in_batch{$_} } splice(@left, 0, $size), @left;
	}
	return;
}

$SIG{PIPE} = 'IGNORE';
my @children;
for my $number (0 .. $#clients)
{
	my $pid = fork // die $!;
	if (!$pid)
	{
		eval { run_client($number, $clients[$number]); 1 } or do
		{
			open my $file, '>>', "$folder/$number";
			print $file "error died $@\n";
			close $file;
			POSIX::_exit(1);
		};
		POSIX::_exit(0);
	}
	push @children, $pid;
}

# --- the kills ----------------------------------------------------------------------------------------------

# Bytes the clients have written: it grows with what is acknowledged.
sub told { my $sum = 0; $sum += -s "$folder/$_" // 0 for 0 .. $#clients; return $sum; }

my @kinds = qw(worker session checkpointer walwriter);

# Process ids by kind; nothing while the server recovers.
sub processes
{
	my ($code, $out) = $node->psql('postgres', q{SELECT CASE WHEN backend_type = 'billstack sync worker' THEN 'worker'
		WHEN usename IN ('app', 'casual') THEN 'session' ELSE backend_type END, pid FROM pg_stat_activity});
	my %pids;
	for (split /\n/, defined $code && $code == 0 ? $out : '') { my ($kind, $pid) = split /\|/; push @{ $pids{$kind} }, $pid; }
	return \%pids;
}

# All are there, the WAL writer another than before.
sub recovered
{
	my ($before) = @_;
	my $now = processes();
	return !(grep { !$now->{$_} } @kinds) && $now->{walwriter}[0] != $before && $now;
}

my (%killed, @victims, @pauses);
my ($from, $last_kill, $walwriter) = (time, 0, 0);
for my $round (1 .. $kills)
{
	my $what = $kinds[ $round % 4 ];
	my $since = time;
	# Everybody is back and events are taken; then any moment.
	my $now = Billstack::Node->wait_until(sub { recovered($walwriter) }) or last;
	my $told = told();
	Billstack::Node->wait_until(sub { told() > $told }) or last;
	push @pauses, time - $since;
	$walwriter = $now->{walwriter}[0];
	my $checkpoint;
	if ($what eq 'checkpointer')
	{
		$checkpoint = Billstack::Session->new($node, 'postgres');
	}
	sleep rand 0.5;
	$now = processes() if $what eq 'session';
	my $pid = $now->{$what}[ rand @{ $now->{$what} } ];
	$checkpoint->start('CHECKPOINT') if $checkpoint;
	sleep rand 0.02;
	$killed{$what} += kill 'KILL', $pid;
	$last_kill = time;
	push @victims, $pid;
	$checkpoint->vanish if $checkpoint;
}
Billstack::Node->wait_until(sub { recovered($walwriter) });
is(scalar(@victims), $kills, sprintf 'seed %d: %d kills in %.0f s: %s', $seed, scalar @victims, time - $from,
	join ', ', map { $_ . ' ' . ($killed{$_} // 0) } @kinds);
my @sorted = sort { $a <=> $b } @pauses;
note sprintf 'back and taking events after %.1f s (median), %.1f s at most', $sorted[ @sorted / 2 ], $sorted[-1];

append_to_file("$folder/end", '');
for (@children) { waitpid $_, 0; is($?, 0, 'a client has handed in all of its own'); }

# --- what is there -------------------------------------------------------------------------------------------

my (%acknowledged, @wrong);
my $again = 0;
for my $line (map { split /\n/, slurp_file("$folder/$_") } 0 .. $#clients)
{
	if ($line =~ /^ack (\S+) (\S+)$/) { $acknowledged{$1} = $2 if $2 < ($acknowledged{$1} // $2 + 1); }
	elsif ($line =~ /^again/) { $again++; }
	else { push @wrong, $line; }
}
is_deeply(\@wrong, [], 'no client was told an error other than of the crashes');
my @told = keys %acknowledged;
my $between = grep { $acknowledged{$_} < $last_kill } @told;
is(scalar(@told), scalar(@ids), 'all events were acknowledged');
cmp_ok($between, '>=', 10 * $kills, "$between of them before the last kill");

# The crashes are over: nothing but the worker's own wake-ups.
ok(drained($node), 'the queue runs empty');
ok(settled($node), 'and nothing is left to be read again');
$node->comes_true('SELECT NOT EXISTS (SELECT FROM billstack_internal.handler_call)', 'all handlers were called');

my $log = slurp_file($node->logfile);
my @unseen = grep { $log !~ /\(PID $_\) was terminated by signal 9/ } @victims;
is(scalar(@unseen), 0, 'each kill was a crash that the server recovered from');
unlike($log, qr/PANIC|TRAP|terminated by signal (?!9\b)/, 'by itself, and there was no other');

# Of a table's rows (id): those of which there is another number than one.
sub not_once
{
	my ($query, @wanted) = @_;
	my %number;
	$number{$_}++ for split /\n/, $node->sql($query);
	return { lost => scalar(grep { !$number{$_} } @wanted), twice => scalar(grep { ($number{$_} // 0) > 1 } @wanted), more => keys(%number) - @wanted };
}
# A lost event that came once more would be in the ledger too, but received after its first acknowledgement.
# (One that comes while the worker finishes it is queued as new and dropped when its turn comes.)
my %received = map { split /\|/ } split /\n/, $node->sql('SELECT event_id, extract(epoch FROM received_at) FROM billstack_internal.event');
is(scalar(grep { ($received{$_} // 0) > $acknowledged{$_} } @told), 0, "... received before it was acknowledged; $again taken anew while being finished");
my %none = (lost => 0, twice => 0, more => 0);
my @objects = map { $object_of{$_} } @told;
is_deeply(not_once('SELECT event_id FROM billstack_internal.event', @told), \%none, @told . ' acknowledged events: 0 lost, the ledger has each once');
is_deeply(not_once('SELECT id FROM seen.written', @objects), \%none, '0 applied twice: a trigger saw each object written once');
is_deeply(not_once('SELECT event FROM seen.effect', @told), \%none, '0 told twice: the handler was called once for each');
is($node->sql(q{SELECT string_agg(DISTINCT op, ' ') FROM seen.written}), 'INSERT', 'each write was the first of its object');
is($node->sql(q{SELECT string_agg(DISTINCT outcome, ' ') FROM billstack_internal.event}), 'applied', 'each event was applied');
is($node->sql('SELECT count(*) FROM billstack_internal.inbox'), 0, 'no dead letters');
is($node->sql(q{SELECT depth FROM billstack.inbox_status}), 0, 'the queue counts as empty');
$node->equals_stripe($sim, 'stripe_team_acme', "after $kills crashes", kinds => [qw(customer product)]);

$node->stop;
done_testing();
