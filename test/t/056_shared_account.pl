# Three projects of two teams on one Stripe account: who reaches one of them and asks it for what is another one's,
# by ids that there are, is told what ids that nobody has are told, and nothing of it is asked of Stripe.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in settled);
use Billstack::Node;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8;
my $secret = 'whsec_' . 's' x 32;
my $sim = Billstack::Simulator->new(seed => 56, customers => 3, products => 1, prices => 1, subscriptions => 0, invoices => 0, charges => 0);
my $node = Billstack::Node->make('shared', $sim);
my $pages = "'https://shop.example/ok', 'https://shop.example/no'";

sub ask { my ($call) = @_; return $json->decode($node->sql("SELECT billstack.$call")); }
my $delivered = 0;
sub events_arrive
{
	my ($name) = @_;
	my @recorded = $sim->events;
	for my $team (qw(one two)) { hand_in($node, $team, $sim->deliveries(secret => $secret, from => $delivered + 1)); }
	$delivered = @recorded;
	return ok(settled($node), "$name: the events are applied");
}

for my $team (qw(one two))
{
	$node->sql("SELECT billstack.connect('$team', '" . $sim->key . "', webhook_secret => '$secret')");
	is($node->run_backfill($team)->{syncStatus}, 'ready', "team $team has the account");
}

# --- each project has one of everything -----------------------------------------------------------------------

my %of;
for my $project (qw(proj_a proj_b proj_c))
{
	my $letter = substr $project, -1;
	ask("create_project('" . ($letter eq 'c' ? 'two' : 'one') . "', '$letter', id => '$project')");
	my $customer = ask("create_customer('$project', '$letter\@example.com', '$letter')")->{customer};
	my $product = ask("create_product('$project', 'Product of $letter')")->{product};
	my $price = ask("create_price('$project', '$product->{id}', 900, 'usd', 'month')")->{price};
	my $paid = $sim->complete_checkout(ask("create_checkout('$project', '$customer->{id}', '$price->{id}', $pages)")->{sessionId});
	$of{$project} = { pc => $customer->{id}, pp => $product->{id}, pri => $price->{id}, cus => $customer->{stripeCustomerId},
		prod => $product->{stripeProductId}, price => $price->{stripePriceId}, sub => $paid->{subscription} };
}
events_arrive('three payments');
for my $project (sort keys %of)
{
	my ($subscription, @more) = @{ ask("list_subscriptions('$project')")->{subscriptions} };
	is($subscription->{stripeSubscriptionId}, $of{$project}{sub}, "$project has its subscription");
	is(scalar @more, 0, 'and no other one');
	$of{$project}{ps} = $subscription->{id};
	$of{$project}{ppay} = ask("list_payments('$project')")->{payments}[0]{id};
}
# Two customers of b that only Stripe's metadata and only a row tell of.
$sim->create('customer', { email => 'named@example.com', metadata => { project_id => 'proj_b' } }, id => 'cus_named');
$sim->create('customer', { email => 'bare@example.com', metadata => {} }, id => 'cus_bare');
$sim->create('product', { name => 'Named', active => \1, metadata => { project_id => 'proj_b' } }, id => 'prod_named');
events_arrive('more of b');
is(ask("assign_customers('proj_b', ARRAY['cus_bare'])")->{assigned}, 1, 'b has taken one of them');

# --- who asks -------------------------------------------------------------------------------------------------

