# What happens to a backfill in the middle: its cursor's object is deleted, it is canceled, disconnected,
# waited for in vain, its worker ends, its key is replaced, a trigger refuses the rows, Stripe is away.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Test::More;

my %account = (acme => 'acct_EdgesAcme0000001', other => 'acct_EdgesOther000001');
my %key = (acme => 'sk_test_edgesacme000first', next => 'sk_test_edgesacme00second', other => 'sk_test_edgesother0000000');
my %sizes = (customer => 320, product => 20, price => 60, subscription => 150, invoice => 350, charge => 320);
my $sim = Billstack::Simulator->new(config => { accounts => [
	{ id => $account{acme}, seed => 51, sizes => \%sizes, keys => [ { key => $key{acme} }, { key => $key{next} } ] },
	{ id => $account{other}, seed => 52, keys => [ { key => $key{other} } ],
		sizes => { map { $_ => 30 } keys %sizes } } ] });
my $node = Billstack::Node->make('edges', $sim, conf => 'max_worker_processes = 16');
my $schema = 'stripe_team_acme';
$node->connect_team($_, $key{$_}) for qw(acme other);
my $superuser = $node->sql('SELECT current_user');
my %removed;

# --- what the tests look at ---------------------------------------------------------------------------

# Objects deleted by a test may be there or not: lists do not tell that they are gone.
sub equals_stripe
{
	my ($name, $team) = @_;
	$team //= 'acme';
	my $seen = compare_mirror(port => $sim->port, account => $account{$team}, schema => "stripe_team_$team",
		query => sub { split /\n/, $node->sql($_[0]) });
	my @differences = grep { !(/^(\S+ \S+): not at Stripe$/ && $removed{$1}) } @{ $seen->{differences} };
	return is_deeply(\@differences, [], "$name: $seen->{objects} objects equal Stripe's");
}

