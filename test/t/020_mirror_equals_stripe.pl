# After a backfill every field of every object equals the simulator's; a second run writes nothing; later
# runs write what has changed and nothing else; what is copied is as of Stripe's clock.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $schema = 'stripe_team_acme';
my $sim = Billstack::Simulator->new(seed => 2, customers => 300, products => 120, prices => 300,
	subscriptions => 300, invoices => 600, charges => 400);
# What no generated account has: more than int4 and than a double holds, U+0000, and 25 items at once.
$sim->put('customer', 'cus_oddities', '{"id": "cus_oddities", "object": "customer", "created": 1700000000,'
	  . ' "balance": 9007199254740993, "name": "a\u0000b \u00e9 \"q\" \\\\", "metadata": {"x": "\u0000", "": "e"}}');
my ($price) = $sim->objects('price');
my %big = (id => 'sub_25_items', object => 'subscription', created => 1700000000, status => 'active', metadata => {},
	customer => 'cus_oddities', items => { object => 'list', has_more => \0, data => [ map { {
		id => sprintf('si_25_%02d', $_), object => 'subscription_item', created => 1700000000,
		subscription => 'sub_25_items', price => $price, quantity => $_, metadata => {} } } 1 .. 25 ] });
$sim->put('subscription', $big{id}, \%big);

