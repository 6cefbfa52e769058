# What wakes the worker for the inbox and what does not, and what becomes of queue and ledger in time: a
# transaction that commits late, a prepared one, a worker that was away, weeks that are over, dump and restore.
# BILLSTACK_LONG watches an idle worker for five minutes.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in hand_in_sql drained settled outcomes);
use Billstack::Node;
use Billstack::Scene qw(voluntary_switches figures);
use Billstack::Session;
use Billstack::Simulator;
use Digest::SHA qw(hmac_sha256_hex);
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $secret = 'whsec_' . 'i' x 32;
my $day = 86400;
my $sim = Billstack::Simulator->new(seed => 45, customers => 20, products => 5, prices => 5, subscriptions => 5, invoices => 5, charges => 5);
my $node = Billstack::Node->make('idle', $sim, conf => "max_prepared_transactions = 4\nautovacuum = off\nmax_worker_processes = 16");
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.set_webhook_secret('acme', '$secret')");
$node->run_ends($node->start_backfill('acme'));
my ($control, $other, $third) = map { Billstack::Session->new($node, 'postgres') } 1 .. 3;

sub signed { my ($body) = @_; my $at = int time; return "t=$at,v1=" . hmac_sha256_hex("$at.$body", $secret); }
sub deliveries_of { return $sim->deliveries(secret => $secret, events => [ map { $_->{id} } @_ ]); }
# A new customer's event, and the statement that hands it in.
my $number = 0;
sub new_event
{
	my $event = $sim->create('customer', { email => 'e' . ++$number . '@example.com' });
	return ($event->{id}, hand_in_sql('acme', 'view', deliveries_of($event)));
}
sub is_done { my ($id) = @_; return $control->value("SELECT count(*) FROM billstack_internal.event WHERE event_id = '$id'"); }
# Seconds until an event is done.
sub done_after
{
	my ($id) = @_;
	my $from = time;
	Billstack::Node->wait_until(sub { is_done($id) }) or return 1e6;
	return time - $from;
}

# Milliseconds that the worker's wait has for its longest, as the kernel was told; undef while it is not waiting,
# -1 where the kernel does not say.
sub sleeps_for
{
	my ($pid) = @_;
	open my $file, '<', "/proc/$pid/syscall" or return -1;
	my ($call, @arguments) = split ' ', <$file> // '';
	return defined $call && $call =~ /^(?:232|281|22)$/ ? hex $arguments[3] : undef;
}

# It has looked around and waits, for five minutes.
sub falls_asleep
{
	my ($pid) = @_;
	my $before = voluntary_switches($pid);
	$control->value('SELECT pg_reload_conf()');
	return Billstack::Node->wait_until(sub {
		my $switches = voluntary_switches($pid);
		sleep 0.2;
		my $ms = sleeps_for($pid);
		return $switches > $before && voluntary_switches($pid) == $switches && defined $ms
		  && ($ms == -1 || ($ms > 290_000 && $ms <= 300_000)) && $ms;
	});
}

# --- idle ---------------------------------------------------------------------------------------------------

my @first = map { [ new_event() ] } 1 .. 5;
$control->value($_->[1]) for @first;
ok(drained($node) && settled($node), 'some events are done');
my $worker = $node->worker_pid;
my $ms = falls_asleep($worker);
ok($ms, 'then the worker sleeps, ' . ($ms < 0 ? 'the kernel does not say how long' : "for $ms ms unless it is woken"));
my $switches = voluntary_switches($worker);
my ($from, $watched) = (time, $ENV{BILLSTACK_LONG} ? 299 : 12);
my ($rolled, $insert) = new_event();
for (1 .. 10)
{
	$other->value($_) for 'BEGIN', $insert, 'ROLLBACK';
	$other->value($_) for 'BEGIN', 'SAVEPOINT s', $insert, 'ROLLBACK TO s', 'COMMIT';
	$other->start($insert =~ s/v1=/v1=0/r);
	my $answer = $other->answer;
	is($answer->{sqlstate}, '28000', 'refused') if $_ == 1;
}
Billstack::Node->wait_until(sub { time - $from >= $watched }, $watched + 10);
# Once: the server leaves the alarm of a time limit armed that was lifted in time, here the one of the last batch.
my $woken = voluntary_switches($worker) - $switches;
cmp_ok($woken, '<=', 1, sprintf 'it wakes %d times in %.0f s, with ten events rolled back, ten in subtransactions and ten refused', $woken, time - $from);
is($node->worker_pid, $worker, 'it is the same worker');

