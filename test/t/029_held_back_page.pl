# A page of a list that hangs on customers waits for the lists of all of them: what has happened meanwhile to one
# that was read early is not undone by it.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in settled);
use Billstack::Node;
use Billstack::Simulator;
use Test::More;

my $secret = 'whsec_' . 'b' x 32;
my $sim = Billstack::Simulator->new(seed => 29, customers => 0, products => 1, prices => 1, subscriptions => 0,
	invoices => 0, charges => 0);
my ($first, $last) = ('cus_first', 'cus_last');
$sim->put('customer', $_, { id => $_, object => 'customer', created => 1_700_000_000, metadata => {} }) for $first, $last;
my ($feature) = $sim->make('feature', 1);
my $node = Billstack::Node->make('held_back', $sim);
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.set_webhook_secret('acme', '$secret')");
$node->sql(q{SELECT billstack.upgrade_mirror('acme')});
$node->run_backfill('acme', objects => [ 'customer', 'tax_id', 'active_entitlement' ]);

sub live { my ($table) = @_; return $node->sql("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM stripe_team_acme.$table WHERE _deleted_at IS NULL"); }
sub at_stripe { my ($kind) = @_; return join ' ', sort map { $_->{id} } $sim->objects($kind); }
sub deliver { hand_in($node, 'acme', $sim->deliveries(secret => $secret, events => [ $_[0]{id} ], at => $sim->now)); return; }
# A backfill of the kind that has the list of the first customer, and waits for that of the last one.
sub held_back
{
	my ($kind, $path, %match) = @_;
	my $since = $sim->last_sequence;
	$sim->faults({ match => { path => "^$path->{$last}{path}\$", %{ $path->{$last}{match} } }, action => { delay_ms => 4000 } });
	my $run = $node->start_backfill('acme', objects => [$kind]);
	$node->wait_until(sub { grep { $_->{target} =~ $path->{$first}{target} } $sim->ledger($since) });
	return $run;
}

# --- tax ids ----------------------------------------------------------------------------------------------

my $run = held_back('tax_id', { $first => { target => qr{^/v1/customers/$first/tax_ids} },
	$last => { path => "/v1/customers/$last/tax_ids", match => {} } });
my $made = $sim->create('tax_id', { type => 'eu_vat', value => 'DE123456789', customer => $first });
deliver($made);
$node->comes_true("SELECT count(*) = 1 FROM stripe_team_acme.tax_ids", 'the event of a new tax id is applied first');
is($node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run"), 'running', '... the page still waits');
is($node->run_ends($run), 'done', 'the page is written');
ok(settled($node), 'and what is not certain is read');
is(live('tax_ids'), at_stripe('tax_id'), 'the tax id that the list does not name yet is there: ' . at_stripe('tax_id'));
isnt(at_stripe('tax_id'), '', '... and there is one');

# --- entitlements -----------------------------------------------------------------------------------------

$run = held_back('active_entitlement', { $first => { target => qr{active_entitlements\?.*customer=$first} },
	$last => { path => '/v1/entitlements/active_entitlements', match => { query => "customer=$last" } } });
$made = $sim->create('active_entitlement', { feature => $feature, customer => $first });
deliver($made);
$node->comes_true("SELECT count(*) = 1 FROM stripe_team_acme.active_entitlements", 'the list is read again for an event');
is($node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run"), 'running', '... the page still waits');
is($node->run_ends($run), 'done', 'the page is written');
ok(settled($node), 'and what is not certain is read');
is(live('active_entitlements'), at_stripe('active_entitlement'), 'the entitlement is there: ' . at_stripe('active_entitlement'));

# One that was taken away meanwhile, and that the mirror has never had.
my $taken = $sim->create('active_entitlement', { feature => ($sim->make('feature', 1))[0], customer => $first });
my ($gone) = grep { $_ ne live('active_entitlements') } split / /, at_stripe('active_entitlement');
$run = held_back('active_entitlement', { $first => { target => qr{active_entitlements\?.*customer=$first} },
	$last => { path => '/v1/entitlements/active_entitlements', match => { query => "customer=$last" } } });
deliver($sim->delete('active_entitlement', $gone));
ok(settled($node), 'it is taken away, and the list is read again');
is($node->sql("SELECT state FROM billstack_internal.backfill_run WHERE id = $run"), 'running', '... the page still waits');
is($node->run_ends($run), 'done', 'the page is written');
ok(settled($node), 'and what is not certain is read');
is(live('active_entitlements'), at_stripe('active_entitlement'), 'it does not come back');

$node->stop;
done_testing();
