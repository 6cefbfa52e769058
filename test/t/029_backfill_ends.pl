# A backfill ends whatever happens: a check that fails for ever, more missing than is asked for at once, half a kind,
# rows that take too long.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in settled);
use Billstack::Node;
use Billstack::Simulator;
use Test::More;

my $schema = 'stripe_team_acme';
my $secret = 'whsec_' . 'c' x 32;
my $sim = Billstack::Simulator->new(seed => 30, customers => 20, products => 1, prices => 1, subscriptions => 0,
	invoices => 0, charges => 20);
my $node = Billstack::Node->make('ends', $sim);
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.set_webhook_secret('acme', '$secret')");
$node->sql(q{SELECT billstack.upgrade_mirror('acme')});
$node->run_backfill('acme', objects => [ 'customer', 'charge' ]);
my @customers = map { $_->{id} } $sim->objects('customer');

# --- a check that fails for ever --------------------------------------------------------------------------

my $bad = $customers[3];
$sim->remove('customer', $bad);
$sim->faults({ match => { path => "^/v1/customers/$bad\$" }, action => { status => 500 } });
my $run = $node->start_backfill('acme', objects => ['customer']);
for my $attempt (1 .. 6)
{
	$node->comes_true("SELECT coalesce((SELECT attempts >= $attempt FROM billstack_internal.refetch WHERE object_id = '$bad'), false)",
		"attempt $attempt has failed");
	is($node->sql("SELECT count(*) FROM billstack_internal.refetch WHERE run_id = $run"), 1, '... the run waits') if $attempt == 5;
	$node->sql("UPDATE billstack_internal.refetch SET due_at = now()");
	$node->reload;
}
is($node->run_ends($run), 'done', 'six failures: the run waits no longer');
like($node->sql("SELECT error || ' / ' || hint FROM billstack.backfills WHERE run_id = $run"),
	qr{^customer $bad is not listed, and could not be checked: .* / It is read on, see billstack.refetches}, '... and says what is open');
is($node->sql("SELECT count(*) FROM billstack.refetches WHERE object_id = '$bad' AND error IS NOT NULL"), 1, '... which is tried on');
is($node->status('acme')->{syncStatus}, 'pending', '... status is as after any partial run');
my $result = $node->run_backfill('acme', objects => ['charge']);
is($result->{warning}, undef, 'the next run begins, without a warning');
$sim->faults;
$node->sql("UPDATE billstack_internal.refetch SET due_at = now()");
$node->reload;
ok(settled($node), 'Stripe answers');
is($node->sql("SELECT _deleted_at IS NOT NULL FROM $schema.customers WHERE id = '$bad'"), 't', '... and the row is a tombstone');