$other->value($insert);
cmp_ok(done_after($rolled), '<', 10, 'the same event committed wakes it');
my @after;
for (1 .. 20)
{
	my ($id, $statement) = new_event();
	$other->value($statement);
	push @after, done_after($id);
}
cmp_ok((sort { $a <=> $b } @after)[-1], '<', 10, 'as does each, ' . figures(@after));

# --- an older transaction that commits late -------------------------------------------------------------------

my ($old, $old_insert) = new_event();
$other->value($_) for 'BEGIN', $old_insert;
my $xid = $other->value('SELECT pg_current_xact_id()::text');
for (1 .. 3)
{
	my ($new, $new_insert) = new_event();
	$third->value($new_insert);
	cmp_ok(done_after($new), '<', 10, "younger event $_ is done");
	cmp_ok($third->value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"), '>', $xid, '... its transaction is the younger one');
}
is(is_done($old), 0, 'the older one is open');
$other->value('COMMIT');
cmp_ok(done_after($old), '<', 10, 'it commits after them and is done at once');

# The worker is at a younger event, whose row makes it wait, while the older one commits: what it was woken for
# lies behind it.
$control->value($_) for
  q{CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(2); RETURN NULL; END'},
  q{CREATE TRIGGER dawdle AFTER INSERT ON stripe_team_acme.customers FOR EACH ROW EXECUTE FUNCTION public.dawdle()};
($old, $old_insert) = new_event();
$other->value($_) for 'BEGIN', $old_insert;
my ($young, $young_insert) = new_event();
$third->value($young_insert);
ok(Billstack::Node->wait_until(sub { $control->value(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) }), 'the worker is at the younger event');
$other->value('COMMIT');
cmp_ok(done_after($old), '<', 20, 'the older one, committed meanwhile, is done');
is(is_done($young), 1, '... and so is the younger one');
$control->value('DROP TRIGGER dawdle ON stripe_team_acme.customers');

# --- prepared transactions: COMMIT PREPARED wakes nobody ------------------------------------------------------------

# By then nobody knows what the transaction did. Its row is found by whatever wakes the worker next, at the latest
# by its look around after five minutes; new settings make it look too.
my ($prepared, $prepared_insert) = new_event();
$other->value($_) for 'BEGIN', $prepared_insert, q{PREPARE TRANSACTION 'one'};
my ($later, $later_insert) = new_event();
$third->value($later_insert);
cmp_ok(done_after($later), '<', 10, 'an event beside a prepared transaction is done');
is(is_done($prepared), 0, 'the prepared one is not there yet');
$other->value(q{COMMIT PREPARED 'one'});
$control->value('SELECT pg_reload_conf()');
cmp_ok(done_after($prepared), '<', 10, 'committed, it is found by a look around');
($prepared, $prepared_insert) = new_event();
$other->value($_) for 'BEGIN', $prepared_insert, q{PREPARE TRANSACTION 'two'};
($later, $later_insert) = new_event();
$third->value($later_insert);
done_after($later);
$other->value(q{COMMIT PREPARED 'two'});
($later, $later_insert) = new_event();
$third->value($later_insert);
cmp_ok(done_after($prepared), '<', 10, 'or when a younger event wakes the worker');

# --- the worker is away ---------------------------------------------------------------------------------------------

my @queued = map { [ new_event() ] } 1 .. 3;
kill 'TERM', $worker;
ok(Billstack::Node->wait_until(sub { $node->worker_pid eq '' }), 'the worker is ended');
$other->value($_->[1]) for @queued;
is(scalar(grep { is_done($_->[0]) } @queued), 0, 'events are queued');
cmp_ok(done_after($_->[0]), '<', 20, 'they are done when it is back') for @queued;

# --- weeks ----------------------------------------------------------------------------------------------------------------

sub partitions { return split /\n/, $node->sql(q{SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
	WHERE inhparent = 'billstack_internal.event'::regclass ORDER BY 1}, $_[0]); }
sub partition_of { my ($second) = @_; return strftime 'event_%Y%m%d', gmtime($second - ($second - 4 * $day) % (7 * $day)); }
sub place_of { my ($id) = @_; return $node->sql("SELECT tableoid::regclass FROM billstack_internal.event WHERE event_id = '$id'") =~ s/.*\.//r; }
# A new worker looks after the ledger at once.
sub keep_for
{
	my ($retention) = @_;
	$node->sql("ALTER SYSTEM SET billstack.inbox_retention = '$retention'");
	$node->reload;
	my $before = $node->worker_pid;
	kill 'TERM', $before;
	return Billstack::Node->wait_until(sub { my $now = $node->worker_pid; $now && $now ne $before });
}
my $members = q{SELECT string_agg(c.relname, ' ' ORDER BY 1) FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.objid
	WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND c.relname ~ '^event_[0-9d]' AND c.relkind = 'r'};

my $now = int time;
is(join(' ', partitions()), join(' ', sort 'event_default', map { partition_of($now + 7 * $day * $_) } -5 .. 1), 'a partition a week, from five ago to the next');
is($node->sql($members), join(' ', partitions()), 'all are members of the extension');
my $long_ago = $now - 25 * $day;
my @old = $sim->changes(
	{ op => 'create', kind => 'customer', id => 'cus_old', fields => { email => 'a@example.com' }, at => $long_ago },
	{ op => 'update', kind => 'customer', id => 'cus_old', fields => { email => 'b@example.com' }, at => $long_ago + 100 },
	{ op => 'create', kind => 'product', id => 'prod_old', fields => { name => 'old' }, at => $long_ago },
	{ op => 'delete', kind => 'product', id => 'prod_old', at => $long_ago + 100 });
hand_in($node, 'acme', deliveries_of(@old));
drained($node);
settled($node);
my $week = partition_of($long_ago);
is(join(' ', map { place_of($_->{id}) } @old), join(' ', ($week) x 4), 'events of 25 days ago are in their week');
keep_for('8d');
$node->comes_true("SELECT to_regclass('billstack_internal.$week') IS NULL", 'kept for 8 days: their week is dropped');
$node->comes_true(sprintf(q{SELECT string_agg(relname, ' ' ORDER BY relname) = '%s' FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
	WHERE inhparent = 'billstack_internal.event'::regclass}, join ' ', sort 'event_default', map { partition_of($_) }
	grep { $_ - ($_ - 4 * $day) % (7 * $day) + 7 * $day >= $now - 8 * $day } map { $now + 7 * $day * $_ } -5 .. 1), 'as is what ended before, and no other');
is(is_done($later), 1, 'what is younger is in the ledger');
$node->sql(q{CREATE TABLE written (id text);
	CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.written VALUES (NEW.id); RETURN NULL; END $$;
	CREATE TRIGGER note_row AFTER INSERT OR UPDATE ON stripe_team_acme.customers FOR EACH ROW EXECUTE FUNCTION note_row();
	CREATE TRIGGER note_row AFTER INSERT OR UPDATE ON stripe_team_acme.products FOR EACH ROW EXECUTE FUNCTION note_row()});
my $versions = $node->row_versions('stripe_team_acme');
hand_in($node, 'acme', reverse deliveries_of(@old));
drained($node);
settled($node);
my $outcome = outcomes($node);
is(scalar(grep { ($outcome->{ $_->{id} } // '') =~ /^(?:superseded|unchanged)$/ } @old), 4, 'they come once more, unknown to the ledger: nothing is applied')
  or diag explain { map { ($_->{type} => $outcome->{ $_->{id} }) } @old };
is_deeply([ Billstack::Node->changed_rows($versions, $node->row_versions('stripe_team_acme')) ], [], '... no row has changed');
is($node->sql('SELECT count(*) FROM written'), 0, '... no trigger fired');
is(join(' ', map { place_of($_->{id}) } @old), join(' ', ('event_default') x 4), '... and they are in no week');
keep_for('35d');
$node->comes_true("SELECT to_regclass('billstack_internal.$week') IS NOT NULL", 'kept for longer: the week is made again');
Billstack::Node->wait_until(sub { partitions() == 8 });
is(join(' ', map { place_of($_->{id}) } @old), join(' ', ($week) x 4), '... with what belongs to it');
is($node->sql($members), join(' ', partitions()), 'new ones are members too');

# --- dump and restore ------------------------------------------------------------------------------------------------------

my $dead = '{"id": "evt_dead", "object": "event", "type": "a.b", "created": 1735689600, "data": {"object": {"a": 1, "a": 2}}}';
hand_in($node, 'acme', { payload => $dead, signature => signed($dead) });
drained($node);
$_->close for $control, $other, $third;
# Without preloading there is no worker, and events wait.
$node->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
$node->restart;
my @waiting = map { [ new_event() ] } 1 .. 5;
$node->sql($_->[1]) for @waiting;
my $queue = q{SELECT count(*) FILTER (WHERE failed_at IS NULL) || ' ' || count(failed_at) FROM billstack_internal.inbox};
is($node->sql($queue), '5 1', 'five events wait, one is a dead letter');
my $rows = q{SELECT md5(string_agg(to_jsonb(b)::text, ' ' ORDER BY id)) FROM billstack_internal.inbox AS b};
my $expected = $node->sql($rows);
my $file = PostgreSQL::Test::Utils::tempdir . '/dump';
my @at = ('-h', $node->host, '-p', $node->port);
command_ok([ 'pg_dump', @at, '-Fc', '-f', $file, 'postgres' ], 'pg_dump');
my ($listing) = run_command([ 'pg_restore', '-f', '-', $file ]);
unlike($listing, qr/event_(?:\d|default)/, 'no week is in it');
$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'billstack'});
$node->restart;
ok(drained($node) && settled($node), 'preloaded again: what waited is done');
$node->sql('CREATE DATABASE restored TEMPLATE template0');
command_ok([ 'pg_restore', @at, '--exit-on-error', '-d', 'restored', $file ], 'pg_restore');
is($node->sql($queue, 'restored'), '5 1', 'queue and dead letter are there');
is($node->sql($rows, 'restored'), $expected, '... as they were');
is($node->sql('SELECT count(*) FROM billstack_internal.event', 'restored'), 0, 'the ledger is not');
ok(Billstack::Node->wait_until(sub { partitions('restored') == 8 }), '... but its weeks are');
is($node->sql($queue, 'restored'), '5 1', 'nothing is applied before arm()');
my $copied = $node->row_versions('stripe_team_acme', 'restored');
$node->sql("SELECT billstack.arm('acme')", 'restored');
ok($node->poll_query_until('restored', "SELECT count(*) = 5 FROM billstack_internal.event WHERE outcome = 'applied'"), 'armed: the queue is applied');
is($node->sql($queue, 'restored'), '0 1', 'the dead letter stays');
$node->equals_stripe($sim, 'stripe_team_acme', 'the original', kinds => [qw(customer product)]);
$node->equals_stripe($sim, 'stripe_team_acme', 'the copy', kinds => [qw(customer product)], database => 'restored');
my @changed = Billstack::Node->changed_rows($copied, $node->row_versions('stripe_team_acme', 'restored'));
is(scalar(@changed), 5, 'five rows were written');
# A copy of events that the ledger of the original has.
my $session = Billstack::Session->new($node, 'restored');
$session->value($_->[1]) for @first;
ok($node->poll_query_until('restored', 'SELECT count(*) = 1 FROM billstack_internal.inbox'), 'events that the original had done come to the copy');
is($node->sql(q{SELECT string_agg(DISTINCT outcome, ' ') FROM billstack_internal.event WHERE event_id IN (} . join(', ', map { "'$_->[0]'" } @first) . ')', 'restored'),
	'unchanged', '... and change nothing');
$session->close;
my ($dropped, $stdout, $stderr) = $node->psql('restored', 'DROP EXTENSION billstack');
is($dropped, 0, 'DROP EXTENSION') or diag $stderr;
is($node->sql(q{SELECT count(*) FROM pg_class WHERE relname ~ '^event_'}, 'restored'), 0, '... takes the weeks along');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no crash in the log');
done_testing();