my $node = Billstack::Node->make('mirror', $sim);
sub versions { return $node->row_versions($_[0] // $schema); }
sub counts { return join ' ', map { "$_[0]{$_}{synced}" } sort keys %{ $_[0] }; }

# The first run
is($node->connect_team('acme', $sim->key)->{syncStatus}, 'pending', 'connected, nothing copied');
my $result = $node->run_backfill('acme');
is($result->{syncStatus}, 'ready', 'after the first run: ready');
is(counts($result->{result}), '400 301 600 300 120 301', 'each kind is counted');
my $progress = $node->progress('acme');
is(join(' ', map { $_->{state} } values %$progress), 'done done done done done done', 'progress: done');
is(counts($progress), counts($result->{result}), 'progress: the same counts');
is($node->status('acme')->{syncStatus}, 'ready', 'status: ready');
$node->equals_stripe($sim, $schema, 'first run');

my %children;
$children{ $_->{subscription} }++ for $sim->objects('subscription_item');
$children{ $_->{invoice} }++ for $sim->objects('invoice_line_item');
my @past_ten = grep { $_ > 10 } values %children;
cmp_ok(scalar(@past_ten), '>=', 8, 'some parents have more than ten children: ' . join ' ', sort { $a <=> $b } @past_ten);
is($node->sql("SELECT max(n) FROM (SELECT count(*) AS n FROM $schema.invoice_line_items GROUP BY invoice) AS c"),
	250, 'the mirror has an invoice of 250 lines');
is($node->sql(qq{SELECT count(*) FILTER (WHERE status = 'canceled') > 20,
	(SELECT bool_or(NOT active) FROM $schema.products), (SELECT bool_or(NOT active) FROM $schema.prices)
	FROM $schema.subscriptions}), 't|t|t', 'canceled subscriptions, archived products and prices are there');
is($node->sql(qq{SELECT bool_or(_raw::jsonb ? 'current_period_end'), bool_or(NOT _raw::jsonb ? 'current_period_end'),
	bool_and(current_period_end IS NOT NULL) FROM $schema.subscriptions WHERE id <> 'sub_25_items'}), 't|t|t',
	'old and new API shapes; the period is read from both');

# The second run
my $first = versions();
my $rows = keys %$first;
$result = $node->run_backfill('acme');
is(counts($result->{result}), '400 301 600 300 120 301', 'second run: everything was read');
my $second = versions();
is(join(' ', $node->changed_rows($first, $second)), '', "second run: 0 of $rows rows rewritten (xmin)");
is(scalar(keys %$second), $rows, 'second run: no row more or less');
is($node->sql("SELECT sum(changed) FROM billstack_internal.object_progress WHERE run_id = $result->{runId}"), 0,
	'second run: 0 changes counted');

# Changes at Stripe
my ($customer) = grep { $_->{id} ne 'cus_oddities' } $sim->objects('customer');
my ($charge) = $sim->objects('charge');
my ($product) = grep { $_->{active} } $sim->objects('product');
$sim->patch('customer', $customer->{id}, { name => 'Somebody Else', metadata => { changed => 'yes' } });
$sim->patch('charge', $charge->{id}, { refunded => \1, amount_refunded => $charge->{amount} });
$sim->patch('product', $product->{id}, { active => \0 });
$node->run_backfill('acme');
my $third = versions();
is(join(' ', $node->changed_rows($second, $third)),
	join(' ', sort "charges $charge->{id}", "customers $customer->{id}", "products $product->{id}"),
	'three objects changed: exactly their rows are rewritten');
$node->equals_stripe($sim, $schema, 'after the change', kinds => [ 'charge', 'customer', 'product' ]);

# Only the parent of children changed
$big{metadata} = { note => 'children are as before' };
$sim->put('subscription', $big{id}, \%big);
$node->run_backfill('acme', objects => ['subscription']);
my $fourth = versions();
is(join(' ', $node->changed_rows($third, $fourth)), 'subscriptions sub_25_items', 'a parent changed: not its children');

# One of 25 items removed
my ($gone) = splice @{ $big{items}{data} }, 11, 1;
$sim->put('subscription', $big{id}, \%big);
$node->run_backfill('acme', objects => ['subscription']);
my $fifth = versions();
is(join(', ', $node->changed_rows($fourth, $fifth)), "subscription_items $gone->{id}, subscriptions sub_25_items",
	'an item removed: only it and its parent are rewritten');
is($node->sql("SELECT string_agg(id, ' ') FROM $schema.subscription_items WHERE _deleted_at IS NOT NULL"), $gone->{id},
	'it is marked deleted, the other 24 are not');
$node->equals_stripe($sim, $schema, 'after the removal', kinds => [ 'subscription', 'subscription_item' ]);

# Of a list that went past ten: the rest goes, the ten stay
my ($long) = grep { $_->{items}{has_more} } $sim->objects('subscription');
my $had = $children{ $long->{id} };
$sim->patch('subscription', $long->{id}, { items => { has_more => \0 } });
$node->run_backfill('acme', objects => ['subscription']);
is($node->sql(qq{SELECT count(*) FILTER (WHERE _deleted_at IS NULL), count(*) FILTER (WHERE _deleted_at IS NOT NULL)
	FROM $schema.subscription_items WHERE subscription = '$long->{id}'}), '10|' . ($had - 10),
	"of $had items all but ten removed: those are marked deleted");
# ... and come back
$sim->patch('subscription', $long->{id}, { items => { has_more => \1 } });
$node->run_backfill('acme', objects => ['subscription']);
is($node->sql(qq{SELECT count(*) FILTER (WHERE _deleted_at IS NULL), count(*)
	FROM $schema.subscription_items WHERE subscription = '$long->{id}'}), "$had|$had", 'found again: no longer deleted');
$node->equals_stripe($sim, $schema, 'after their return', kinds => [ 'subscription', 'subscription_item' ]);

# Parts of an account
my @created = sort { $a <=> $b } map { $_->{created} } $sim->objects('invoice');
my $since = $created[ $#created / 2 ];
$node->connect_team('part', $sim->key);
$result = $node->run_backfill('part', created_after => "epoch'::timestamptz + interval '$since s");
is($result->{syncStatus}, 'pending', 'created_after leaves pending');
is($result->{result}{invoice}{synced}, scalar(grep { $_ >= $since } @created), 'created_after: its second counts');
is($node->sql('SELECT count(*) FROM stripe_team_part.invoices WHERE extract(epoch FROM created) < ' . $since), 0,
	'created_after: nothing older');
$node->connect_team('kinds', $sim->key);
$result = $node->run_backfill('kinds', objects => [ 'price', 'product' ]);
is(join(' ', sort keys %{ $result->{result} }), 'price product', 'objects: these kinds');
is($result->{syncStatus}, 'pending', 'objects leaves pending');
is($node->sql('SELECT (SELECT count(*) FROM stripe_team_kinds.prices), (SELECT count(*) FROM stripe_team_kinds.customers)'),
	'300|0', 'objects: no others');
$node->equals_stripe($sim, 'stripe_team_kinds', 'objects', kinds => [ 'price', 'product' ]);

# Stripe's clock, ten minutes ahead of the database's and ten minutes behind
for my $offset (600, -600)
{
	my $team = $offset > 0 ? 'ahead' : 'behind';
	$sim->clock($offset);
	$node->connect_team($team, $sim->key);
	my $from = time;
	$node->run_backfill($team, objects => [ 'customer', 'subscription' ]);
	my $to = time;
	my $query = join ' UNION ALL ', map { "SELECT _as_of, _as_of_end FROM stripe_team_$team.$_" }
	  'customers', 'subscriptions', 'subscription_items';
	is($node->sql("SELECT bool_and(_as_of <= _as_of_end),
		bool_and(extract(epoch FROM _as_of) BETWEEN $from + $offset - 2 AND $to + $offset + 2),
		bool_and(extract(epoch FROM _as_of_end) BETWEEN $from + $offset - 2 AND $to + $offset + 2) FROM ($query) AS r"),
		't|t|t', "Stripe's clock $team: rows are as of Stripe's time");
	is($node->sql("SELECT extract(epoch FROM stripe_started_at) BETWEEN $from + $offset - 2 AND $to + $offset + 2
		AND newest_event_id LIKE 'evt_%' FROM billstack_internal.backfill_run ORDER BY id DESC LIMIT 1"), 't',
		"Stripe's clock $team: so is the run's start, kept with the newest event");
	$node->equals_stripe($sim, "stripe_team_$team", $team, kinds => [ 'customer', 'subscription', 'subscription_item' ]);
	$sim->patch('customer', $customer->{id}, { name => "Clock $team" });
	$node->run_backfill($team, objects => ['customer']);
	is($node->sql("SELECT name FROM stripe_team_$team.customers WHERE id = '$customer->{id}'"), "Clock $team",
		"Stripe's clock $team: a change is taken over");
}

unlike(slurp_file($node->logfile), qr/ERROR|PANIC|terminated by signal|leak/, 'no error in the log');
$node->stop;
done_testing();