# A trigger of the user's that raises.
$bad = $customers[4];
$node->sql("CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no tombstones here''; END';
	CREATE TRIGGER refuse BEFORE UPDATE ON $schema.customers FOR EACH ROW WHEN (NEW.id = '$bad') EXECUTE FUNCTION public.refuse()");
$sim->remove('customer', $bad);
$run = $node->start_backfill('acme', objects => ['customer']);
for my $attempt (1 .. 6)
{
	$node->comes_true("SELECT coalesce((SELECT attempts >= $attempt FROM billstack_internal.refetch WHERE object_id = '$bad'), false)",
		"attempt $attempt has failed");
	$node->sql("UPDATE billstack_internal.refetch SET due_at = now()");
	$node->reload;
}
is($node->run_ends($run), 'done', 'a trigger that raises does not keep the run open');
like($node->sql("SELECT error FROM billstack.backfills WHERE run_id = $run"), qr/no tombstones here/, '... it names the trigger\'s error');
$node->sql("DROP TRIGGER refuse ON $schema.customers; UPDATE billstack_internal.refetch SET due_at = now()");
$node->reload;
ok(settled($node), 'without the trigger it is written');

# --- half a kind ------------------------------------------------------------------------------------------

my $narrow = 'rk_test_narrow0000000000000000';
$sim->set_key($narrow, 'charge');
$node->connect_team('narrow', $narrow);
$node->sql(q{SELECT billstack.upgrade_mirror('narrow')});
# A newer piece is there already, read with another key.
$run = $node->sql(q{BEGIN; SELECT billstack.backfill('narrow', objects => ARRAY['all'])->>'runId';
	INSERT INTO billstack_internal.backfill_range (run_id, object, range_no, state, synced, created_gte, finished_at)
	SELECT r.id, o, 0, 'open', 0, NULL, NULL FROM billstack_internal.backfill_run AS r, unnest(r.objects) AS o WHERE r.state = 'queued'
	UNION ALL SELECT r.id, 'charge', 1, 'done', 10, 1700000000, now() FROM billstack_internal.backfill_run AS r WHERE r.state = 'queued'; COMMIT});
is($node->run_ends($run), 'failed', 'a kind that was read by half is no kind that is skipped');
like($node->sql("SELECT error FROM billstack.backfills WHERE run_id = $run"), qr/^charge: this key cannot read charges/, '... the error says which');
is($node->sql("SELECT state FROM billstack_internal.backfill_range WHERE run_id = $run AND object = 'charge' AND range_no = 0"), 'failed', '... nor is it called so');

# --- what hangs on a customer -----------------------------------------------------------------------------

my $gone = $customers[6];
my ($feature) = $sim->make('feature', 1);
my $tax = $sim->create('tax_id', { type => 'eu_vat', value => 'DE123456789', customer => $gone })->{object_id};
my ($method) = $sim->make('payment_method', 1, fields => { customer => $gone });
$sim->create('active_entitlement', { feature => $feature, customer => $gone });
$node->run_backfill('acme', objects => [ 'tax_id', 'payment_method', 'active_entitlement' ]);
is($node->sql("SELECT (SELECT count(*) FROM $schema.tax_ids WHERE customer = '$gone'), (SELECT count(*) FROM $schema.payment_methods WHERE customer = '$gone'),
	(SELECT count(*) FROM $schema.active_entitlements WHERE customer = '$gone')"), '1|1|1', 'a customer with a tax id, a card and an entitlement');
my $deleted = $sim->delete('customer', $gone);
$sim->remove('tax_id', $tax);
$sim->patch('payment_method', $method, { customer => undef });
$sim->remove('active_entitlement', $_->{object}{id}) for grep { $_->{parent} eq $gone } $sim->objects_with_parents('active_entitlement');
hand_in($node, 'acme', $sim->deliveries(secret => $secret, events => [ $deleted->{id} ], at => time));
ok(settled($node), 'is deleted');
is($node->sql("SELECT (SELECT _deleted_at IS NOT NULL FROM $schema.tax_ids WHERE id = '$tax'), (SELECT customer IS NULL AND _deleted_at IS NULL FROM $schema.payment_methods WHERE id = '$method'),
	(SELECT bool_and(_deleted_at IS NOT NULL) FROM $schema.active_entitlements WHERE customer = '$gone')"), 't|t|t', 'they go with it, and the card is detached');

# --- rows that take too long ------------------------------------------------------------------------------

SKIP:
{
	skip 'minutes: BILLSTACK_LONG', 1 if !$ENV{BILLSTACK_LONG};
	$node->connect_team('slow', $sim->key);
	$node->sql(q{CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';
		CREATE TRIGGER slow BEFORE INSERT ON stripe_team_slow.charges FOR EACH ROW EXECUTE FUNCTION public.slow()});
	$run = $node->start_backfill('slow', objects => ['charge']);
	is($node->run_ends($run), 'done', '20 rows of two seconds each: in parts');
	is($node->sql("SELECT changed FROM billstack_internal.backfill_range WHERE run_id = $run"), 20, '... all of them');
	$node->sql(q{CREATE OR REPLACE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
		TRUNCATE stripe_team_slow.charges});
	$run = $node->start_backfill('slow', objects => ['charge']);
	$node->poll_query_until('postgres', "SELECT state = 'failed' FROM billstack_internal.backfill_run WHERE id = $run") for 1 .. 3;
	like($node->sql("SELECT state || ' ' || error_code || ' ' || hint FROM billstack.backfills WHERE run_id = $run"),
		qr/^failed 57014 Let the triggers on the mirror's table do less/, 'a row of a minute: failed, with what to do');
}

# --- more missing than is asked for at once ---------------------------------------------------------------

my $many = 130_000;
$node->sql("INSERT INTO $schema.customers (id, object, created, livemode, _raw, _as_of, _as_of_end, _source, _digest)
	SELECT 'cus_many_' || n, 'customer', '2020-01-01', false, '{}', '2020-01-01', '2020-01-01', 'backfill', '' FROM generate_series(1, $many) AS n");
$sim->faults({ match => { path => '^/v1/customers/cus_many' }, action => { delay_ms => 60000 } });
$run = $node->start_backfill('acme', objects => ['customer']);
$node->comes_true("SELECT bool_and(state = 'done') FROM billstack.sync_progress WHERE run_id = $run", 'the whole kind is gone: its list comes to an end');
cmp_ok($node->sql("SELECT count(DISTINCT xmin::text) FROM billstack_internal.refetch WHERE run_id = $run"), '>=', 5, 'no transaction asks for all');
is($node->sql("SELECT count(*) BETWEEN 100000 AND 120000 FROM billstack_internal.refetch WHERE run_id = $run"), 't', 'nor the run for all');
like($node->sql("SELECT error || ' / ' || hint FROM billstack.backfills WHERE run_id = $run"),
	qr{^Stripe does not list 100000 or more of the mirror's customers.* / Repeat the backfill}, '... and the run says so');

$node->stop;
done_testing();
