# Every kind that can be listed is copied with `objects => ARRAY['all']`: lists that hang on customers,
# children that Stripe leaves out of their parents, objects that do not say whose they are.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $schema = 'stripe_team_acme';
my $sim = Billstack::Simulator->new(seed => 5, customers => 30, products => 5, prices => 10, subscriptions => 10,
	invoices => 20, charges => 20);
my $node = Billstack::Node->make('kinds', $sim);
$node->connect_team('acme', $sim->key);
$node->sql(q{SELECT billstack.upgrade_mirror('acme')});
my %table = map { split /\|/ } split /\n/,
	$node->sql('SELECT kind, table_name FROM billstack_internal.mirror_table');
cmp_ok(scalar keys %table, '>=', 39, 'upgrade_mirror makes the tables of all kinds');

my %made_with = map { $_ => 1 } qw(customer product price subscription subscription_item invoice invoice_line_item charge
	credit_note_line_item checkout_session_line_item transfer_reversal);
$sim->make($_, 12) for grep { !$made_with{$_} } sort keys %table;
# More than the ten that come with their transfer.
$sim->put('transfer', 'tr_reversed', { id => 'tr_reversed', object => 'transfer', created => 1700000000, metadata => {},
	reversals => { object => 'list', has_more => \0, url => '/v1/transfers/tr_reversed/reversals',
		data => [ map { { id => sprintf('trr_%02d', $_), object => 'transfer_reversal', created => 1700000000,
			transfer => 'tr_reversed', amount => $_, metadata => {} } } 1 .. 15 ] } });

my $result = $node->run_backfill('acme', objects => ['all']);
is($result->{syncStatus}, 'ready', 'all kinds are copied');
my $ids = "SELECT string_agg(id, ' ' ORDER BY id COLLATE \"C\") FROM $schema";
for my $kind (sort keys %table)
{
	my @there = sort map { $_->{id} } $sim->objects($kind);
	cmp_ok(scalar @there, '>=', 5, "$table{$kind}: " . @there . ' objects at Stripe');
	is($node->sql("$ids.$table{$kind}"), join(' ', @there), "$table{$kind}: the same in the mirror");
}
is($node->sql("SELECT count(*) FROM $schema.$_->[0] WHERE $_->[1] IS NULL"), 0, "$_->[0].$_->[1] is filled")
	for [qw(active_entitlements customer)], [qw(credit_note_line_items credit_note)],
	[qw(checkout_session_line_items checkout_session)], [qw(tax_ids customer)], [qw(transfer_reversals transfer)];

my $run = $node->run_backfill('acme', objects => ['all'])->{runId};
is($node->sql("SELECT sum(changed) FROM billstack_internal.object_progress WHERE run_id = $run"), 0,
	'a second run changes nothing');

# What leaves a customer's list
my ($tax_id) = $sim->objects('tax_id');
$sim->remove('tax_id', $tax_id->{id});
$node->run_backfill('acme', objects => ['tax_id']);
is($node->sql("SELECT id FROM $schema.tax_ids WHERE _deleted_at IS NOT NULL"), $tax_id->{id},
	'a tax id that is gone is marked, no other');

done_testing();
