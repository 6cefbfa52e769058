# has_feature follows Stripe: entitlements that a mirror had before its project, that events bring and take away,
# the last one of a customer, and a project that is unlinked and linked again.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in drained);
use Billstack::Node;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'whsec_' . 'e' x 32;
my $sim = Billstack::Simulator->new(seed => 58, customers => 3, products => 1, prices => 1, subscriptions => 0, invoices => 0, charges => 0);
my $node = Billstack::Node->make('entitlements', $sim, conf => 'autovacuum = off');
my $past = time - 5000;

sub deliver { hand_in($node, 'acme', $sim->deliveries(secret => $secret, events => [ map { $_->{id} } @_ ], at => time)); return; }
sub settles { $node->comes_true('SELECT NOT EXISTS (SELECT FROM billstack_internal.inbox) AND NOT EXISTS (SELECT FROM billstack_internal.refetch)', shift); return; }

my @customers = map { "cus_ent$_" } 1 .. 3;
$sim->create('customer', {}, id => $_, at => $past) for @customers;
my @features = $sim->make('feature', 3);
# The lookup keys that a customer has at Stripe.
my %entitlement;
sub entitle
{
	my ($customer, $feature) = @_;
	my $event = $sim->create('active_entitlement', { feature => $feature, customer => $customer }, at => $past);
	my %of = map { $_->{object}{id} => $_->{object} } grep { $_->{parent} eq $customer } $sim->objects_with_parents('active_entitlement');
	for my $id (keys %of) { $entitlement{$customer}{ $of{$id}{lookup_key} } = $id; }
	return $event;
}
sub has { my ($customer) = @_; return $node->sql("SELECT coalesce(string_agg(k, ' ' ORDER BY k), '') FROM (SELECT DISTINCT lookup_key FROM stripe_team_acme.active_entitlements) AS x (k)
	WHERE billstack.has_feature('proj_e', 'pc_$customer', k)"); }
sub at_stripe { my ($customer) = @_; return join ' ', sort keys %{ $entitlement{$customer} // {} }; }

# --- before the project -----------------------------------------------------------------------------------

my @first = (entitle($customers[0], $features[0]), entitle($customers[0], $features[1]), entitle($customers[1], $features[0]));
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.set_webhook_secret('acme', '$secret')");
$node->run_ends($node->start_backfill('acme', objects => [ 'customer', 'active_entitlement' ]));
is($node->sql('SELECT count(*) FROM billstack_internal.project_entitlement'), 0, 'without a project nothing is projected');
$node->sql("SELECT billstack.create_project('acme', 'e', id => 'proj_e');
	INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link)
	SELECT 'pc_' || c, 'proj_e', c || '\@example.com', c, 'assigned' FROM unnest(ARRAY['cus_ent1', 'cus_ent2', 'cus_ent3']) AS c");
isnt(at_stripe($customers[0]), '', 'the simulated customer is entitled to ' . at_stripe($customers[0]));
is(has($_), at_stripe($_), "$_ has what the mirror had before the project") for @customers;

# --- events -----------------------------------------------------------------------------------------------

my $given = entitle($customers[2], $features[2]);
deliver($given);
settles('an entitlement is given');
is(has($customers[2]), at_stripe($customers[2]), 'which has_feature knows');
my ($lookup) = sort keys %{ $entitlement{ $customers[0] } };
my $taken = $sim->delete('active_entitlement', delete $entitlement{ $customers[0] }{$lookup});
my $last = $sim->delete('active_entitlement', (values %{ delete $entitlement{ $customers[1] } })[0]);
deliver($taken, $last);
settles('one of two is taken, and the only one of another customer');
is(has($_), at_stripe($_), "$_ has what is left") for @customers;
is(has($customers[1]), '', 'the last one is gone');

# --- unlinked and linked again ----------------------------------------------------------------------------

$node->sql("SELECT billstack.unlink_project('proj_e')");
is(has($_), '', "an unlinked project has no features ($_)") for $customers[0];
my $meanwhile = entitle($customers[1], $features[1]);
deliver($meanwhile);
settles('an entitlement comes meanwhile');
$node->sql("SELECT billstack.link_project('proj_e', 'default')");
is(has($_), at_stripe($_), "$_ has what the mirror has when it is linked again") for @customers;

$node->stop;
done_testing();
