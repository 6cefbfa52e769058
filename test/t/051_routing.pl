# Which project an event belongs to: every rule as a case, each in every order in which its events can come, one
# by one and all in one batch; metadata of others; what finds no project, and is replayed; the mirror that was
# there before the project; and many teams beside each other.
use strict;
use warnings;
use Billstack::Inbox qw(drained);
use Billstack::Node;
use Billstack::Session;
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

# --- what a row once routed does ---------------------------------------------------------------------------

{
	my $n = ++$number;
	customer('proj_a', "cus_$n");
	hand_in('acme', 'alone', events_of(subscription($n), invoice($n)));
	is(where_is($n), "in_$n proj_a, sub_$n proj_a", 'a subscription of the customer\'s project');
	price('proj_b', "price_$n");
	customer('proj_b', "cus_$n");
	hand_in('acme', 'alone', event('customer.subscription.updated', subscription($n, status => 'past_due'), $past + 1));
	is(where_is($n), "in_$n proj_a, sub_$n proj_a", 'stays when another project comes to own price and customer');
	hand_in('acme', 'alone', event('customer.subscription.updated', subscription($n, project => 'proj_foreign'), $past + 2));
	is(where_is($n), "in_$n proj_a, sub_$n proj_a", 'and when its metadata name another team\'s');
	hand_in('acme', 'alone', event('customer.subscription.updated', subscription($n, project => 'proj_b'), $past + 3));
	is(where_is($n), "in_$n proj_b, sub_$n proj_b", 'moves when its own metadata name another project, with what hangs on it');
	hand_in('acme', 'alone', event('customer.subscription.updated', subscription($n), $past + 4));
	is(where_is($n), "in_$n proj_b, sub_$n proj_b", 'and stays there when they fall silent');
	hand_in('acme', 'alone', event('customer.subscription.updated', subscription($n, project => 'proj_a'), $past + 5));
	is(where_is($n), "in_$n proj_b, sub_$n proj_a", 'and moves once more, but not the invoice, which was its project\'s');
}

# --- unrouted, kept, replayed ------------------------------------------------------------------------------

{
	my $n = ++$number;
	my @events = events_of(subscription($n), invoice($n), intent($n), session($n), common("cus_$n", 'customer', email => 'x@example.org'));
	hand_in('acme', 'together', @events);
	is(where_is($n), "in_$n -, pi_$n -, sub_$n -", 'nothing is known of them');
	my $ids = join ',', map { "'$_->{id}'" } @events;
	my $routings = "SELECT string_agg(DISTINCT concat_ws(' ', routing, project), ', ') FROM billstack.webhook_events WHERE event_id IN ($ids)";
	is($node->sql($routings), 'unrouted', 'all of them are unrouted');
	customer('proj_b', "cus_$n");
	$node->sql("SELECT billstack.replay('$_->{id}', 'acme')") for @events;
	done();
	is(where_is($n), "in_$n proj_b, pi_$n proj_b, sub_$n proj_b", 'replayed, they find the customer that was assigned meanwhile');
	is($node->sql($routings), 'routed proj_b', 'in the ledger too');
	is($node->sql("SELECT count(*) FROM billstack.webhook_events WHERE event_id IN ($ids) AND outcome = 'applied'"), '0',
		'though the mirror has not changed');
	my $m = ++$number;
	my $o = ++$number;
	hand_in('acme', 'together', events_of(map { (subscription($_), common("cus_$_", 'customer', email => "c$_\@example.org")) } $m, $o));
	$node->sql("SELECT billstack.assign_customers('proj_a', ARRAY['cus_$m', 'cus_$o'])");
	is(where_is("($m|$o)"), "sub_$m proj_a, sub_$o proj_a", 'customers assigned in bulk take their subscriptions along');
	is($node->sql("SELECT count(*) FROM billstack_internal.event WHERE object_id IN ('sub_$m', 'sub_$o') AND project_id = 'proj_a'"), '2',
		'and the events of those');
	my $price = ++$number;
	hand_in('acme', 'alone', events_of(subscription($price, project => 'proj_a')));
	is($node->sql("SELECT price_id IS NULL FROM billstack_internal.project_subscription WHERE stripe_subscription_id = 'sub_$price'"), 't',
		'a price that the project does not have');
	price('proj_a', "price_$price");
	hand_in('acme', 'alone', event('price.updated', price_object("price_$price")));
	is($node->sql("SELECT price_id IS NULL FROM billstack_internal.project_subscription WHERE stripe_subscription_id = 'sub_$price'"), 'f',
		'and has when it comes');
}

# --- customers, products and prices ------------------------------------------------------------------------

