# One intent, one Stripe object: products, customers, pages of checkouts, refunds and ends of subscriptions under faults
# at Stripe (cut before and after the effect, errors that are stored, keys in use, locks), callers that roll back, are
# cancelled or terminated, processes that are killed, and a day that passes in between. Each write is repeated until it
# is committed, a customer under another name each time. In the end Stripe has as many objects as
# there are intents that are done, none twice, none that no intent knows of. BILLSTACK_LONG makes 2,000 writes
# instead of 200 (BILLSTACK_WRITES: as many as it says); BILLSTACK_SEED repeats a run's choices.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $writes = $ENV{BILLSTACK_WRITES} // ($ENV{BILLSTACK_LONG} ? 2000 : 200);
my $kills = int($writes / 50);
my $clients = 6;
my $seed = $ENV{BILLSTACK_SEED} // time;
srand $seed;
note "BILLSTACK_SEED=$seed BILLSTACK_WRITES=$writes";
my $day = 25 * 3600;
my $folder = PostgreSQL::Test::Utils::tempdir;

my $sim = Billstack::Simulator->new(seed => 50, latency_ms => 3, map { ($_ => 0) } qw(customers products prices subscriptions invoices charges));
my $node = Billstack::Node->make('intents', $sim, conf => "billstack.reconcile_after = 1s\nwal_writer_delay = 1s\nlog_statement = none");
$node->connect_team('acme', $sim->key);
$node->run_ends($node->start_backfill('acme'));
$node->sql(q{
	SELECT billstack.create_project('acme', 'Shop', id => 'proj_shop');
	SELECT billstack.create_customer('proj_shop', 'ann@example.com');
	SELECT billstack.create_price('proj_shop', billstack.create_product('proj_shop', 'Gold') #>> '{product,id}', 2000, 'usd', 'month');
	CREATE SCHEMA seen;
	CREATE TABLE seen.made (n integer PRIMARY KEY, id text);
	CREATE TABLE seen.unread (n integer)});

my ($ann, $cus, $price) = split /\|/, $node->sql(q{SELECT c.id, c.stripe_customer_id, p.id FROM billstack_internal.project_customer AS c, billstack_internal.project_price AS p});
# What is paid back and what is ended: of each write its own.
my @kinds = qw(product customer checkout_session refund subscription);
sub kind_of { my ($n) = @_; return $kinds[$n % @kinds]; }
for my $n (1 .. $writes)
{
	$sim->make('charge', 1, events => \0, fields => { id => "ch_$n", customer => $cus, amount => 100000, amount_captured => 100000, amount_refunded => 0,
		captured => \1, refunded => \0, paid => \1, currency => 'usd', status => 'succeeded', payment_intent => undef, invoice => undef }) if kind_of($n) eq 'refund';
	$sim->make('subscription', 1, events => \0, fields => { id => "sub_$n", customer => $cus, status => 'active', ended_at => undef, canceled_at => undef,
		metadata => { project_id => 'proj_shop' } }) if kind_of($n) eq 'subscription';
}
$node->run_ends($node->start_backfill('acme', objects => [qw(charge subscription)]));
my %payment = map { /^ch_(\d+)\|(.*)/ } split /\n/, $node->sql(q{SELECT stripe_charge_id, id FROM billstack_internal.project_payment});
my %subscription = map { /^sub_(\d+)\|(.*)/ } split /\n/, $node->sql(q{SELECT stripe_subscription_id, id FROM billstack_internal.project_subscription});
cmp_ok(keys(%payment), '==', scalar(grep { kind_of($_) eq 'refund' } 1 .. $writes), 'there are payments to give back');
cmp_ok(keys(%subscription), '==', scalar(grep { kind_of($_) eq 'subscription' } 1 .. $writes), 'and subscriptions to end');

sub product { my ($n) = @_; return qq{billstack.create_product('proj_shop', 'Product $n')}; }
sub intents { my ($where) = @_; return $node->sql("SELECT count(*) FROM billstack.calls WHERE $where"); }
# What is not known any more gets known, without anybody asking for it again.
sub reconciled { return $node->comes_true(q{SELECT NOT EXISTS (SELECT FROM billstack.calls WHERE state = 'sent')}, $_[0]); }

# Objects at Stripe, by the name of the product: the ids.
sub at_stripe
{
	my %ids;
	push @{ $ids{ $_->{name} } }, $_->{id} for $sim->objects('product');
	return \%ids;
}

# The same of the numbered writes of all kinds, by number.
sub numbered
{
	my %number = (product => sub { $_[0]{name} =~ /^Product (\d+)$/ }, customer => sub { ($_[0]{email} // '') =~ /^n(\d+)@/ },
		checkout_session => sub { $_[0]{success_url} =~ /n=(\d+)$/ }, refund => sub { $_[0]{amount} =~ /^(\d+)$/ },
		subscription => sub { $_[0]{status} eq 'canceled' && $_[0]{id} =~ /^sub_(\d+)$/ });
	my %ids;
	for my $kind (@kinds)
	{
		for my $object ($sim->objects($kind)) { push @{ $ids{$_} }, $object->{id} for $number{$kind}->($object); }
	}
	return \%ids;
}

# --- one after the other ------------------------------------------------------------------------------------

{
	my $here = Billstack::Session->new($node, 'postgres');
	my $create = sub { my ($n) = @_; return "SELECT p->'product'->>'stripeProductId' FROM " . product($n) . ' AS p' };
	$here->value('BEGIN');
	my $first = $here->value($create->('a'));
	is($here->value("SELECT name FROM stripe_team_acme.products WHERE id = '$first'"), 'Product a', 'the transaction reads what it wrote');
	$here->value('ROLLBACK');
	is($here->value("SELECT count(*) FROM stripe_team_acme.products WHERE id = '$first'"), 0, 'a rollback takes that back');
	$sim->patch('product', $first, { description => 'changed since' });
	is($here->value($create->('a')), $first, 'repeated after a rollback: the same object');
	is($here->value("SELECT _raw ->> 'description' FROM stripe_team_acme.products WHERE id = '$first'"), 'changed since',
		'the mirror has it as it is now, not as Stripe repeats it');
	isnt($here->value($create->('a')), $first, 'repeated after a commit: another');

	# Gone since: the key is of no use.
	$here->value('BEGIN');
	my $gone = $here->value($create->('gone'));
	$here->value('ROLLBACK');
	$sim->remove('product', $gone);
	my $anew = $here->value($create->('gone'));
	isnt($anew, $gone, 'what a rolled-back call made and somebody deleted is made anew');

	# A refusal is asked for again under another key: Stripe would repeat it for a day.
	$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, count => 1, action => { status => 400, stored => \1 } });
	is($node->error_of($create->('no'))->{sqlstate}, 'BS400', 'Stripe refuses');
	is(intents(q{state = 'refused' AND http_status = 400}), 1, 'the intent says so');
	ok($here->value($create->('no')), 'the same call succeeds as soon as Stripe lets it');
	is(intents(q{state = 'done' AND sends = 2 AND idempotency_key = (SELECT idempotency_key FROM billstack.calls WHERE object_id = (
		SELECT id FROM stripe_team_acme.products WHERE name = 'Product no'))}), 1, 'it is the same intent');

	# An error that Stripe has stored, with and without effect.
	for my $effect (\0, \1)
	{
		my $name = $$effect ? 'kept' : 'lost';
		$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, count => 1,
			action => { status => 500, stored => \1, effect => $effect } });
		ok($here->value($create->($name)), "a stored error, effect $name: the call finds out");
		is(scalar @{ at_stripe()->{"Product $name"} }, 1, 'one object');
	}

	# The API key is taken away between an effect and its repetition: that says nothing of the write.
	$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, action => { cut => 'before' } });
	is($node->error_of($create->('revoked'))->{sqlstate}, 'BS503', 'no answer comes');
	$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, action => { status => 401 } });
	is($node->error_of($create->('revoked'))->{sqlstate}, 'BS401', 'then the key is rejected');
	$sim->faults;
	$here->value($create->('revoked'));
	is(scalar @{ at_stripe()->{'Product revoked'} }, 1, 'the object is found again, not made again');
	reconciled('no outcome stays unknown');

	# A caller that is cancelled does not stop the write: its answer is recorded (what is looked for has no status).
	$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, count => 1, action => { delay_ms => 700 } });
	$here->start($create->('cancelled'));
	ok(Billstack::Node->wait_until(sub { at_stripe()->{'Product cancelled'} }), 'a write is under way');
	$node->sql('SELECT pg_cancel_backend(' . $here->pid . ')');
	is($here->answer->{sqlstate}, '57014', 'its caller is cancelled at once');
	my $id = at_stripe()->{'Product cancelled'}[0];
	$node->comes_true("SELECT EXISTS (SELECT FROM billstack.calls WHERE object_id = '$id' AND state = 'done' AND http_status = 200)",
		'and it runs to its end all the same');
	is($here->value($create->('cancelled')), $id, 'repeated it gives that object');
}

