# Objects deleted at Stripe while nobody listened: a re-run notices what is no longer listed, asks for each by
# id, and makes tombstones of those that Stripe says are gone, of no others. What is listed costs no request.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Simulator;
use Test::More;

my $schema = 'stripe_team_acme';
my $sim = Billstack::Simulator->new(seed => 71, customers => 330, products => 30, prices => 40, subscriptions => 60,
	invoices => 240, charges => 130);
my $newest = 1_750_000_000;
# 250 charges of one second: it begins and ends within pages.
$sim->put('charge', sprintf('ch_same_%03d', $_), { id => sprintf('ch_same_%03d', $_), object => 'charge',
	created => $newest, amount => $_, metadata => {} }) for 1 .. 250;
# Kinds that are listed in one go: with a time, and without one.
$sim->make('quote', 5);
$sim->make('payment_link', 5);
$sim->make('feature', 130);
my @kinds = qw(customer product price subscription invoice charge quote payment_link feature);
my $node = Billstack::Node->make('vanished', $sim);
$node->connect_team('acme', $sim->key);

# Requests for one object since then: {"kind id" => count}; and those for lists.
sub asked
{
	my ($since) = @_;
	my %asked;
	for my $entry ($sim->ledger($since))
	{
		$asked{"$1 $2"}++
		  if $entry->{target} =~ m{^/v1/(?:entitlements/)?(\w+?)s/((?:cus|prod|price|sub|in|ch|qt|plink|feat)_\w+)$};
	}
	return \%asked;
}
sub tombstones
{
	my $query = join ' UNION ALL ', map { "SELECT '$_ ' || id AS o FROM $schema.${_}s WHERE _deleted_at IS NOT NULL" } @kinds;
	return $node->sql("SELECT coalesce(string_agg(o, ', ' ORDER BY o COLLATE \"C\"), '') FROM ($query) AS t");
}
sub names { return join ', ', sort @_; }
sub equals_stripe { return $node->equals_stripe($sim, $schema, $_[0], kinds => [ @kinds, 'subscription_item', 'invoice_line_item' ]); }

# --- what costs nothing ------------------------------------------------------------------------------

my $since = $sim->last_sequence;
$node->run_backfill('acme', objects => \@kinds);
is_deeply(asked($since), {}, 'a first copy asks for no object');
equals_stripe('first copy');
my $requests = $sim->last_sequence - $since;
my $before = $node->row_versions($schema);
$since = $sim->last_sequence;
$node->run_backfill('acme', objects => \@kinds);
is_deeply(asked($since), {}, 'nor does a re-run of an unchanged account');
is($sim->last_sequence - $since, $requests, "it makes as many requests: $requests");
is(join(' ', $node->changed_rows($before, $node->row_versions($schema))), '', 'and writes no row');
is($node->sql('SELECT count(*) FROM billstack_internal.refetch'), 0, 'nothing waits to be read once more');

# --- deleted while nobody listened -------------------------------------------------------------------