{
	my $n = ++$number;
	my $pc = customer('proj_a', "cus_$n");
	my $other = customer('proj_a', "cus_other$n");
	my $row = sub { $node->sql("SELECT concat_ws(' ', email, name, deleted_at IS NOT NULL) FROM billstack_internal.project_customer WHERE id = '$pc'"); };
	hand_in('acme', 'alone', event('customer.updated', common("cus_$n", 'customer', email => "new$n\@example.org", name => 'New'), $past));
	is($row->(), "new$n\@example.org New f", 'a customer is changed at Stripe');
	hand_in('acme', 'alone', event('customer.updated', common("cus_$n", 'customer', email => "$other\@example.org", name => 'Newer'), $past + 1));
	is($row->(), "new$n\@example.org Newer f", 'to an e-mail that the project has already: that one stays');
	hand_in('acme', 'alone', event('customer.deleted', common("cus_$n", 'customer', email => "$other\@example.org"), $past + 2));
	is($row->(), "new$n\@example.org Newer t", 'and deleted');
	my $m = ++$number;
	my $pri = price('proj_a', "price_$m");
	my $product = 'prod_' . ($pri =~ s/pri_//r);
	hand_in('acme', 'alone', event('product.updated', common($product, 'product', name => 'Renamed', description => 'd', active => \0)),
		event('price.updated', { %{ price_object("price_$m") }, active => \0 }));
	is($node->sql("SELECT concat_ws(' ', p.name, p.description, p.is_active, r.is_active) FROM billstack_internal.project_price AS r
		JOIN billstack_internal.project_product AS p ON p.id = r.product_id WHERE r.id = '$pri'"), 'Renamed d f f', 'product and price are changed');
}

# --- monthly recurring revenue -----------------------------------------------------------------------------

sub mrr_of
{
	my (%with) = @_;
	my $n = ++$number;
	my $sub = subscription($n, project => 'proj_a', prices => [ map { "price_${n}_$_" } 0 .. $#{ $with{items} } ]);
	for my $i (0 .. $#{ $with{items} })
	{
		my %item = %{ $with{items}[$i] };
		my $to = $sub->{items}{data}[$i];
		$to->{quantity} = delete $item{quantity} if exists $item{quantity};
		$to->{price}{recurring} = { interval => 'month', interval_count => 1, usage_type => 'licensed', %{ delete $item{recurring} // {} } };
		@{ $to->{price} }{ keys %item } = values %item;
	}
	$sub->{$_} = $with{$_} for grep { exists $with{$_} } qw(discounts discount latest_invoice);
	hand_in('acme', 'together', events_of($sub, @{ $with{more} // [] }));
	return $node->sql("SELECT concat_ws(' ', coalesce(mrr::text, '-'), coalesce(mrr_discounted::text, '-'))
		FROM billstack_internal.project_subscription WHERE stripe_subscription_id = 'sub_$n'");
}
sub coupon { my (%with) = @_; return { object => 'discount', id => 'di_' . ++$number, end => delete $with{end}, coupon => { id => 'C', duration => 'forever', %with } }; }
is(mrr_of(items => [ { unit_amount_decimal => '1250.5', quantity => 4 } ]), '5002 5002', 'MRR: a month, quantity, fractions of a cent');
is(mrr_of(items => [ { unit_amount_decimal => '1000', recurring => { interval => 'year' } } ]), '83.333333 83.333333', 'a year');
is(mrr_of(items => [ { unit_amount_decimal => '1200', recurring => { interval => 'month', interval_count => 3 } } ]), '400 400', 'a quarter');
is(mrr_of(items => [ { unit_amount_decimal => '300', recurring => { interval => 'week' } } ]), '1300 1300', 'a week');
is(mrr_of(items => [ { unit_amount_decimal => '12', quantity => 2, recurring => { interval => 'day' } } ]), '730 730', 'a day');
is(mrr_of(items => [ { unit_amount_decimal => '1000' }, { unit_amount_decimal => '600', quantity => undef, recurring => { usage_type => 'metered' } } ]), '1000 1000', 'metered usage is nothing beforehand');
is(mrr_of(items => [ { unit_amount_decimal => '1000' }, { unit_amount_decimal => undef, unit_amount => undef, billing_scheme => 'tiered' } ]), '- -', 'tiers: not known');
is(mrr_of(items => [ { unit_amount_decimal => '500', quantity => 11, transform_quantity => { divide_by => 5, round => 'up' } } ]), '1500 1500', 'packages of five');
is(mrr_of(items => [ { unit_amount_decimal => '2000' } ], discounts => [ coupon(percent_off => 25), coupon(percent_off => 10) ]), '2000 1350', 'two percentages');
is(mrr_of(items => [ { unit_amount_decimal => '12000', recurring => { interval => 'year' } } ], discounts => [ coupon(amount_off => 2400, currency => 'usd') ]), '1000 800', 'an amount off a yearly bill');
is(mrr_of(items => [ { unit_amount_decimal => '2000' } ], discount => coupon(percent_off => 100)), '2000 0', 'everything off, in the old place');
is(mrr_of(items => [ { unit_amount_decimal => '2000' } ], discounts => [ coupon(percent_off => 50, duration => 'once') ]), '2000 2000', 'once does not recur');
is(mrr_of(items => [ { unit_amount_decimal => '2000' } ], discounts => [ coupon(percent_off => 50, duration => 'repeating', end => $past),
	coupon(percent_off => 10, duration => 'repeating', end => $past + 1e6) ]), '2000 1800', 'a discount that has ended and one that has not');
is(mrr_of(items => [ { unit_amount_decimal => '2000' } ], discounts => [ { object => 'discount', id => 'di_1', source => { type => 'coupon', coupon => 'HALF' } } ],
	more => []), '2000 2000', 'a coupon that the mirror does not have');
{
	my $n = $number + 1;
	my $invoice = { %{ invoice("m$n", subscription => "sub_$n", project => 'proj_a') }, total_discount_amounts => [ { amount => 700, discount => 'di_x' } ] };
	$invoice->{lines}{data}[0]{discount_amounts} = [ { amount => 700, discount => 'di_x' }, { amount => 5, discount => 'di_gone' } ];
	is(mrr_of(items => [ { unit_amount_decimal => '2000' } ], discounts => ['di_x'], latest_invoice => "in_m$n", more => [$invoice]), '2000 1300',
		'a discount by its id: what it took off the latest invoice');
}

# --- a mirror that was there before ------------------------------------------------------------------------

my $rows = sub { my ($project) = @_; return $node->sql(join ' UNION ALL ', map { "SELECT '$_ ' || (to_jsonb(x) - '{id,project_id,integration_id,customer_id,price_id,updated_at}'::text[])::text
	|| concat(' ', x.customer_id IS NOT NULL, CASE WHEN '$_' = 'project_subscription' THEN to_jsonb(x) ->> 'price_id' IS NOT NULL END)
	FROM billstack_internal.$_ AS x WHERE project_id = '$project'" } qw(project_subscription project_invoice project_payment)) };
{
	my $full = Billstack::Simulator->new(seed => 52, customers => 40, products => 6, prices => 12, subscriptions => 60, invoices => 80, charges => 80);
	$node->append_conf('postgresql.conf', "billstack.api_base = '" . $full->url . "'");
	$node->restart;
	my $link = sub { my ($team) = @_;
		$node->sql("SELECT billstack.link_project('proj_$team', 'default')"); };
	for my $team (qw(before after))
	{
		$node->connect_team($team, $full->key);
		project($team, "proj_$team", 'NULL');
		my $cut = 0;
		customer("proj_$team", $_->{id}) for grep { $cut++ % 2 } sort { $a->{id} cmp $b->{id} } $full->objects('customer');
		price("proj_$team", $_->{id}) for grep { $cut++ % 3 == 0 } sort { $a->{id} cmp $b->{id} } $full->objects('price');
		$link->($team) if $team eq 'before';
		is($node->run_ends($node->start_backfill($team)), 'done', "backfill of team $team");
		$link->($team) if $team eq 'after';
	}
	my %seen = map { $_ => join "\n", sort split /\n/, $rows->("proj_$_") } qw(before after);
	is($seen{after}, $seen{before}, sprintf 'linked before or after the backfill: the same %d rows', scalar(my @lines = split /\n/, $seen{before}));
	my %number_of = map { my $table = $_; ($table => scalar grep { /^$table / } split /\n/, $seen{before}) } qw(project_subscription project_invoice project_payment);
	ok(!(grep { !$_ } values %number_of), join ', ', map { "$number_of{$_} $_" } sort keys %number_of);
	project('after', 'proj_second');
	is($rows->('proj_second'), '', 'a second project takes nothing of the first');
	# Linking keeps the worker from writing what it could not see.
	$node->sql("SELECT billstack.unlink_project('proj_before'); SELECT billstack.set_webhook_secret('before', '$secret')");
	my $session = Billstack::Session->new($node, 'postgres');
	$session->value('BEGIN');
	$session->value("SELECT billstack.link_project('proj_before', 'default') ->> 'project'");
	my $n = ++$number;
	$node->sql(statement('before', events_of(subscription($n, project => 'proj_before'))));
	$node->comes_true("SELECT count(*) = 1 FROM billstack_internal.inbox WHERE next_try IS NOT NULL AND attempts = 0", 'an event waits while a project is linked');
	$session->value('COMMIT');
	done();
	is(where_is($n), "sub_$n proj_before", 'and finds it afterwards');
	$node->append_conf('postgresql.conf', "billstack.api_base = '" . $sim->url . "'");
	$node->restart;
}

# --- whose rights --------------------------------------------------------------------------------------------

{
	$node->sql(q{CREATE ROLE mallory; GRANT CREATE ON DATABASE postgres TO mallory; SELECT billstack.grant_access('mallory', 'admin')});
	my $as = "SET ROLE mallory;";
	$node->sql("$as SELECT billstack.connect('evil', '" . $sim->key . "')");
	$node->sql("$as SELECT billstack.set_webhook_secret('evil', '$secret')");
	$node->sql("$as SELECT billstack.create_project('evil', 'Evil', id => 'proj_evil')");
	my $n = ++$number;
	hand_in('evil', 'alone', events_of(session($n, subscription => "sub_$n", project => 'proj_evil')));
	# A table that is only read becomes a view whose function runs with the rights of who reads it.
	$node->sql(qq{$as CREATE TABLE stripe_team_evil.seen (who name);
		CREATE FUNCTION stripe_team_evil.probe(jsonb) RETURNS jsonb LANGUAGE plpgsql AS
		\$f\$ BEGIN INSERT INTO stripe_team_evil.seen VALUES (current_user); RETURN \$1; END \$f\$;
		ALTER TABLE stripe_team_evil.checkout_sessions RENAME TO hidden;
		CREATE VIEW stripe_team_evil.checkout_sessions AS
		SELECT id, subscription, payment_intent, created, stripe_team_evil.probe(metadata) AS metadata FROM stripe_team_evil.hidden});
	hand_in('evil', 'alone', events_of(subscription($n)));
	is(where_is($n), "sub_$n proj_evil", 'a mirror with a view of its owner');
	is($node->sql("SELECT string_agg(DISTINCT who, ',') FROM stripe_team_evil.seen"), 'mallory', 'is read by its owner alone');
}

# --- many teams --------------------------------------------------------------------------------------------

{
	my @teams = map { sprintf 'team%02d', $_ } 1 .. 20;
	my $shared = 'cus_shared';
	for my $team (@teams)
	{
		connect_team($team);
		project($team, "proj_$team");
		customer("proj_$team", $shared);
	}
	my $pairs = 0;
	for my $team (@teams)
	{
		my @events;
		for my $other (@teams)
		{
			my $n = ++$number;
			push @events, events_of(subscription($n, customer => $shared, project => "proj_$other"), invoice($n, customer => $shared, project => "proj_$other", known => "proj_$other"),
				intent($n, customer => $shared, project => "proj_$other"));
			$pairs++;
		}
		$node->sql("BEGIN;\n" . join(";\n", map { statement($team, $_) } @events) . ";\nCOMMIT");
	}
	done();
	for my $table (qw(project_subscription project_invoice project_payment))
	{
		is($node->sql("SELECT concat_ws(' ', count(*), count(*) FILTER (WHERE p.team = i.team AND p.id = 'proj_' || i.team)) FROM billstack_internal.$table AS x
			JOIN billstack_internal.integration AS i ON i.id = x.integration_id LEFT JOIN billstack_internal.project AS p ON p.id = x.project_id
			WHERE i.team LIKE 'team__'"), "$pairs $pairs", "$table: 20 teams name each other's projects, all pairs, no crossings");
	}
	is($node->sql("SELECT count(*) FROM billstack_internal.event AS e JOIN billstack_internal.integration AS i ON i.id = e.integration_id
		WHERE i.team LIKE 'team__' AND e.project_id IS DISTINCT FROM 'proj_' || i.team"), '0', 'nor in the ledger');
}

{
	my ($n) = ++$number;
	hand_in('team01', 'alone', events_of(subscription($n)));
	my $left = "SELECT concat_ws(' ', count(*) FILTER (WHERE project_id IS NULL) > 0, count(*) FILTER (WHERE project_id = 'proj_team01') > 0)
		FROM billstack_internal.project_subscription WHERE integration_id NOT IN (SELECT id FROM billstack_internal.integration WHERE team <> 'team01')";
	is($node->sql($left), 't t', 'a team has rows with and without a project');
	$node->sql("SELECT billstack.unlink_project('proj_team01')");
	$node->sql("SELECT billstack.disconnect('team01')");
	is($node->sql($left), 'f t', 'disconnected, only those of its project are left');
}

done_testing();