# --- locks of the caller ------------------------------------------------------------------------------------

for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my $here = Billstack::Session->new($node, 'postgres');
	my $id = (split /\n/, $node->sql(q{SELECT id FROM stripe_team_acme.products ORDER BY id LIMIT 1}))[0];
	$here->value("BEGIN ISOLATION LEVEL $level");
	$here->value('SELECT count(*) FROM stripe_team_acme.products');
	$here->value('LOCK TABLE stripe_team_acme.products, billstack_internal.refetch IN ACCESS EXCLUSIVE MODE') if $level eq 'READ COMMITTED';
	$here->value("UPDATE stripe_team_acme.products SET _synced_at = _synced_at WHERE id = '$id'") if $level ne 'READ COMMITTED';
	my $from = time;
	my $made = $here->value(q{SELECT p->'product'->>'stripeProductId' FROM } . product("in $level") . ' AS p');
	$here->value('COMMIT');
	cmp_ok(time - $from, '<', 5, "$level, with locks on the mirror: caller and worker do not wait for each other");
	is($node->sql("SELECT count(*) FROM stripe_team_acme.products WHERE id = '$made'"), 1, 'and the row is there');
}
{
	my $here = Billstack::Session->new($node, 'postgres');
	$here->value('BEGIN');
	$here->value('LOCK TABLE billstack_internal.intent IN ACCESS EXCLUSIVE MODE');
	$here->start('SELECT ' . product('locked'));
	my $answer = $here->answer;
	is($answer->{sqlstate}, '55000', 'a write that cannot be recorded is not sent');
	is(at_stripe()->{'Product locked'}, undef, 'indeed');
	$here->value('ROLLBACK');
}
{
	my ($one, $two) = map { Billstack::Session->new($node, 'postgres') } 1 .. 2;
	my $create = q{SELECT p->'product'->>'stripeProductId' FROM } . product('both') . ' AS p';
	$one->value('BEGIN');
	my $first = $one->value($create);
	$two->start($create);
	ok(Billstack::Node->wait_until(sub { $node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) }),
		'who does the same at the same time waits');
	$one->value('ROLLBACK');
	is($two->answer->{rows}[0][0], $first, 'and gets the same object when the first one rolls back');
}

