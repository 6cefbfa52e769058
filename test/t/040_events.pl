# Events in, mirror right.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in drained settled outcomes);
use Billstack::Node;
use Billstack::Simulator;
use Test::More;

my $secret = 'whsec_' . 'k' x 32;
my $sim = Billstack::Simulator->new(seed => 40, customers => 30, products => 5, prices => 8,
	subscriptions => 20, invoices => 20, charges => 20);
my $node = Billstack::Node->make('events', $sim);
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.rotate_keys('acme', NULL, webhook_secret => '$secret')");
$node->run_ends($node->start_backfill('acme'));
$sim->create('customer', { email => 'first@example.com' }, id => 'cus_first');
$sim->update('customer', 'cus_first', { email => 'second@example.com' });
my @deliveries = $sim->deliveries(secret => $secret);
note(scalar(@deliveries) . ' deliveries');
hand_in($node, 'acme', @deliveries);
ok(drained($node), 'drained');
note($node->sql('SELECT event_id, event_type, outcome FROM billstack_internal.event'));
note($node->sql('SELECT id, email, _source, _as_of FROM stripe_team_acme.customers WHERE _source <> \'backfill\''));
note($node->sql('SELECT * FROM billstack_internal.refetch'));
note($node->sql('SELECT event_id, error, attempts, next_try FROM billstack_internal.inbox'));
ok(settled($node), 'settled');
note($node->sql('SELECT id, email, _source, _as_of FROM stripe_team_acme.customers WHERE _source <> \'backfill\''));
note($node->sql('SELECT relname FROM pg_class WHERE relname ~ \'^event\' AND relkind IN (\'r\',\'p\')'));
$node->equals_stripe($sim, 'stripe_team_acme', 'the mirror equals Stripe');
done_testing();