my @removed;
sub remove { my ($kind, $id) = @_; $sim->remove($kind, $id); push @removed, "$kind $id"; return; }
my @customers = map { $_->{id} } $sim->objects('customer');
remove('customer', $customers[$_]) for 0, 50, 99, 100, 199, 200, 201, $#customers;
my @charges = map { $_->{id} } $sim->objects('charge');
remove('charge', $charges[$_]) for 0, 99, 100, 150, 199, 200, 249, 250, 251, $#charges;
my ($parent) = grep { !$_->{items}{has_more} && @{ $_->{items}{data} } } $sim->objects('subscription');
remove('subscription', $parent->{id});
my @invoices = map { $_->{id} } $sim->objects('invoice');
remove('invoice', $_) for @invoices[ 10, 110 .. 115, $#invoices ];
remove($_, ($sim->objects($_))[2]{id}) for qw(product quote payment_link feature);

# Stripe does not answer for single objects: nothing is taken for gone because a list is silent about it.
$sim->faults({ match => { path => '^/v1/(entitlements/)?[a-z_]+/[a-z]+_\w+$' }, action => { status => 503 } });
$since = $sim->last_sequence;
my $run = $node->start_backfill('acme', objects => \@kinds);
$node->comes_true("SELECT count(*) = " . @removed . " FROM billstack_internal.refetch WHERE run_id = $run AND error IS NOT NULL",
	'all that is missing is asked for');
is($node->sql("SELECT state, percent < 100, to_check, open_kinds FROM billstack.backfills WHERE run_id = $run"),
	'running|t|' . @removed . '|{}', 'every kind is through, the run waits and says for how many answers');
is($node->status('acme')->{syncStatus}, 'syncing', '... the mirror is not ready');
is(tombstones(), '', '... and has no tombstone');
$sim->faults;
$node->sql("UPDATE billstack_internal.refetch SET due_at = now() WHERE run_id = $run");
$node->reload;
is($node->run_ends($run), 'done', 'Stripe answers again: the run ends');
is(tombstones(), names(@removed), scalar(@removed) . ' objects are tombstones');
is(names(keys %{ asked($since) }), names(@removed), 'each was asked for, nothing else');
equals_stripe('after deletions');
is($node->sql("SELECT bool_and(_deleted_at IS NOT NULL), count(*) > 0 FROM $schema.subscription_items
	WHERE subscription = '$parent->{id}'"), 't|t', 'the items of a subscription go with it');
$since = $sim->last_sequence;
$node->run_backfill('acme', objects => \@kinds);
is_deeply(asked($since), {}, 'once is enough');

# --- there after all ---------------------------------------------------------------------------------

my $back = $sim->object('customer', $customers[5]);
$sim->remove('customer', $back->{id});
$sim->faults({ match => { path => "^/v1/customers/$back->{id}\$" }, action => { status => 503 } });
$run = $node->start_backfill('acme', objects => ['customer']);
$node->comes_true("SELECT count(*) = 1 FROM billstack_internal.refetch WHERE run_id = $run", 'one is missing');
$back->{name} = 'Back Again';
$sim->put('customer', $back->{id}, $back);
$sim->faults;
$node->sql("UPDATE billstack_internal.refetch SET due_at = now() WHERE run_id = $run");
$node->reload;
is($node->run_ends($run), 'done', 'it is back before it is read: the run ends');
is($node->sql("SELECT name, _deleted_at FROM $schema.customers WHERE id = '$back->{id}'"), 'Back Again|',
	'no tombstone, and the state that was read');
$sim->remove('customer', $back->{id});
$node->run_backfill('acme', objects => ['customer']);
push @removed, "customer $back->{id}";
equals_stripe('gone once more');

# What lists hide and a read finds is asked for twice.
my $hidden = $customers[7];
$sim->hide('customer', $hidden);
$since = $sim->last_sequence;
$node->run_backfill('acme', objects => ['customer']);
is_deeply(asked($since), { "customer $hidden" => 1 }, 'an object that lists hide is asked for');
$node->run_backfill('acme', objects => ['customer']);
$since = $sim->last_sequence;
$node->run_backfill('acme', objects => ['customer']);
is_deeply(asked($since), {}, '... not in every run');
is($node->sql("SELECT _deleted_at IS NULL FROM $schema.customers WHERE id = '$hidden'"), 't', '... and stays');
$sim->hide('customer', $hidden, 0);
$node->run_backfill('acme', objects => ['customer']);
remove('customer', $hidden);
$node->run_backfill('acme', objects => ['customer']);
equals_stripe('listed again, and then deleted');
my ($price) = $sim->objects('price');
$sim->remove('price', $price->{id});
$since = $sim->last_sequence;
$node->run_backfill('acme', objects => ['price']);
is_deeply(asked($since), {}, 'prices are not asked for: Stripe does not list inline ones');
$sim->put('price', $price->{id}, $price);

# --- a part of the time --------------------------------------------------------------------------------

my @left = $sim->objects('invoice');
my ($young, $old) = @left[ 20, 150 ];
my $limit = $left[80]{created};
remove('invoice', $_->{id}) for $young, $old;
$since = $sim->last_sequence;
$node->run_backfill('acme', objects => ['invoice'], created_after => "epoch'::timestamptz + interval '$limit s");
is_deeply(asked($since), { "invoice $young->{id}" => 1 }, 'created_after: only what is younger is missed');
$node->run_backfill('acme', objects => ['invoice']);
equals_stripe('the whole time');

# --- an interrupted run ----------------------------------------------------------------------------------

@customers = map { $_->{id} } $sim->objects('customer');
remove('customer', $customers[$_]) for 30, 98 .. 102, 150, 199 .. 202, 250;
$sim->faults({ match => { path => '^/v1/customers$', query => 'starting_after' }, action => { delay_ms => 400 } });
for my $page (1, 2)
{
	$run = $node->start_backfill('acme', objects => ['customer']) if $page == 1;
	$node->comes_true("SELECT synced >= 100 * $page FROM billstack.sync_progress WHERE run_id = $run", "page $page is written");
	my $worker = $node->worker_pid;
	$node->sql("SELECT pg_terminate_backend($worker)");
	$node->wait_until(sub { ($node->worker_pid || $worker) ne $worker });
}
$sim->faults;
is($node->run_ends($run), 'done', 'the worker ends twice: the run goes on');
equals_stripe('an interrupted run misses nothing');

# --- deleted while the run goes on -------------------------------------------------------------------------

# On a first copy too: the object of the cursor, whose page is written, and one that no page has shown.
$node->connect_team('young', $sim->key);
$sim->faults({ match => { path => '^/v1/customers$', query => 'starting_after' }, action => { status => 503 } });
$run = $node->start_backfill('young', objects => ['customer']);
$node->comes_true("SELECT bool_and(synced >= 100) FROM billstack.sync_progress WHERE run_id = $run", 'a first copy has a page');
my $cursor = $node->sql("SELECT cursor FROM billstack_internal.backfill_range WHERE run_id = $run");
@customers = map { $_->{id} } $sim->objects('customer');
$sim->remove('customer', $_) for $cursor, $customers[150];
$sim->faults;
is($node->run_ends($run), 'done', 'the object of its cursor is deleted: it ends');
is($node->sql('SELECT string_agg(id, \' \') FROM stripe_team_young.customers WHERE _deleted_at IS NOT NULL'), $cursor,
	'that object is a tombstone');
$node->equals_stripe($sim, 'stripe_team_young', 'deleted during a first copy', kinds => ['customer']);
$sim->faults({ match => { path => '^/v1/customers$', query => 'starting_after' }, action => { status => 503 } });
$run = $node->start_backfill('young', objects => ['customer']);
$node->comes_true("SELECT bool_and(synced >= 100) FROM billstack.sync_progress WHERE run_id = $run", 'a re-run has a page');
@customers = map { $_->{id} } $sim->objects('customer');
$sim->remove('customer', $_) for @customers[ 99, 100, 200, $#customers ];
$sim->faults;
is($node->run_ends($run), 'done', 'deleted during a re-run: it ends');
$node->equals_stripe($sim, 'stripe_team_young', 'deleted during a re-run', kinds => ['customer']);

$node->stop;
done_testing();