# --- a client -----------------------------------------------------------------------------------------------

# The call of one write, where its answer p has the object's id, and the table of the mirror it is to be in.
sub write_of
{
	my ($n) = @_;
	my $kind = kind_of($n);
	return (product($n), q{'product'->>'stripeProductId'}, 'products') if $kind eq 'product';
	return ("billstack.create_customer('proj_shop', 'n$n\@example.com', 'Try " . int(rand 1e6) . "')", q{'customer'->>'stripeCustomerId'}, 'customers') if $kind eq 'customer';
	return ("billstack.create_checkout('proj_shop', '$ann', '$price', 'https://shop.example/?n=$n', 'https://shop.example/')", q{>'sessionId'}, 'checkout_sessions')
	  if $kind eq 'checkout_session';
	my $own_key = $n % 2 ? ", idempotency_key => 'ticket-$n'" : '';
	return ("billstack.create_refund('proj_shop', '$payment{$n}', $n$own_key)", q{'refund'->>'id'}, 'refunds') if $kind eq 'refund';
	return ("billstack.cancel_subscription('proj_shop', '$subscription{$n}')", q{'subscription'->>'stripeSubscriptionId'}, 'subscriptions');
}

# The whole of one write; what the client knows of it is what its transaction has left.
sub transaction
{
	my ($n) = @_;
	my ($call, $id, $there) = write_of($n);
	return qq{BEGIN; INSERT INTO seen.made VALUES ($n); UPDATE seen.made SET id = p->$id FROM $call AS p WHERE n = $n;
		INSERT INTO seen.unread SELECT n FROM seen.made WHERE n = $n AND id NOT IN (SELECT id FROM stripe_team_acme.$there)};
}

