# After a backfill every field of every object in the mirror equals Stripe's; a second one over the same
# account writes nothing; later ones change exactly what has changed.
use strict;
use warnings;
use Billstack::MirrorCompare qw(compare_mirror);
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = Billstack::Simulator->new(seed => 31, customers => 300, products => 40, prices => 120,
	subscriptions => 350, invoices => 500, charges => 450);
my $node = Billstack::Node->make('mirror', $sim);
my $schema = 'stripe_team_acme';

sub equals_stripe
{
	my ($name) = @_;
	my $seen = compare_mirror(port => $sim->port, schema => $schema,
		query => sub { split /\n/, $node->sql($_[0]) });
	is_deeply($seen->{differences}, [], "$name: $seen->{objects} objects, $seen->{fields} fields compared");
	return $seen;
}

# Stripe's clock runs ten minutes ahead of ours from the start.
$sim->clock(600);
$node->connect_team('acme', $sim->key);
is($node->status('acme')->{syncStatus}, 'pending', 'connected, nothing copied');

# A part, and a date limit, leave it pending.
$node->run_backfill('acme', objects => ['product']);
is($node->status('acme')->{syncStatus}, 'pending', 'some kinds do not make the mirror ready');
my $middle = $node->sql("SELECT to_timestamp(percentile_disc(0.5) WITHIN GROUP (ORDER BY s))
	FROM unnest(ARRAY[" . join(',', map { $_->{created} } $sim->objects('charge')) . ']) AS s');
$node->run_backfill('acme', objects => ['charge'], created_after => $middle);
my $from = $node->sql("SELECT extract(epoch FROM '$middle'::timestamptz)::bigint");
my $expected = grep { $_->{created} >= $from } $sim->objects('charge');
is($node->sql("SELECT count(*) FROM $schema.charges"), $expected, 'created_after takes its second and later');
is($node->status('acme')->{syncStatus}, 'pending', 'nor does a date limit');

my $before = time;
my $result = $node->run_backfill('acme');
is($result->{syncStatus}, 'ready', 'a whole backfill does');
is($result->{result}{invoice}{synced}, 500, 'counts are those of the account');
my $seen = equals_stripe('after the first backfill');
cmp_ok($seen->{fields}, '>', 100_000, 'all fields of all kinds were compared');

is($node->sql("SELECT count(*) > 0 FROM $schema.products WHERE NOT active"), 't', 'archived products are there');
is($node->sql("SELECT count(*) > 0 FROM $schema.prices WHERE NOT active"), 't', 'archived prices are there');
is($node->sql("SELECT count(*) > 0 FROM $schema.subscriptions WHERE status = 'canceled'"), 't',
	'canceled subscriptions are there');
is($node->sql("SELECT max(n) >= 11 FROM (SELECT count(*) AS n FROM $schema.subscription_items GROUP BY subscription) AS s"),
	't', 'items past the tenth are there');
is($node->sql("SELECT max(n) >= 250 FROM (SELECT count(*) AS n FROM $schema.invoice_line_items GROUP BY invoice) AS s"),
	't', 'invoices of 250 lines are complete');
is($node->sql("SELECT bool_and(_as_of <= _as_of_end AND _as_of >= to_timestamp($before + 595)
	AND _synced_at < clock_timestamp() AND _source = 'backfill' AND _deleted_at IS NULL) FROM $schema.customers"),
	't', 'what rows are as of is on Stripe\'s clock, not on ours');
is($node->sql('SELECT count(*) FROM billstack_internal.backfill_run WHERE complete
	AND newest_event_id LIKE \'evt_%\' AND stripe_started_at > clock_timestamp() + interval \'9 minutes\''), 1,
	'the run keeps the newest event and its start on Stripe\'s clock');

# Unchanged: nothing is written.
my $versions = $node->row_versions($schema);
$node->run_backfill('acme');
is_deeply([ Billstack::Node->changed_rows($versions, $node->row_versions($schema)) ], [],
	'a second backfill rewrites 0 of ' . keys(%$versions) . ' rows');

# Changed: exactly that is written.
my ($customer) = grep { $_->{email} } $sim->objects('customer');
my ($charge) = $sim->objects('charge');
my %items;
push @{ $items{ $_->{subscription} } }, $_->{id} for $sim->objects('subscription_item');
my ($long) = grep { @{ $items{$_} } > 11 } sort keys %items;
my ($short) = grep { @{ $items{$_} } == 2 } sort keys %items;
$sim->patch('customer', $customer->{id}, { email => 'changed@example.com' });
$sim->patch('charge', $charge->{id}, { description => "quote \" and \\ and \x{e9}" });
my $object = $sim->object('subscription', $short);
my ($kept, $removed) = @{ $object->{items}{data} };
# The patch writes the members of the item that stays in another order: other bytes, a new version.
$sim->patch('subscription', $short, { items => { %{ $object->{items} }, data => [$kept], total_count => 1 } });
$node->run_backfill('acme');
is_deeply([ Billstack::Node->changed_rows($versions, $node->row_versions($schema)) ],
	[ sort "customers $customer->{id}", "charges $charge->{id}", "subscriptions $short",
		"subscription_items $kept->{id}", "subscription_items $removed->{id}" ],
	'a third writes exactly what has changed');
is($node->sql("SELECT string_agg(id, ' ') FROM $schema.subscription_items WHERE _deleted_at IS NOT NULL"),
	$removed->{id}, 'the removed item is marked, and no other');
ok($long, 'a subscription with more than eleven items keeps them');
equals_stripe('after the changes');

# A second team on the same account has a mirror of its own.
$node->connect_team('other', $sim->key);
$node->run_backfill('other', objects => ['customer']);
is($node->sql('SELECT count(*) FROM stripe_team_other.customers'), 300, 'another team has its own copy');

$node->stop;
done_testing;
