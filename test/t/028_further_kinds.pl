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
is_deeply($result->{skipped}, {}, '... none is skipped');
$node->equals_stripe($sim, $schema, 'all kinds', kinds => [ sort keys %table ]);
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

# --- a key that may not read everything ----------------------------------------------------------------

my $narrow = 'rk_test_narrow0000000000000000';
my @denied = qw(invoice charge payout tax_id);
$sim->set_key($narrow, @denied);
$node->connect_team('narrow', $narrow);
$result = $node->run_backfill('narrow', objects => ['all']);
is($result->{message}, 'Backfill finished', 'all that a restricted key may read: the run ends well');
is(join(' ', sort keys %{ $result->{skipped} }), join(' ', sort @denied), 'the answer names the kinds that were skipped');
is(join(' ', grep { exists $result->{result}{$_} } @denied), '', '... beside those that were read');
like($result->{skipped}{payout}, qr/^this key cannot read payouts: The provided key .*'rak_payout_read' permission.* \(request req_\w+\)\. Allow the key to read it/,
	'... with what is missing, the request and what to do');
unlike($result->{skipped}{payout}, qr/$narrow/, '... without the key');
is($result->{syncStatus}, 'pending', 'without all default kinds the mirror is not ready');
my $progress = $node->progress('narrow');
is(join(' ', sort grep { $progress->{$_}{state} eq 'skipped' } keys %$progress), join(' ', sort @denied),
	'sync_progress: they are skipped');
is(join(' ', grep { !/^(done|skipped)$/ } map { $_->{state} } values %$progress), '', '... the others done');
is($progress->{charge}{error}, $result->{skipped}{charge}, '... and why');
is($node->sql("SELECT state, percent, error IS NULL, skipped FROM billstack.backfills WHERE run_id = $result->{runId}"),
	'done|100|t|{charge,invoice,payout,tax_id}', 'backfills: the run is done and names them');
like($node->sql(q{SELECT string_agg(detail, ' ') FROM billstack.health() WHERE check_name = 'integration narrow/default'}),
	qr/backfill \d+ skipped charge, invoice/, 'health names the default kinds among them');
my %left_out = map { $_ => 1 } @denied, 'invoice_line_item';
$node->equals_stripe($sim, 'stripe_team_narrow', 'what a restricted key may read',
	kinds => [ grep { !$left_out{$_} } sort keys %table ]);
$sim->set_key($narrow, 'customer');
$result = $node->run_backfill('narrow', objects => ['all']);
is(join(' ', sort keys %{ $result->{skipped} }),
	'active_entitlement customer customer_balance_transaction payment_method tax_id', 'what hangs on customers goes with them');
like($result->{skipped}{tax_id}, qr/^this key cannot read customers, which the tax_ids hang on/, '... and says so');
is($node->sql("SELECT count(*) FROM billstack_internal.refetch"), 0, 'what was not listed is not taken for gone');
my $error = $node->error_of("CALL billstack.run_backfill('narrow', ARRAY['product', 'customer'])");
is($error->{sqlstate}, 'BS400', 'a kind asked for by name has to be readable');
like($error->{detail}, qr/^customer: this key cannot read customers: .*\(request req_\w+\)/, '... the error says which, and the request');
like($error->{hint}, qr/^Allow the key to read it/, '... and what to do');
is($node->sql(q{SELECT state, error_code FROM billstack.backfills WHERE team = 'narrow' ORDER BY run_id DESC LIMIT 1}),
	'failed|BS400', '... backfills too');

# What the account is not set up for is no failure of the key's owner.
$sim->set_key($narrow);
$sim->faults({ match => { path => '^/v1/(reviews|quotes)$' }, action => { status => 400 } });
$result = $node->run_backfill('narrow', objects => ['all']);
is(join(' ', sort keys %{ $result->{skipped} }), 'quote review', 'kinds that Stripe refuses to list are skipped');
is($result->{syncStatus}, 'ready', '... the default kinds are there: ready');
$error = $node->error_of("CALL billstack.run_backfill('narrow', ARRAY['quote'])");
is($error->{sqlstate}, 'BS400', '... asked for by name they fail');
$sim->faults({ match => { path => '^/v1/products$' }, action => { status => 400 } });
$error = $node->error_of("CALL billstack.run_backfill('narrow', ARRAY['all'])");
is($error->{sqlstate}, 'BS400', 'a default kind that is refused fails the run');
$sim->faults;
is($node->run_backfill('narrow', objects => ['all'])->{syncStatus}, 'ready', 'with every permission: ready');
$node->equals_stripe($sim, 'stripe_team_narrow', 'every permission', kinds => [ sort keys %table ]);

$node->stop;
done_testing();