# One attempt; true when the session is of no use any more.
sub attempt
{
	my ($session, $control, $n) = @_;
	my $way = rand;
	$session->start($way < 0.15 ? transaction($n) . '; ROLLBACK' : transaction($n) . '; COMMIT');
	if ($way > 0.8)
	{
		sleep rand 0.012;
		my $function = $way > 0.95 ? 'pg_terminate_backend' : 'pg_cancel_backend';
		$control->start("SELECT $function(" . $session->pid . ')');
		return 1 if $control->answer(120)->{closed};
	}
	my $answer = $session->answer(300);
	return 1 if $answer->{closed};
	if ($answer->{sqlstate})
	{
		# 57014 is ours, 55000 of a worker that has just gone, 23505 of a session that was lost after its commit.
		append_to_file("$folder/errors", "$answer->{sqlstate} $answer->{message} " . ($answer->{detail} // q{}) . "\n") if $answer->{sqlstate} !~ /^(?:57|BS503|BS429|55000|23505)/;
		$session->start('ROLLBACK');
		return 1 if $session->answer(300)->{closed};
	}
	return 0;
}

sub run_client
{
	my ($number, $last_try, @numbers) = @_;
	srand($seed + $number + 100 * $last_try);
	my ($session, $control);
	while (@numbers)
	{
		$session //= eval { Billstack::Session->new($node, 'postgres') };
		$control //= eval { Billstack::Session->new($node, 'postgres') };
		if (!$session || !$control) { sleep 0.05; next; }
		my $n = $numbers[0];
		my $bad = attempt($session, $control, $n);
		if (!$bad)
		{
			$session->start("SELECT count(*) FROM seen.made WHERE n = $n");
			my $answer = $session->answer(300);
			if ($answer->{closed}) { $bad = 1; }
			# Some are given up for today.
			elsif ($answer->{rows}[0][0] || (!$last_try && $n % 4 == 0)) { shift @numbers; }
		}
		if ($bad) { $_ && $_->vanish for $session, $control; ($session, $control) = (); }
	}
	return;
}

# Processes that are killed while the clients run: worker and sessions in turn.
sub kill_some
{
	my ($count, $running) = @_;
	my $killed = 0;
	while ($killed < $count && $running->())
	{
		sleep 0.3 + rand 0.7;
		my ($code, $out) = $node->psql('postgres', $killed % 2
			? q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE 'BEGIN; INSERT%' ORDER BY random() LIMIT 1}
			: q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'billstack sync worker'});
		next if !defined $code || $code != 0 || !$out;
		$killed++ if kill 'KILL', $out;
		$node->wait_until(sub { !-e "/proc/$out" });
	}
	return $killed;
}

sub run_clients
{
	my ($last_try, $kills, @numbers) = @_;
	my @children;
	for my $number (1 .. $clients)
	{
		my $pid = fork // die $!;
		if (!$pid)
		{
			my $fine = eval { run_client($number, $last_try, grep { $_ % $clients == $number - 1 } @numbers); 1 };
			append_to_file("$folder/errors", "client died: $@\n") if !$fine;
			POSIX::_exit(0);
		}
		push @children, $pid;
	}
	my %left = map { ($_ => 1) } @children;
	my $killed = kill_some($kills, sub { delete $left{$_} for grep { waitpid($_, POSIX::WNOHANG()) == $_ } keys %left; return %left; });
	waitpid $_, 0 for keys %left;
	return $killed;
}

# --- many, under faults ----------------------------------------------------------------------------------------

$SIG{PIPE} = 'IGNORE';
my @matches = ({ method => 'POST', path => '^/v1/(?:products|customers|refunds|checkout/sessions)$' }, { method => 'DELETE', path => '^/v1/subscriptions/' });
my @faults = map { my ($share, $action) = @$_; map { { match => $_, probability => $share, action => $action } } @matches } (
	[ 0.06, { cut => 'request' } ], [ 0.06, { cut => 'before' } ], [ 0.03, { status => 500, stored => \1, effect => \1 } ],
	[ 0.03, { status => 500, stored => \1 } ], [ 0.04, { status => 409 } ],
	[ 0.04, { status => 429, code => 'lock_timeout', no_request_id => \1 } ], [ 0.03, { random => \1 } ]);
