# The whole story of an application that bills through SQL: connect, copy, project, customer, product, price,
# checkout, payment, events, subscription, cancel, resume, change, refund, end, analytics. Nothing is made twice.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in settled);
use Billstack::Node;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8;
my $secret = 'whsec_billingstory0000000000000000';
my $sim = Billstack::Simulator->new(seed => 52, customers => 20, products => 4, prices => 8, subscriptions => 12, invoices => 20, charges => 20);
my $key = $sim->key;
my $node = Billstack::Node->make('story', $sim);
my $mirror = 'stripe_team_acme';

sub ask { my ($call) = @_; return $json->decode($node->sql("SELECT billstack.$call")); }
my $delivered = 0;
# What Stripe has to tell since the last time, each event twice and in any order.
sub events_arrive
{
	my ($name) = @_;
	my @recorded = $sim->events;
	hand_in($node, 'acme', $sim->deliveries(secret => $secret, from => $delivered + 1, order => 'random', duplicates => 1))
	  if @recorded > $delivered;
	$delivered = @recorded;
	return ok(settled($node), "$name: the events are applied");
}

$node->sql("SELECT billstack.connect('acme', '$key', webhook_secret => '$secret')");
is($node->run_backfill('acme')->{syncStatus}, 'ready', 'the account is copied');

# --- to the checkout page -----------------------------------------------------------------------------------

my $project = 'proj_shop';
ask("create_project('acme', 'Shop', id => '$project')");
my $ann = ask("create_customer('$project', 'ann\@example.com', 'Ann')")->{customer};
my $gold = ask("create_product('$project', 'Gold')")->{product};
my $monthly = ask("create_price('$project', '$gold->{id}', 2000, 'usd', 'month')")->{price};
my $yearly = ask("create_price('$project', '$gold->{id}', 20000, 'usd', 'year')")->{price};
my $pages = "'https://shop.example/ok?s={CHECKOUT_SESSION_ID}', 'https://shop.example/no'";
my $checkout = ask("create_checkout('$project', '$ann->{id}', '$monthly->{id}', $pages, quantity => 2, idempotency_key => 'order-1')");
is(ask("create_checkout('$project', '$ann->{id}', '$monthly->{id}', $pages, quantity => 2, idempotency_key => 'order-1')")->{sessionId},
	$checkout->{sessionId}, 'the same key gives the same page');
like($checkout->{url}, qr{^https://checkout\.stripe\.com/}, 'there is a page to send the customer to');

my $active = "SELECT billstack.has_active_subscription('$project', '$ann->{id}')";
is($node->sql($active), 'f', 'nothing is active yet');
is_deeply(ask("list_subscriptions('$project')")->{subscriptions}, [], 'the call itself makes no subscription');

# --- the customer pays --------------------------------------------------------------------------------------

my $paid = $sim->complete_checkout($checkout->{sessionId});
events_arrive('payment');
my ($subscription, @more) = @{ ask("list_subscriptions('$project', '$ann->{id}')")->{subscriptions} };
is(scalar @more, 0, 'one subscription has come');
like($subscription->{id}, qr/^ps_[A-Za-z0-9]{16}$/, 'with an id of ours');
is_deeply([ @$subscription{qw(status customerId priceId quantity stripeSubscriptionId cancelAtPeriodEnd)} ],
	[ 'active', $ann->{id}, $monthly->{id}, 2, $paid->{subscription}, Cpanel::JSON::XS::false ], 'active, for this customer and price');
is($node->sql($active), 't', 'has_active_subscription is true');
is($node->sql("SELECT billstack.has_active_subscription('$project', '$ann->{id}', '$yearly->{id}')"), 'f', 'not for another price');
my ($invoice) = @{ ask("list_invoices('$project', '$ann->{id}')")->{invoices} };
is_deeply([ @$invoice{qw(status amountPaid stripeInvoiceId subscriptionId)} ], [ 'paid', 4000, $paid->{invoice}, $subscription->{id} ],
	'the invoice is paid');
my ($payment) = @{ ask("list_payments('$project', '$ann->{id}')")->{payments} };
is_deeply([ @$payment{qw(status amount amountRefunded)} ], [ 'succeeded', 4000, 0 ], 'and so is the payment');
is($node->sql("SELECT status || ' ' || payment_status FROM $mirror.checkout_sessions WHERE id = '$checkout->{sessionId}'"),
	'complete paid', 'the session is complete in the mirror');

# --- later --------------------------------------------------------------------------------------------------

sub at_stripe { return $sim->object('subscription', $paid->{subscription}); }
sub change { my ($more) = @_; return ask("update_subscription('$project', '$subscription->{id}', $more)")->{subscription}; }

ok(change('cancel_at_period_end => true')->{cancelAtPeriodEnd}, 'it is set to end with the period');
ok(at_stripe()->{cancel_at_period_end}, 'at Stripe too');
is($node->sql($active), 't', 'and active until then');
ok(!change('cancel_at_period_end => false')->{cancelAtPeriodEnd}, 'it goes on');
is(at_stripe()->{cancel_at}, undef, 'at Stripe too');

my $item = at_stripe()->{items}{data}[0]{id};
my $changed = change("price_id => '$yearly->{id}', quantity => 3");
is_deeply([ @$changed{qw(priceId quantity)} ], [ $yearly->{id}, 3 ], 'another price and quantity');
is_deeply([ map { [ $_->{id}, $_->{price}{id}, $_->{quantity} ] } @{ at_stripe()->{items}{data} } ],
	[ [ $item, $yearly->{stripePriceId}, 3 ] ], 'at Stripe the same item');
is($node->sql("SELECT billstack.has_active_subscription('$project', '$ann->{id}', '$yearly->{id}')"), 't', 'active for that price');

my $refund = ask("create_refund('$project', '$payment->{id}', 1500, 'requested_by_customer')")->{refund};
is_deeply([ @$refund{qw(amount status)} ], [ 1500, 'succeeded' ], 'a part is paid back');
events_arrive('refund');
is(ask("list_payments('$project', '$ann->{id}')")->{payments}[0]{amountRefunded}, 1500, 'the payment knows');

my $analytics = ask("analytics('$project')");
is_deeply([ @$analytics{qw(mrr customerCount)} ], [ 50, 1 ], 'analytics: 3 x 200.00 a year are 50.00 a month') or note explain $analytics;

is(ask("cancel_subscription('$project', '$subscription->{id}')")->{subscription}{status}, 'canceled', 'it ends');
is($node->sql($active), 'f', 'and is not active any more');
events_arrive('end');
is($node->sql($active), 'f', 'whatever the events say');
is(ask("analytics('$project')")->{mrr}, 0, 'analytics: nothing recurs');

# --- nothing twice, nothing lost ----------------------------------------------------------------------------

my %made;
$made{ $_->{kind} }++ for $sim->made;
is_deeply(\%made, { customer => 1, product => 1, price => 2, checkout_session => 1, refund => 1 }, 'each object was made once');
$node->equals_stripe($sim, $mirror, 'in the end');
is($node->sql("SELECT count(*) FROM billstack.failed_events"), 0, 'no event failed');

$node->stop;
done_testing();
