# Whatever the extension asks Stripe fits Stripe's own OpenAPI description: every function that asks is called
# against the simulator, then each request of its ledger is checked: path, names, types, enums, required, lengths.
# The description is as old as the package; paths that came later are named here and nowhere else.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in settled);
use Billstack::Node;
use Billstack::OpenApi;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8;
my $stripe = Billstack::OpenApi->fetch;

# --- the check itself can fail ------------------------------------------------------------------------------

sub faults_of { my ($method, $target, @params) = @_;
	return join '; ', $stripe->faults({ method => $method, target => $target, params => \@params }); }
my $checkout = 'POST /v1/checkout/sessions';
my @session = (['success_url', 'https://x.example'], ['mode', 'payment']);
is(faults_of(POST => '/v1/checkout/sessions', @session, ['line_items[0][price]', 'price_1'], ['line_items[0][quantity]', 2],
	['metadata[a]', 'b']), '', 'a request that fits');
is(faults_of(POST => '/v1/checkout/sessions', @session, ['sucess_url', 'x']), "$checkout: unknown parameter sucess_url", 'an unknown name');
is(faults_of(POST => '/v1/checkout/sessions', @session, ['line_items[0][prise]', 'x']),
	"$checkout: unknown parameter line_items[0][prise]", 'an unknown name in an array');
is(faults_of(POST => '/v1/checkout/sessions', @session, ['line_items[0][quantity]', 'two']),
	"$checkout: line_items[0][quantity] is no integer: \"two\"", 'a wrong type');
is(faults_of(POST => '/v1/checkout/sessions', @session, ['line_items', 'x']), "$checkout: line_items is no array", 'no array');
like(faults_of(POST => '/v1/checkout/sessions', $session[0], ['mode', 'buy']), qr/mode is none of/, 'a wrong word');
is(faults_of(POST => '/v1/checkout/sessions', $session[1]), "$checkout: missing parameter success_url", 'a missing parameter');
like(faults_of(POST => '/v1/products', ['name', 'x' x 5001]), qr/name is longer than 5000/, 'a text too long');
is(faults_of(GET => '/v1/customers', ['emial', 'x']), 'GET /v1/customers: unknown parameter emial', 'an unknown name of a query');
is(faults_of(GET => '/v1/customers', ['created[gte]', 'x']), 'GET /v1/customers: created[gte] is no integer: "x"', 'a wrong type there');
is(faults_of(GET => '/v1/costumers'), 'unknown path: GET /v1/costumers', 'an unknown path');

# --- everything the extension asks --------------------------------------------------------------------------

my $sim = Billstack::Simulator->new(seed => 83, customers => 12, products => 3, prices => 6, subscriptions => 6, invoices => 8, charges => 8);
my $node = Billstack::Node->make('openapi', $sim, conf => "billstack.public_url = 'https://billing.example.com'");
my %called;