my $from = time;
$sim->faults(@faults);
my $killed = run_clients(0, int($kills / 2), 1 .. $writes / 2);
$sim->faults({ match => { path => '^/v1/' }, action => { status => 503 } });
my $yesterday = $node->sql('SELECT count(*) FROM seen.made');
my $open = intents(q{state <> 'done'});

# A day and an hour pass: all that is there is so much older, and Stripe has forgotten the keys.
$sim->forget_keys;
for my $kind (grep { $_ ne 'subscription' } @kinds)
{
	$sim->patch($kind, $_->{id}, { created => $_->{created} - $day }) for $sim->objects($kind);
}
$node->sql("UPDATE billstack_internal.intent SET created_at = created_at - interval '$day s', sent_at = sent_at - interval '$day s',
	last_sent_at = last_sent_at - interval '$day s'");
$sim->faults(@faults);
my @left = grep { length } split /\n/, $node->sql("SELECT n FROM generate_series(1, $writes) AS n WHERE n NOT IN (SELECT n FROM seen.made)");
cmp_ok(scalar @left, '>', $writes / 2, ($writes / 2 - $yesterday) . " writes of the first $yesterday stand over to the next day, $open with an open end");
$killed += run_clients(1, $kills - int($kills / 2), @left);
note sprintf '%d writes, %d processes killed, %.0f s', $writes, $killed, time - $from;
cmp_ok($killed, '>', 0, "$killed processes were killed");
$sim->faults;

Billstack::Node->wait_until(sub { eval { $node->worker_pid } });
ok(!-e "$folder/errors", 'no client saw another error than was to be seen') or diag slurp_file("$folder/errors");
is($node->sql('SELECT count(*) FROM seen.made'), $writes, "all $writes writes are committed");
is($node->sql(q{SELECT coalesce(string_agg(n::text, ' ' ORDER BY n), '') FROM seen.unread}), '', 'each was in the mirror before its call returned');
reconciled('no outcome stays unknown');
# Another read of the same second may leave open which one is newer; then it is read once more.
$node->comes_true(q{SELECT NOT EXISTS (SELECT FROM seen.made AS m JOIN stripe_team_acme.subscriptions AS s ON s.id = m.id WHERE s.status <> 'canceled')}, 'what was ended is so in the mirror');
my $there = numbered();
is(scalar(keys %$there), $writes, "seed $seed: one object a write");
my @doubled = grep { @{ $there->{$_} } > 1 } sort keys %$there;
is(scalar @doubled, 0, '0 duplicates') or diag join ', ', map { kind_of($_) . " $_" } @doubled;
is($node->sql('SELECT count(*) FROM seen.made'), scalar(grep { my ($n, $id) = split /\|/; $there->{$n}[0] eq $id } split /\n/, $node->sql('SELECT n, id FROM seen.made')),
	'and each caller knows its own');
my %known = map { ($_ => 1) } split /\n/, $node->sql(q{SELECT object_id FROM billstack.calls WHERE state = 'done'});
my @orphans = grep { !$known{$_} } map { @$_ } values %$there;
is(scalar @orphans, 0, '0 orphans: an intent knows each object') or diag "@orphans";
is($node->sql(q{SELECT count(*) FROM billstack.calls WHERE state = 'done' AND object_id IN (SELECT id FROM seen.made)}), $writes,
	'objects at Stripe, intents that are done and what the callers were told are the same');
is(intents(q{state NOT IN ('done', 'refused')}), 0, 'and no intent has another end');

# --- what is over goes -----------------------------------------------------------------------------------------

$node->sql(q{
	UPDATE billstack_internal.intent SET created_at = created_at - interval '31 days' WHERE id % 2 = 0;
	UPDATE billstack_internal.intent_count SET used_at = used_at - interval '32 days' WHERE get_byte(digest, 0) < 128});
$node->restart;
$node->comes_true(q{SELECT NOT EXISTS (SELECT FROM billstack_internal.intent WHERE created_at < now() - interval '30 days' AND NOT caller_named)
	AND NOT EXISTS (SELECT FROM billstack_internal.intent_count WHERE used_at < now() - interval '31 days')}, 'records are kept for thirty days');
cmp_ok($node->sql('SELECT count(*) FROM billstack_internal.intent'), '>', $writes / 3, 'and no less');

$node->stop;
done_testing();