$node->sql(q{CREATE ROLE app_one; SELECT billstack.grant_access('app_one', 'app', 'one');
-- All that a caller sees of a statement's end, without the id.
CREATE FUNCTION public.ends(statement text, id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text; message text; detail text; hint text;
BEGIN
    BEGIN
        EXECUTE statement INTO answer;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN 'answer: ' || replace(answer, id, '?');
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN replace(concat_ws('; ', SQLSTATE, message, detail, hint), id, '?');
    END;
END $$});
my %who = (
	'a role' => 'SET LOCAL ROLE app_one',
	"the team's key" => sprintf(q{SELECT billstack.authenticate('%s')}, ask("create_api_key('one', 'team')")->{rawKey}),
	'a key of a' => sprintf(q{SELECT billstack.authenticate('%s')}, ask("create_api_key('one', 'a', 'proj_a')")->{rawKey}));
sub ends
{
	my ($who, $call, $id) = @_;
	my $statement = sprintf "SELECT billstack.$call", $id;
	return $node->sql("BEGIN; $who{$who}; SELECT public.ends(\$s\$$statement\$s\$, '$id'); COMMIT") =~ s/^\{.*\}\n//r;
}
# %s is the id of another project's; the other ids are a's own.
my $own = $of{proj_a};
my %calls = (
	pc => ["get_customer('proj_a', '%s')", "update_customer('proj_a', '%s', name => 'x')", "list_subscriptions('proj_a', '%s')", "list_invoices('proj_a', '%s')",
		"list_payments('proj_a', '%s')", "create_checkout('proj_a', '%s', '$own->{pri}', $pages)", "create_setup_checkout('proj_a', '%s', $pages)",
		"create_portal_session('proj_a', '%s', 'https://shop.example/')", "has_active_subscription('proj_a', '%s')", "has_feature('proj_a', '%s', 'x')", "delete_customer('proj_a', '%s')"],
	pp => ["get_product('proj_a', '%s')", "update_product('proj_a', '%s', 'x')", "list_prices('proj_a', '%s')", "create_price('proj_a', '%s', 100, 'usd')"],
	pri => ["get_price('proj_a', '%s')", "update_price('proj_a', '%s', false)", "create_checkout('proj_a', '$own->{pc}', '%s', $pages)",
		"update_subscription('proj_a', '$own->{ps}', price_id => '%s')", "has_active_subscription('proj_a', '$own->{pc}', '%s')"],
	ps => ["get_subscription('proj_a', '%s')", "update_subscription('proj_a', '%s', true)", "cancel_subscription('proj_a', '%s')"],
	ppay => ["create_refund('proj_a', '%s')"]);
my $taking_id = $node->sql(q{SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'billstack'::regnamespace
	AND proargnames[1] = 'project' AND proargnames && '{customer_id,product_id,price_id,subscription_id,payment_id}'});
my %called = map { /^(\w+)/ ? ($1 => 1) : () } map { @$_ } values %calls;
is(join(' ', sort keys %called), $taking_id, 'each function that takes an id of a project is called here');

my $requests = $sim->requests;
my ($asked, %told) = (0);
for my $who (sort keys %who)
{
	for my $kind (sort keys %calls)
	{
		for my $call (@{ $calls{$kind} })
		{
			my $unknown = ends($who, $call, "${kind}_0000000000000000");
			$told{"$who $call"} = $unknown;
			for my $other (qw(proj_b proj_c))
			{
				$asked++;
				is(ends($who, $call, $of{$other}{$kind}), $unknown, "$who asks a for what $other has: $call");
			}
		}
	}
}
is($sim->requests, $requests, "$asked calls, and Stripe was asked nothing");

# --- Stripe's own ids -----------------------------------------------------------------------------------------

my @foreign = ($of{proj_b}{cus}, $of{proj_c}{cus}, 'cus_named', 'cus_bare');
my $list = join ', ', map { "'$_'" } @foreign;
my $unknown = ask("assign_customers('proj_a', ARRAY['cus_nobody'])")->{skipped}[0]{reason};
my $answer = $json->decode($node->sql("BEGIN; $who{'a key of a'}; SELECT billstack.assign_customers('proj_a', ARRAY[$list]); COMMIT") =~ s/^\{.*\}\n//r);
is_deeply({ map { $_->{id} => $_->{reason} } @{ $answer->{skipped} } }, { map { $_ => $unknown } @foreign }, 'a key of a is told that there are no customers of b and c');
$node->sql("BEGIN; $who{'a key of a'}; SELECT billstack.assign_customers('proj_a'); COMMIT");
is($node->sql("SELECT count(*) FROM billstack_internal.project_customer WHERE project_id = 'proj_a' AND stripe_customer_id IN ($list)"), 0, 'nor does it get them by asking for all');
cmp_ok($node->sql("SELECT count(*) FROM billstack_internal.project_customer WHERE project_id = 'proj_a'"), '>', 3, 'which gives it those that are nobody\'s');
my $none = ends('a key of a', "adopt_product('proj_a', '%s')", 'prod_nobody');
for my $product ($of{proj_b}{prod}, $of{proj_c}{prod}, 'prod_named')
{
	is(ends('a key of a', "adopt_product('proj_a', '%s')", $product), $none, 'a key of a is told that there is no product of b and c');
}
like($none, qr/^42704; the mirror has no product "\?"/, 'as of one that nobody has');
is($sim->requests, $requests, 'and Stripe was asked nothing');

# What is b's goes on to be b's, also where nothing but the customer tells.
$sim->create('subscription', { customer => 'cus_bare', metadata => {} }, id => 'sub_bare');
events_arrive('a subscription that says nothing');
is($node->sql(q{SELECT project_id FROM billstack_internal.project_subscription AS s JOIN billstack_internal.integration AS i ON i.id = s.integration_id
	WHERE i.team = 'one' AND stripe_subscription_id = 'sub_bare'}), 'proj_b', 'a subscription of its customer comes to b');

# --- and its own: each call works that far ----------------------------------------------------------------------

for my $kind (qw(pc pp pri ps ppay))
{
	for my $call (sort { ($a =~ /^(delete|cancel)/) <=> ($b =~ /^(delete|cancel)/) } @{ $calls{$kind} })
	{
		next if $call =~ /has_feature/;
		isnt(ends('a key of a', $call, $of{proj_a}{$kind}), $told{"a key of a $call"}, "a is asked for its own: $call");
	}
}

done_testing();