# Calls a function of billstack by its arguments and gives the answer as a hash.
sub ask
{
	my ($function, $arguments) = @_;
	$called{$function} = 1;
	my $answer = $node->sql("SELECT billstack.$function($arguments)");
	return $answer =~ /^\{/ ? $json->decode($answer) : $answer;
}

my $key = $sim->key;
ask('check_keys', "'$key'");
ask('connect', "'acme', '$key'");
ask('validate', "'acme'");
ask('rotate_keys', "'acme', '$key'");
ask('upgrade_mirror', "'acme'");
my @kinds = split /\n/, $node->sql('SELECT kind FROM billstack_internal.mirror_table ORDER BY 1');
my %made_with = map { $_ => 1 } qw(customer product price subscription subscription_item invoice invoice_line_item charge
	credit_note_line_item checkout_session_line_item transfer_reversal);
$sim->make($_, 2) for grep { !$made_with{$_} } @kinds;
$node->run_backfill('acme', objects => ['all']);
$node->run_backfill('acme', created_after => '2020-01-01');
$called{run_backfill} = $called{backfill} = 1;
ask('create_webhook_endpoint', "'acme'");
my ($endpoint) = $sim->objects('webhook_endpoint');

# Every kind is read by its id; a worker that starts looks for what is to be read.
my $without_place = qr/^(?:subscription_item|.*_line_item|transfer_reversal|active_entitlement|customer_balance_transaction)$/;
for my $kind (grep { !/$without_place/ } @kinds)
{
	my ($object) = $sim->objects($kind);
	$node->sql(qq{INSERT INTO billstack_internal.refetch (integration_id, kind, object_id, reason)
		SELECT id, '$kind', '$object->{id}', 'tie' FROM billstack_internal.integration});
}
my $sequence = 1;
sub hand_over
{
	my ($name) = @_;
	hand_in($node, 'acme', $sim->deliveries(endpoint => $endpoint->{id}, from => $sequence));
	$sequence = 1 + $sim->events;
	return ok(settled($node), $name) || diag($node->sql('SELECT kind, object_id, reason, attempts, error FROM billstack_internal.refetch'));
}
$node->restart;
hand_over('every kind is read by its id');

# --- billing ------------------------------------------------------------------------------------------------

ask('create_project', "'acme', 'Shop', id => 'proj_shop'");
my ($ann, $gold, $monthly, $other, $once);
my $urls = "'https://shop.example/ok?s={CHECKOUT_SESSION_ID}', 'https://shop.example/no'";

# The functions of billing in an order that makes what the next needs.
sub billing
{
	$ann = ask('create_customer', qq{'proj_shop', 'ann\@example.com', 'Ann', '{"plan": "gold"}'})->{customer};
	ask('update_customer', qq{'proj_shop', '$ann->{id}', name => 'Ann Lee', metadata => '{"seats": 3}'});
	$gold = ask('create_product', qq{'proj_shop', 'Gold', 'All of it', '{"rank": 1}'})->{product};
	ask('update_product', qq{'proj_shop', '$gold->{id}', name => 'Gold!', is_active => true, metadata => '{}'});
	$monthly = ask('create_price', qq{'proj_shop', '$gold->{id}', 2000, 'usd', 'month', metadata => '{"a": "b"}'})->{price};
	$other = ask('create_price', qq{'proj_shop', '$gold->{id}', 3000, 'usd', 'year', 2})->{price};
	$once = ask('create_price', qq{'proj_shop', '$gold->{id}', 500, 'usd'})->{price};
	ask('update_price', qq{'proj_shop', '$other->{id}', is_active => true, metadata => '{"c": "d"}'});
	my $first = ($sim->objects('product'))[-1]{id};
	ask('adopt_product', "'proj_shop', '$first'");
	ask('create_checkout', qq{'proj_shop', '$ann->{id}', '$once->{id}', $urls, mode => 'payment', metadata => '{"order": 7}'});
	my $session = ask('create_checkout', qq{'proj_shop', '$ann->{id}', '$monthly->{id}', $urls, quantity => 2, trial_days => 7, metadata => '{"order": 8}'});
	ask('create_setup_checkout', "'proj_shop', '$ann->{id}', $urls");
	ask('create_portal_session', "'proj_shop', '$ann->{id}', 'https://shop.example/account'");
	my $paid = ask('create_checkout', qq{'proj_shop', '$ann->{id}', '$monthly->{id}', $urls})->{sessionId};
	$sim->complete_checkout($_) for $session->{sessionId}, $paid;
	hand_over('the events are applied');
	return;
}
billing();

sub subscriptions
{
	my ($subscription) = grep { $_->{status} eq 'active' } @{ ask('list_subscriptions', "'proj_shop'")->{subscriptions} };
	my $of = "'proj_shop', '$subscription->{id}'";
	ask('update_subscription', "$of, cancel_at_period_end => true");
	ask('update_subscription', "$of, cancel_at_period_end => false");
	ask('update_subscription', "$of, price_id => '$other->{id}', quantity => 3, proration => 'always_invoice'");
	ask('update_subscription', "$of, quantity => 4, proration => 'none'");
	my ($payment) = @{ ask('list_payments', "'proj_shop'")->{payments} };
	ask('create_refund', "'proj_shop', '$payment->{id}', 300, 'requested_by_customer'");
	ask('create_refund', "'proj_shop', '$payment->{id}'");
	ask('cancel_subscription', $of);
	return;
}
subscriptions();
ask('delete_customer', "'proj_shop', " . "'" . ask('create_customer', q{'proj_shop', 'bob@example.com'})->{customer}{id} . "'");
ask('relink_project', "'proj_shop'");

# --- what was asked -----------------------------------------------------------------------------------------

# Later than the description: https://docs.stripe.com/changelog
my $later = qr{^/v1/(?:billing/(?:credit_grants|meters)|entitlements/(?:features|active_entitlements)|invoice_payments|tax_ids)(?:/[^/]+)?$};
my $later_events = qr/billing\.(?:credit_grant|meter)\.\w+|entitlements\.[\w.]+|invoice\.(?:over\w+|payment_attempt_required|will_be_due)|invoice_payment\.paid|refund\.failed/;
my (%seen, %wrong);
for my $request ($sim->ledger)
{
	(my $path = $request->{target}) =~ s/\?.*//s;
	next if $path =~ $later;
	my $template = $stripe->template($path) // $path;
	$seen{"$request->{method} $template"}++;
	$wrong{$_}++ for grep { !/enabled_events.*"(?:$later_events)"$/ } $stripe->faults($request);
}
is(join("\n", map { "$_ ($wrong{$_} times)" } sort keys %wrong), '', 'no request has an unknown path or parameter, a wrong type, or lacks one');
note("$_: $seen{$_}") for sort keys %seen;
my @missed = grep { !$seen{$_} } expected_operations();
is("@missed", '', sprintf 'every operation occurs: %d', scalar expected_operations());
cmp_ok(scalar(grep { /^GET/ } keys %seen), '>=', 59, 'and the lists and single objects of the kinds');

# A function that is neither called here nor listed as asking nothing needs a decision.
my %asks_nothing = map { $_ => 1 } qw(
	analytics arm assign_customers authenticate cancel_backfill create_api_key disconnect event_json get_customer get_price
	get_product get_subscription grant_access has_active_subscription has_feature health inbox_counters link_project
	list_api_keys list_customers list_invoices list_payments list_prices list_products list_projects list_subscriptions
	map_account receive_webhook receive_webhook_raw replay retry_failed revoke_access revoke_api_key set_owner
	set_webhook_secret status subscribe unlink_project unsubscribe webhook_url);
my @undecided = grep { !$called{$_} && !$asks_nothing{$_} } split /\n/,
	$node->sql(q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'billstack'::regnamespace AND prokind IN ('f', 'p') AND prorettype <> 'trigger'::regtype ORDER BY 1});
is("@undecided", '', 'every function is called here, or known to ask nothing');

sub expected_operations
{
	return ('GET /v1/account', 'POST /v1/webhook_endpoints', 'GET /v1/events', 'GET /v1/customers', 'GET /v1/customers/{customer}',
		'POST /v1/customers', 'POST /v1/customers/{customer}', 'POST /v1/products', 'POST /v1/products/{id}', 'POST /v1/prices',
		'POST /v1/prices/{price}', 'POST /v1/checkout/sessions', 'POST /v1/billing_portal/sessions',
		'POST /v1/subscriptions/{subscription_exposed_id}', 'DELETE /v1/subscriptions/{subscription_exposed_id}', 'POST /v1/refunds');
}

$node->stop;
done_testing();
