# Which project an event belongs to: every rule as a case, each in every order in which its events can come, one
# by one and all in one batch; metadata of others; what finds no project, and is replayed; the mirror that was
# there before the project; and many teams beside each other.
use strict;
use warnings;
use Billstack::Inbox qw(drained settled);
use Billstack::Node;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use Digest::SHA qw(hmac_sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->canonical->utf8;
my $secret = 'whsec_' . 'r' x 32;
my $sim = Billstack::Simulator->new(seed => 51, customers => 1, products => 1, prices => 1,
	subscriptions => 0, invoices => 0, charges => 0);
my $node = Billstack::Node->make('routing', $sim, conf => "autovacuum = off\nbillstack.refetch_delay = 1d");
my $past = time - 5000;
my $number = 0;

sub connect_team
{
	my ($team) = @_;
	$node->connect_team($team, $sim->key);
	$node->sql("SELECT billstack.set_webhook_secret('$team', '$secret')");
	return;
}

sub project { my ($team, $id, $integration) = @_; $node->sql(sprintf "SELECT billstack.create_project('%s', '%s', %s, '%s')",
	$team, $id, $integration // "'default'", $id); return; }

# What a project owns, as its functions leave it.
sub customer
{
	my ($project, $id) = @_;
	my $pc = 'pc_' . ++$number;
	$node->sql(qq{INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link)
		VALUES ('$pc', '$project', '$pc\@example.org', '$id', 'assigned')});
	return $pc;
}
sub price
{
	my ($project, $id) = @_;
	my ($pp, $pri) = ('pp_' . ++$number, 'pri_' . $number);
	$node->sql(qq{INSERT INTO billstack_internal.project_product (id, project_id, name, stripe_product_id)
		VALUES ('$pp', '$project', 'x', 'prod_$number');
		INSERT INTO billstack_internal.project_price (id, project_id, product_id, unit_amount, currency, recurring_interval,
			interval_count, stripe_price_id) VALUES ('$pri', '$project', '$pp', 1000, 'usd', 'month', 1, '$id')});
	return $pri;
}

# --- events ------------------------------------------------------------------------------------------------

sub event
{
	my ($type, $object, $created) = @_;
	$number++;
	return { id => "evt_r$number", object => 'event', api_version => '2026-09-30.endive', created => $created // $past,
		livemode => \0, type => $type, data => { object => $object } };
}
sub statement
{
	my ($team, $event) = @_;
	my $body = $json->encode($event);
	my $at = time;
	return sprintf q{SELECT billstack.receive_webhook_raw('%s', '\x%s', 't=%d,v1=%s')}, $team, unpack('H*', $body), $at,
	  hmac_sha256_hex("$at.$body", $secret);
}
sub done
{
	return if drained($node);
	die 'events wait: ' . $node->sql("SELECT string_agg(DISTINCT concat_ws(' ', event_type, attempts, error), '; ') FROM billstack_internal.inbox");
}
# One after the other, each done before the next is there, or all in one transaction.
sub hand_in
{
	my ($team, $way, @events) = @_;
	my @statements = map { statement($team, $_) } @events;
	for (@statements) { $node->sql($_), done() if $way eq 'alone'; }
	$node->sql("BEGIN;\n" . join(";\n", @statements) . ";\nCOMMIT"), done() if $way ne 'alone';
	return;
}

sub common { my ($id, $object, %more) = @_; return { id => $id, object => $object, created => $past - 100, livemode => \0, metadata => {}, %more }; }
sub metadata { my ($project) = @_; return { metadata => defined $project ? { project_id => $project } : {} }; }
sub price_object { my ($id) = @_; return common($id, 'price', active => \1, currency => 'usd', product => 'prod_x', type => 'recurring',
	unit_amount => 1000, unit_amount_decimal => '1000', billing_scheme => 'per_unit',
	recurring => { interval => 'month', interval_count => 1, usage_type => 'licensed' }); }
sub subscription
{
	my ($n, %with) = @_;
	my @prices = @{ $with{prices} // [ "price_$n" ] };
	my $place = 0;
	return common("sub_$n", 'subscription', customer => $with{customer} // "cus_$n", status => $with{status} // 'active', currency => 'usd',
		cancel_at_period_end => \0, start_date => $past - 100, discounts => [], %{ metadata($with{project}) },
		items => { object => 'list', has_more => \0, data => [ map { common("si_${n}_" . $place++, 'subscription_item',
			subscription => "sub_$n", quantity => 1, current_period_start => $past, current_period_end => $past + 86400,
			price => price_object($_)) } @prices ] });
}
sub invoice
{
	my ($n, %with) = @_;
	my $of = exists $with{subscription} ? $with{subscription} : "sub_$n";
	return common("in_$n", 'invoice', customer => $with{customer} // "cus_$n", status => 'paid', currency => 'usd', amount_due => 1000,
		amount_paid => 1000, attempted => \1, number => "N-$n", %{ metadata($with{project}) },
		parent => defined $of ? { type => 'subscription_details', subscription_details => { subscription => $of,
			%{ metadata($with{known}) } } } : undef,
		lines => { object => 'list', has_more => \0, data => [ { id => "il_$n", object => 'line_item', livemode => \0,
			amount => 1000, currency => 'usd', metadata => {}, invoice => "in_$n",
			pricing => { type => 'price_details', price_details => { price => $with{price} // "price_$n" } } } ] });
}
sub intent { my ($n, %with) = @_; return common("pi_$n", 'payment_intent', customer => $with{customer} // "cus_$n", amount => 1000, amount_received => 1000,
	currency => 'usd', status => 'succeeded', latest_charge => "ch_$n", %{ metadata($with{project}) }); }
sub charge { my ($n, %with) = @_; return common("ch_$n", 'charge', customer => $with{customer} // "cus_$n", amount => 1000, amount_captured => 1000,
	amount_refunded => 0, captured => \1, paid => \1, currency => 'usd', status => 'succeeded', balance_transaction => 'txn_1',
	payment_intent => exists $with{intent} ? $with{intent} : "pi_$n", %{ metadata($with{project}) }); }
sub invoice_payment { my ($n) = @_; return { id => "inpay_$n", object => 'invoice_payment', created => $past - 100, livemode => \0, invoice => "in_$n",
	status => 'paid', currency => 'usd', payment => { type => 'payment_intent', payment_intent => "pi_$n" } }; }
sub session { my ($n, %with) = @_; return common("cs_$n", 'checkout.session', customer => "cus_$n", mode => 'subscription', status => 'complete',
	subscription => $with{subscription}, payment_intent => $with{intent}, %{ metadata($with{project}) }); }

my %type_of = ('subscription' => 'customer.subscription.updated', 'invoice' => 'invoice.paid', 'payment_intent' => 'payment_intent.succeeded',
	'charge' => 'charge.succeeded', 'checkout.session' => 'checkout.session.completed', 'invoice_payment' => 'invoice_payment.paid',
	'customer' => 'customer.updated');
sub events_of { return map { event($type_of{ $_->{object} }, $_) } @_; }

sub permutations
{
	my (@items) = @_;
	return [] if !@items;
	my @all;
	for my $i (0 .. $#items)
	{
		my @rest = @items;
		my ($first) = splice @rest, $i, 1;
		push @all, map { [ $first, @$_ ] } permutations(@rest);
	}
	return @all;
}

# "sub_1 proj_a, in_1 -" for everything of that number.
sub where_is
{
	my ($n) = @_;
	my $seen = $node->sql(qq{SELECT string_agg(concat_ws(' ', x.id, coalesce(x.project_id, '-')), ', ' ORDER BY x.id) FROM (
		SELECT stripe_subscription_id, project_id FROM billstack_internal.project_subscription UNION ALL
		SELECT stripe_invoice_id, project_id FROM billstack_internal.project_invoice UNION ALL
		SELECT stripe_payment_id, project_id FROM billstack_internal.project_payment) AS x (id, project_id)
		WHERE x.id ~ '_$n\$'});
	return $seen;
}

# A case: what it takes first, what comes as events, and where everything ends up, in every order.
sub rule
{
	my ($name, %case) = @_;
	my @orders = permutations(0 .. $case{count} - 1);
	my @wrong;
	for my $order (map { [ 'alone', @$_ ], [ 'together', @$_ ] } @orders)
	{
		my ($way, @indexes) = @$order;
		my $n = ++$number;
		$case{first}->($n) if $case{first};
		my @events = events_of($case{objects}->($n));
		die "$name has " . @events . ' events' if @events != $case{count};
		hand_in('acme', $way, @events[@indexes]);
		my $expected = join ', ', map { "$_\_$n $case{found}{$_}" } sort keys %{ $case{found} };
		my $seen = where_is($n);
		push @wrong, "$way @indexes: $seen, not $expected" if $seen ne $expected;
		my $ids = join ',', map { "'$_->{id}'" } @events;
		my $lost = $node->sql("SELECT count(*) FROM billstack.webhook_events WHERE event_id IN ($ids)
			AND routing IS DISTINCT FROM " . ((grep { $_ eq '-' } values %{ $case{found} }) ? "'unrouted'" : "'routed'")
			. " AND object_kind IN ('subscription', 'invoice', 'payment_intent', 'charge')");
		push @wrong, "$way @indexes: $lost events with another routing in the ledger" if $lost;
	}
	diag($_) for @wrong;
	is(scalar @wrong, 0, sprintf '%s: %d orders', $name, 2 * @orders);
	return;
}

connect_team($_) for qw(acme other);
project('acme', 'proj_a');
project('acme', 'proj_b');
project('acme', 'proj_off', 'NULL');
project('other', 'proj_foreign');

sub everything { my ($n, %with) = @_; return (subscription($n, %{ $with{sub} // {} }), invoice($n, %{ $with{inv} // {} }), invoice_payment($n),
	intent($n, %{ $with{pi} // {} })); }
my %all_in_b = (sub => 'proj_b', in => 'proj_b', pi => 'proj_b');
my %all_in_a = (sub => 'proj_a', in => 'proj_a', pi => 'proj_a');
my $in_both = sub { my ($n) = @_; customer($_, "cus_$n") for qw(proj_a proj_b); };

rule('the object\'s own metadata', count => 3, found => { sub => 'proj_a', in => 'proj_b', pi => 'proj_a' }, objects => sub { my ($n) = @_;
	(subscription($n, project => 'proj_a'), invoice($n, project => 'proj_b'), intent($n, project => 'proj_a')); });
rule('own metadata of the invoice before its subscription\'s', count => 3, found => { sub => 'proj_a', in => 'proj_b' }, first => $in_both,
	objects => sub { my ($n) = @_; (subscription($n, project => 'proj_a'), invoice($n, project => 'proj_b'), session($n, project => 'proj_a', subscription => "sub_$n")); });
rule('the checkout session\'s metadata, for a subscription', count => 3, found => { sub => 'proj_b', in => 'proj_b' }, first => $in_both,
	objects => sub { my ($n) = @_; (session($n, project => 'proj_b', subscription => "sub_$n"), subscription($n), invoice($n)); });
rule('the checkout session\'s metadata, for a payment', count => 3, found => { pi => 'proj_b' }, first => $in_both,
	objects => sub { my ($n) = @_; (session($n, project => 'proj_b', intent => "pi_$n"), intent($n), charge($n)); });
rule('the subscription\'s metadata as the invoice knew them', count => 2, found => { in => 'proj_b', pi => 'proj_b' }, first => $in_both,
	objects => sub { my ($n) = @_; (invoice($n, known => 'proj_b'), { %{ intent($n) }, invoice => "in_$n" }); });
rule('a subscription\'s metadata, for all that hangs on it', count => 4, found => \%all_in_b, first => $in_both,
	objects => sub { my ($n) = @_; everything($n, sub => { project => 'proj_b' }); });
rule('the project that owns the price', count => 4, found => \%all_in_b, first => sub { my ($n) = @_; $in_both->($n); price('proj_b', "price_$n"); },
	objects => sub { my ($n) = @_; everything($n); });
rule('the price goes before the customer', count => 2, found => { sub => 'proj_b', in => 'proj_b' },
	first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); price('proj_b', "price_$n"); },
	objects => sub { my ($n) = @_; (subscription($n), invoice($n)); });
rule('a price of two projects: the customer decides', count => 2, found => { sub => 'proj_a', in => 'proj_a' },
	first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); price($_, "price_$n") for qw(proj_a proj_b); },
	objects => sub { my ($n) = @_; (subscription($n), invoice($n)); });
rule('prices and customer of two projects each', count => 2, found => { sub => '-', in => '-' },
	first => sub { my ($n) = @_; $in_both->($n); price($_, "price_$n") for qw(proj_a proj_b); },
	objects => sub { my ($n) = @_; (subscription($n), invoice($n)); });
rule('a price of a project that is not linked here belongs to nobody else', count => 2, found => { sub => '-', in => '-' },
	first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); price('proj_off', "price_$n"); },
	objects => sub { my ($n) = @_; (subscription($n), invoice($n)); });
rule('the only project of the customer', count => 4, found => \%all_in_a, first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); },
	objects => sub { my ($n) = @_; everything($n); });
rule('the same e-mail in two projects and nothing else: no guess', count => 3, found => { sub => '-', in => '-', pi => '-' }, first => $in_both,
	objects => sub { my ($n) = @_; (subscription($n), invoice($n), intent($n)); });
rule('the customer\'s only project, but the subscription says another', count => 4, found => \%all_in_b,
	first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); }, objects => sub { my ($n) = @_; everything($n, sub => { project => 'proj_b' }); });
rule('the customer\'s only project, but the checkout session says another', count => 4, found => { sub => 'proj_b', in => 'proj_b' },
	first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); },
	objects => sub { my ($n) = @_; (session($n, project => 'proj_b', subscription => "sub_$n"), subscription($n), invoice($n), invoice_payment($n)); });
rule('metadata of another team\'s project count for nothing', count => 2, found => { sub => 'proj_a', in => 'proj_a' },
	first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); customer('proj_foreign', "cus_$n"); price('proj_foreign', "price_$n"); },
	objects => sub { my ($n) = @_; (subscription($n, project => 'proj_foreign'), invoice($n, project => 'proj_foreign', known => 'proj_foreign')); });
rule('nor those of a project that is not linked', count => 2, found => { sub => '-', in => '-' },
	objects => sub { my ($n) = @_; (subscription($n, project => 'proj_off'), invoice($n, project => 'proj_nowhere')); });
rule('a charge without an intent', count => 1, found => { ch => 'proj_a' }, first => sub { my ($n) = @_; customer('proj_a', "cus_$n"); },
	objects => sub { my ($n) = @_; charge($n, intent => undef); });
rule('a charge whose intent is not there', count => 1, found => { pi => 'proj_b' }, first => $in_both,
	objects => sub { my ($n) = @_; charge($n, project => 'proj_b'); });

done_testing();