sub asked { my ($account, $since) = @_; return grep { ($_->{account} // '') eq $account } $sim->ledger($since); }
sub hanging { return $sim->stats->{concurrent_requests}; }
sub state_of { return $node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $_[0]"); }
sub other_runs_through { return is($node->run_ends($node->start_backfill('other')), 'done', "$_[0]: another team's run is done"); }
sub wait_for { my ($condition, $name) = @_; return ok(Billstack::Node->wait_until($condition), $name); }
# Every page but the first of each list.
sub later_pages { return { match => { path => '^/v1/', query => 'starting_after' }, action => $_[0] }; }

# The worker has looked at all runs and at all answers once more when a run that was asked for later is through.
sub stays_quiet
{
	my ($name, $run) = @_;
	wait_for(sub { hanging() == 0 }, "$name: its requests are dropped");
	my $since = $sim->last_sequence;
	$node->reload;
	other_runs_through($name);
	is(join(q{, }, map { $_->{target} } asked($account{acme}, $since)), q{}, "$name: no request follows");
	return is(state_of($run), 'canceled', "$name: it stays canceled");
}

# --- triggers on mirror tables, tried five times within 15 s: they run beside what follows -------------

$node->sql(q{
CREATE ROLE shopkeeper;
CREATE TABLE public.audit (seen_user name, seen_super boolean, set_role text);
ALTER TABLE public.audit OWNER TO shopkeeper;
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no products today' USING ERRCODE = 'ZZ001'; END $$;
CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    answer text := 'possible';
BEGIN
    BEGIN
        PERFORM set_config('role', '} . $superuser . q{', true);
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE || ' ' || SQLERRM;
    END;
    INSERT INTO public.audit SELECT current_user, rolsuper, answer FROM pg_roles WHERE rolname = current_user;
    RETURN NULL;
END $$});
my %trigger = (
	refusing => 'CREATE TRIGGER t BEFORE INSERT ON stripe_team_refusing.products FOR EACH ROW EXECUTE FUNCTION public.refuse()',
	deferring => 'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON stripe_team_deferring.products
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.nothing()',
	audited => 'CREATE TRIGGER t AFTER INSERT ON stripe_team_audited.products FOR EACH ROW EXECUTE FUNCTION public.audit()');
my %triggered;
for my $team (sort keys %trigger)
{
	$node->connect_team($team, $key{other});
	$node->sql("$trigger{$team}; SELECT billstack.set_owner('$team', 'shopkeeper')");
	$triggered{$team} = $node->start_backfill($team, objects => ['product']);
}

is($node->run_ends($triggered{audited}), 'done', 'a trigger of the owner\'s runs');
like($node->sql('SELECT DISTINCT seen_user, seen_super, set_role FROM public.audit'),
	qr/^shopkeeper\|f\|42501 cannot set parameter "role" within security-(definer function|restricted operation)$/,
	'... as the mirror\'s owner, who is no superuser and cannot become one');

# --- the object that the cursor names is deleted -----------------------------------------------------

my $run = $node->start_backfill('acme', objects => ['product']);
is($node->run_ends($run), 'done', 'a run beside failing ones');
# Stripe is out of order for every second page, so the cursor stands still while its object goes.
$sim->faults(later_pages({ status => 503 }));
my $since = $sim->last_sequence;
$run = $node->start_backfill('acme', objects => [ 'customer', 'charge' ]);
my %cursor;
wait_for(sub {
	my @refused = grep { $_->{target} =~ /starting_after/ } asked($account{acme}, $since);
	$_->{target} =~ m{^/v1/(customer|charge)s\?.*starting_after=(\w+)} and $cursor{$1} = $2 for @refused;
	return keys %cursor == 2 }, 'both kinds have a cursor');
$node->comes_true("SELECT bool_and(synced >= 100) FROM billstack.sync_progress WHERE run_id = $run", 'their first pages are written');
for my $kind (sort keys %cursor)
{
	$sim->remove($kind, $cursor{$kind});
	$removed{"$kind $cursor{$kind}"} = 1;
}
$sim->faults;
is($node->run_ends($run), 'done', 'the objects of both cursors are deleted: the run ends done');
for my $kind (sort keys %cursor)
{
	ok((grep { $_->{target} =~ m{^/v1/${kind}s\?.*$cursor{$kind}} && $_->{status} =~ /^4/ } asked($account{acme}, $since)),
		"... and Stripe has refused the ${kind}'s cursor");
}
is($node->run_ends($node->start_backfill('acme', objects => [qw(price subscription invoice)])), 'done', 'the other kinds');
equals_stripe('after deleted cursors');

# The same before the cursor's own page is written: it is read again, without the object.
my $holder = Billstack::Session->new($node, 'postgres');
$node->sql("DELETE FROM $schema.customers");
$holder->value("BEGIN; LOCK $schema.customers IN ACCESS EXCLUSIVE MODE");
$sim->faults(later_pages({ status => 503 }));
$since = $sim->last_sequence;
my $lost;
$run = $node->start_backfill('acme', objects => ['customer']);
wait_for(sub { ($lost) = map { /starting_after=(\w+)/ } map { $_->{target} } asked($account{acme}, $since); $lost },
	'a cursor whose page is not written');
$sim->remove('customer', $lost);
$removed{"customer $lost"} = 1;
$sim->faults;
$holder->value('COMMIT');
is($node->run_ends($run), 'done', 'its object is deleted: the run ends done');
equals_stripe('after a deleted cursor of an unwritten page');

# --- cancel -------------------------------------------------------------------------------------------

$sim->faults(later_pages({ hang => \1 }));
$run = $node->start_backfill('acme');
my $error = $node->error_of("SELECT billstack.backfill('acme')");
is($error->{sqlstate}, '55006', 'a second backfill is refused');
like($error->{detail}, qr/runId $run\b/, '... and told which one runs');
wait_for(sub { hanging() >= 3 }, 'pages are on their way');
$node->sql("SELECT billstack.cancel_backfill('acme')");
stays_quiet('canceled in the middle', $run);

$sim->faults({ match => { path => '^/v1/events' }, action => { hang => \1 } });
$run = $node->start_backfill('acme');
wait_for(sub { hanging() > 0 }, 'the opening request hangs');
$node->sql("SELECT billstack.cancel_backfill('acme')");
$sim->faults;
stays_quiet('canceled in the opening', $run);

# The opening's answer arrives while the cancel is not yet committed.
$since = $sim->last_sequence;
$sim->faults({ match => { path => '^/v1/events' }, action => { delay_ms => 300 } });
$run = $node->start_backfill('acme');
$holder->value("BEGIN; SELECT billstack.cancel_backfill('acme')");
wait_for(sub { $holder->value(q{SELECT count(*) FROM pg_stat_activity
	WHERE backend_type = 'billstack sync worker' AND wait_event_type = 'Lock'}) }, 'the worker waits to note the start');
$holder->value('COMMIT');
$sim->faults;
stays_quiet('canceled while it starts', $run);

is($node->run_backfill('acme')->{syncStatus}, 'ready', 'the next backfill runs through');
equals_stripe('after cancels');

# --- waited for in vain, and Stripe away at the opening ----------------------------------------------

$sim->faults({ match => { path => '^/v1/events' }, action => { cut => 'before' } });
my $caller = Billstack::Session->new($node, 'postgres');
$caller->start("CALL billstack.run_backfill('acme')");
$node->comes_true(q{SELECT bool_and(error LIKE 'could not reach Stripe: %' AND state = 'queued') FROM billstack.sync_progress
	WHERE team = 'acme'}, 'Stripe away at the opening: sync_progress says so');
$run = $node->sql('SELECT max(id) FROM billstack_internal.backfill_run');
$node->sql('SELECT pg_cancel_backend(' . $caller->pid . ')');
is($caller->answer->{sqlstate}, '57014', 'the waiting CALL is canceled');
is(state_of($run), 'queued', '... the run is not');
$sim->faults;
is($node->run_ends($run), 'done', 'it ends done once Stripe is there');
is($node->sql("SELECT count(*) FROM billstack.sync_progress WHERE team = 'acme' AND error IS NOT NULL"), 0, 'no error is left behind');

# --- disconnect -----------------------------------------------------------------------------------------

$sim->faults(later_pages({ hang => \1 }));
my $worker = $node->worker_pid;
$run = $node->start_backfill('acme');
wait_for(sub { hanging() >= 3 }, 'pages are on their way');
$node->sql("SELECT billstack.disconnect('acme')");
other_runs_through('disconnected in the middle');
wait_for(sub { hanging() == 0 }, '... its requests are dropped');
is($node->worker_pid, $worker, '... the worker stays');
$sim->faults;

# --- what the triggers led to --------------------------------------------------------------------------

is($node->run_ends($triggered{$_}), 'failed', "the run of team $_ failed") for qw(refusing deferring);
like($node->progress('refusing')->{product}{error}, qr/writing products failed: no products today \(ZZ001\)/,
	'a raising trigger: table and reason are named');
like($node->status('refusing')->{lastError}, qr/writing products failed: no products today/, '... in status too');
like($node->progress('deferring')->{product}{error},
	qr/writing products failed: cannot fire deferred trigger within security-restricted operation/, 'a deferred trigger is refused');
is($node->sql('SELECT count(*) FROM stripe_team_refusing.products') + $node->sql('SELECT count(*) FROM stripe_team_deferring.products'),
	0, '... and no row was written without it');

# --- the worker is terminated -------------------------------------------------------------------------

$node->connect_team('acme', $key{acme});
$sim->faults(later_pages({ delay_ms => 100 }));
$run = $node->start_backfill('acme');
$node->comes_true("SELECT bool_or(synced > 0) FROM billstack.sync_progress WHERE team = 'acme'", 'a run is in the middle');
$node->sql("SELECT pg_terminate_backend($worker)");
is($node->run_ends($run), 'done', 'its worker is terminated: the run goes on and ends done');
isnt($node->worker_pid, $worker, '... in another worker');
equals_stripe('after a terminated worker');

# --- a key is replaced ---------------------------------------------------------------------------------

$node->sql("DELETE FROM $schema.invoices");
$sim->faults(later_pages({ hang => \1 }));
$since = $sim->last_sequence;
$run = $node->start_backfill('acme');
wait_for(sub { hanging() >= 3 }, 'pages are asked for with the first key');
$sim->faults;
$node->sql("SELECT billstack.rotate_keys('acme', '$key{next}')");
wait_for(sub { grep { $_->{target} =~ /starting_after/ && $_->{key} =~ /cond$/ } asked($account{acme}, $since) },
	'pages are asked for with the second key');
$sim->revoke_key($key{acme});
is($node->run_ends($run), 'done', 'the run completes with the second key');
ok($node->status('acme')->{keyValid}, '... and the key counts as valid');
equals_stripe('after a key was replaced');

# --- the keys of another account are stored ----------------------------------------------------------------

$sim->faults(later_pages({ delay_ms => 100 }));
$run = $node->start_backfill('acme');
$node->comes_true("SELECT sum(synced) > 0 FROM billstack_internal.backfill_range WHERE run_id = $run", 'a run is in the middle');
$holder->value("BEGIN; SELECT billstack.rotate_keys('acme', '$key{other}', allow_account_change => true)");
wait_for(sub { $holder->value(q{SELECT count(*) FROM pg_stat_activity
	WHERE backend_type = 'billstack sync worker' AND wait_event_type = 'Lock'}) }, 'the worker waits with its next page');
$holder->value('COMMIT');
$sim->faults;
is($node->run_ends($run), 'canceled', 'another account: the run is canceled');
other_runs_through('another account');
is($node->sql("SELECT (SELECT count(*) FROM $schema.customers) + (SELECT count(*) FROM $schema.invoices) + (SELECT count(*) FROM $schema.charges)
	+ (SELECT count(*) FROM $schema.subscriptions) + (SELECT count(*) FROM $schema.products) + (SELECT count(*) FROM $schema.prices)"),
	0, '... and no page of the old account comes into the emptied mirror');
$node->sql("SELECT billstack.rotate_keys('acme', '$key{next}', allow_account_change => true)");
is($node->run_ends($node->start_backfill('acme')), 'done', '... back again, all is copied');
equals_stripe('after two changes of account');

# --- a mirror of an older layout ----------------------------------------------------------------------

$node->sql("ALTER TABLE $schema.customers DROP COLUMN email, DROP COLUMN phone;
	UPDATE billstack_internal.integration SET mirror_version = 0 WHERE team = 'acme'");
$node->reload;
$node->comes_true("SELECT mirror_version > 0 FROM billstack_internal.integration WHERE team = 'acme'", 'the worker brings up an old mirror');
is($node->sql("SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute
	WHERE attrelid = '$schema.customers'::regclass AND attname IN ('email', 'phone')"), 'email phone', '... its dropped columns are back');
equals_stripe('after the upgrade');

$node->stop;
done_testing();
