# The cases that every mirror fed by events must get right, by name: each in two orders at least, with its
# events in one transaction and in transactions of their own, each delivered more than once. All of them run
# side by side on one server; the end is compared with the simulated Stripe field by field.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in hand_in_sql drained settled outcomes);
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Digest::SHA qw(hmac_sha256_hex);
use Test::More;
use Time::HiRes qw(sleep);

my $secret = 'whsec_' . 'k' x 32;
my $mirror = 'stripe_team_acme';
my $sim = Billstack::Simulator->new(seed => 40, customers => 300, products => 12, prices => 20,
	subscriptions => 120, invoices => 60, charges => 60);
my $node = Billstack::Node->make('event_cases', $sim, conf => 'autovacuum = off');
my $past = time - 5000; # seconds of histories that no read overlaps

sub delivered { my (@ids) = @_; return $sim->deliveries(secret => $secret, events => \@ids, at => time); }
sub deliver { my (@ids) = @_; hand_in($node, 'acme', delivered(@ids)) if @ids; return; }
# An event that Stripe never had: a delivery's text, edited.
sub forged
{
	my ($id, $new_id, $edit) = @_;
	my ($one) = delivered($id);
	$one->{payload} =~ s/\Q$id\E/$new_id/ or die;
	$edit->() for $one->{payload};
	my $at = time;
	$one->{signature} = "t=$at,v1=" . hmac_sha256_hex("$at.$one->{payload}", $secret);
	return $one;
}
sub live { my ($table, $where) = @_; return $node->sql("SELECT count(*) FROM $mirror.$table WHERE _deleted_at IS NULL AND ($where)"); }
sub deleted { my ($table, $where) = @_; return $node->sql("SELECT count(*) FROM $mirror.$table WHERE _deleted_at IS NOT NULL AND ($where)"); }
sub value { my ($table, $id, $column) = @_; return $node->sql("SELECT $column FROM $mirror.$table WHERE id = '$id' AND _deleted_at IS NULL"); }

# All orders of 0 .. n-1.
sub orders
{
	my ($n) = @_;
	return ([]) if $n == 0;
	return map { my $shorter = $_; map { [ @$shorter[ 0 .. $_ - 1 ], $n - 1, @$shorter[ $_ .. $n - 2 ] ] } 0 .. $n - 1 } orders($n - 1);
}

# A copy of a case for each order and way: what the mirror knows before, then events in this order.
my (@together, @apart, @before, $copies);
sub each_order
{
	my ($make, @orders) = @_;
	my @ids;
	for my $way (\@together, \@apart)
	{
		for my $order (@orders)
		{
			my ($object, $first, @events) = $make->(++$copies);
			push @ids, $object;
			push @before, @$first;
			push @$way, [ @events[@$order] ];
		}
	}
	return @ids;
}
sub in_list { return 'id IN (' . join(', ', map { "'$_'" } @_) . ')'; }

# --- before the first backfill -------------------------------------------------------------------------

# Case 13 is about what a list hides: archived and canceled things.
my ($canceled) = map { $_->{id} } $sim->objects('subscription');
my ($product) = map { $_->{id} } $sim->objects('product');
my ($price) = map { $_->{id} } $sim->objects('price');
my @archived = map { $_->{id} } $sim->delete('subscription', $canceled, at => $past),
  map { $sim->update($_->[0], $_->[1], { active => \0 }, at => $past) } [ 'product', $product ], [ 'price', $price ];

$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.rotate_keys('acme', NULL, webhook_secret => '$secret')");
# Each state a customer has had in the mirror, in the order they came.
$node->sql("CREATE TABLE history (n bigserial, id text, email text, gone boolean);
	GRANT ALL ON history TO PUBLIC; GRANT ALL ON SEQUENCE history_n_seq TO PUBLIC;
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN INSERT INTO public.history (id, email, gone) VALUES (NEW.id, NEW.email, NEW._deleted_at IS NOT NULL); RETURN NULL; END';
	CREATE TRIGGER note AFTER INSERT OR UPDATE ON $mirror.customers FOR EACH ROW EXECUTE FUNCTION note()");

# Cases 3, 4 and 14: the backfill's pages are read, and written a second later. Meanwhile things change.
my @customers = reverse map { $_->{id} } $sim->objects('customer');
my ($first_page) = map { $_->{id} } ($sim->objects('customer'))[0];
$sim->faults({ match => { path => '^/v1/(customers|products|prices|subscriptions|invoices|charges)$' }, action => { delay_ms => 1000 } });
my $run = $node->start_backfill('acme');
ok($node->wait_until(sub { grep { ($_->{target} // '') =~ m{^/v1/customers} } $sim->ledger }), 'a page of customers is asked for');
my @newer = map { $_->{id} } $sim->update('customer', $first_page, { email => 'newer@example.com' });
deliver(@newer);
$node->comes_true("SELECT email = 'newer\@example.com' FROM $mirror.customers WHERE id = '$first_page'", 'case 3: a newer event is there before the page');
my (@while, @late);
for my $round (0 .. 9)
{
	my @some = map { $_->{id} } $sim->changes(
		{ op => 'create', kind => 'customer', id => "cus_while$round", fields => { email => "while$round\@example.com" } },
		{ op => 'update', kind => 'customer', id => $customers[ 10 + $round ], fields => { name => "while $round" } },
		{ op => 'delete', kind => 'customer', id => $customers[ 50 + $round ] },
		{ op => 'update', kind => 'price', id => ($sim->objects('price'))[ 1 + $round ]{id}, fields => { nickname => "n$round" } },
		$round ? { op => 'delete', kind => 'customer', id => 'cus_while' . ($round - 1) } : ());
	# Some at once, the others when it is over, the last first.
	if ($round % 2) { push @late, @some; } else { deliver(@some); push @while, @some; }
	sleep 0.15;
}
is($node->run_ends($run), 'done', 'the backfill ends beside all that');
$sim->faults;
deliver(reverse @late);
deliver(@newer, reverse(@while), @late);
settled($node);
is(value('customers', $first_page, 'email'), 'newer@example.com', 'case 3: the event\'s state stays');
my $states = $node->sql("SELECT string_agg(DISTINCT coalesce(email, 'none'), ' ') FROM history WHERE id = '$first_page'");
is($states, 'newer@example.com', 'case 3: and the page\'s older state was never to be seen');
is($node->sql("SELECT duplicates > 0 FROM billstack.inbox_status WHERE team = 'acme'"), 't', 'case 4: redelivered, it is a duplicate');
$node->equals_stripe($sim, $mirror, 'case 14: after changes while the backfill ran');
is(live('customers', "id LIKE 'cus_while%'"), 1, 'case 14: of those made and deleted meanwhile the last is left');
is(value('subscriptions', $canceled, 'status'), 'canceled', 'case 13: a canceled subscription is there after the backfill');
is(value('products', $product, 'active') . value('prices', $price, 'active'), 'ff', 'case 13: and an archived product and price');

# --- histories -----------------------------------------------------------------------------------------

my @case1 = each_order(sub {
	my $id = "sub_case1x$_[0]";
	return ($id, [], map { $_->{id} } $sim->create('subscription', { status => 'incomplete' }, id => $id, at => $past),
		$sim->update('subscription', $id, { status => 'active' }, at => $past));
}, [ 0, 1 ], [ 1, 0 ]);

my @case2 = map { my $last = $_; each_order(sub {
	my $id = "cus_case2x$_[0]";
	my @made = map { $_->{id} } $sim->create('customer', { email => 'a@example.com' }, id => $id, at => $past),
	  map { $sim->update('customer', $id, { email => $_ }, at => $past + 10) } 'b@example.com', 'a@example.com', $last;
	return ($id, [ shift @made ], @made);
}, orders(3)) } 'b@example.com', 'c@example.com';

my (@case5, @case5_coupons);
for my $step (0, 10)
{
	push @case5, each_order(sub {
		my $id = "cus_case5x$_[0]";
		return ($id, [], map { $_->{id} } $sim->create('customer', { email => 'a@example.com' }, id => $id, at => $past),
			$sim->update('customer', $id, { email => 'b@example.com' }, at => $past + $step), $sim->delete('customer', $id, at => $past + 2 * $step));
	}, orders(3));
	push @case5_coupons, each_order(sub {
		my $id = "CASE5X$_[0]";
		return ($id, [], map { $_->{id} } $sim->create('coupon', { name => 'a' }, id => $id, at => $past),
			$sim->update('coupon', $id, { name => 'b' }, at => $past + $step), $sim->delete('coupon', $id, at => $past + 2 * $step));
	}, orders(3));
}

my @case6 = map { my $step = $_; each_order(sub {
	my $id = "CASE6X$_[0]";
	return ($id, [], map { $_->{id} } $sim->create('coupon', { name => 'first' }, id => $id, at => $past),
		$sim->delete('coupon', $id, at => $past + 10), $sim->create('coupon', { name => 'second' }, id => $id, at => $past + 10 + $step));
}, orders(3)) } 0, 10;

# Case 7, 8 and 9: what is made first and changed when the mirror has it.
my @case7 = map { "sub_case7x$_" } 0 .. 3;
my @made7 = map { $_->{id} } map { $sim->create('subscription', { items => { data => [ map { {} } 1 .. 25 ] } }, id => $_, at => $past) } @case7;
my @features = $sim->make('feature', 40);
my @case9 = map { "cus_case9x$_" } 0, 1;
push @before, map { $_->{id} } map { $sim->create('customer', {}, id => $_, at => $past) } @case9;
my %summaries = map { my $customer = $_; ($customer => [ map { $_->{id} } map {
	$sim->create('active_entitlement', { feature => $_, customer => $customer }, at => $past) } @features ]) } @case9;

my @case8 = map { "sub_case8x$_" } 0, 1;
my %made8 = map { my $id = $_; ($id => [ map { $_->{id} } $sim->create('subscription', { status => 'incomplete', items => { data => [ {}, {} ] } }, id => $id, at => $past),
	$sim->update('subscription', $id, { status => 'active' }, at => $past + 1) ]) } @case8;
$node->sql("CREATE TABLE broken (id text); INSERT INTO broken VALUES ('$case8[0]'), ('$case8[1]'); GRANT SELECT ON broken TO PUBLIC;
	CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF EXISTS (SELECT FROM public.broken WHERE id = NEW.subscription) THEN RAISE ''broken for a while''; END IF; RETURN NULL; END';
	CREATE TRIGGER break AFTER INSERT OR UPDATE ON $mirror.subscription_items FOR EACH ROW EXECUTE FUNCTION break()");

my @given = (@before, @made7[ 0, 1 ], @{ $summaries{ $case9[0] } }, @archived);
deliver(@given);
deliver($made8{ $case8[0] }[0], $made8{ $case8[0] }[1]);
deliver(reverse @{ $made8{ $case8[1] } });
settled_but(4);
is(live('subscription_items', "subscription = '$_'"), 25, 'case 7: 25 items, ten of them in the event') for @case7[ 0, 1 ];
is(live('active_entitlements', "customer = '$case9[0]'"), 40, 'case 9: 40 features');
is(value('subscriptions', $canceled, 'status') . value('products', $product, 'active'), 'canceledf', 'case 13: their old events change nothing');

# What fails waits for its next try; everything else is done.
sub settled_but
{
	my ($failing) = @_;
	$node->comes_true("SELECT (SELECT count(*) FROM billstack_internal.inbox WHERE attempts > 0) = $failing
		AND (SELECT count(*) FROM billstack_internal.inbox) = $failing
		AND NOT EXISTS (SELECT FROM billstack_internal.refetch)", "all but $failing are done");
	return;
}

my %gone7;
for my $id (@case7)
{
	($gone7{$id}) = map { $_->{object}{id} } grep { $_->{parent} eq $id } $sim->objects_with_parents('subscription_item');
}
my @updated7 = map { $_->{id} } map { $sim->delete('subscription_item', $gone7{$_}, parent => $_) } @case7;
my %revoked = map { my $customer = $_; my ($one) = map { $_->{object}{id} } grep { $_->{parent} eq $customer } $sim->objects_with_parents('active_entitlement');
	($customer => [ $one, $sim->delete('active_entitlement', $one)->{id} ]) } @case9;
is($node->sql("SELECT count(*) FROM $mirror.subscriptions WHERE id LIKE 'sub_case8%'"), 0, 'case 8: of a graph that fails nothing is to be seen');
is($node->sql("SELECT bool_and(error LIKE '%broken for a while%') FROM billstack_internal.inbox"), 't', 'case 8: and the reason stands beside its events');
$node->sql('DELETE FROM broken');

# One transaction with everything, then a round for each event of those that come apart, each of them twice.
deliver(map { @$_ } @together);
deliver($updated7[0], $updated7[2], $made7[2], $updated7[3], $revoked{ $case9[0] }[1], reverse(@{ $summaries{ $case9[1] } }, $revoked{ $case9[1] }[1]));
for my $round (0 .. 2)
{
	my @now = map { $_->[$round] // () } @apart;
	deliver(@now);
	deliver(@now, $round == 0 ? ($updated7[1]) : $round == 1 ? (@made7[ 1, 3 ]) : ());
	$node->comes_true('SELECT NOT EXISTS (SELECT FROM billstack_internal.inbox WHERE attempts = 0)', "round $round is done");
}
ok(settled($node), 'nothing waits any more');
note('outcomes: ' . $node->sql("SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT outcome, count(*) AS n FROM billstack_internal.event GROUP BY 1) AS o"));

is(live('subscriptions', in_list(@case1) . " AND status = 'active'"), 4, 'case 1: created and updated in one second, both orders: active');
is(live('customers', in_list(@case2) . " AND email = 'b\@example.com'"), 12, 'case 2: three updates in one second, all orders, the last restores what the second undid');
is(live('customers', in_list(@case2) . " AND email = 'c\@example.com'"), 12, 'case 2: or goes on');
is(deleted('customers', in_list(@case5)), 24, 'case 5: created, updated, deleted in any order: deleted');
is(deleted('coupons', in_list(@case5_coupons)), 24, 'case 5: coupons too, whose ids may come back');
is($node->sql("SELECT count(*) FROM history WHERE id LIKE 'cus_case5%' AND NOT gone AND EXISTS
	(SELECT FROM history AS g WHERE g.id = history.id AND g.gone AND g.n < history.n)"), 0, 'case 5: and once deleted none of them was seen again');
is(live('coupons', in_list(@case6) . " AND name = 'second'"), 24, 'case 6: made again under its id, in any order: the second stays');
for my $i (0 .. 3)
{
	is(live('subscription_items', "subscription = '$case7[$i]'"), 24, "case 7: 24 of 25 items are left ($i)");
	is(deleted('subscription_items', "subscription = '$case7[$i]'"), $i < 2 ? 1 : 0, "case 7: one is marked where it had been seen ($i)");
}
is(deleted('subscription_items', in_list(@gone7{ @case7[ 0, 1 ] })), 2, 'case 7: those that were removed');
is(live('subscriptions', in_list(@case8) . " AND status = 'active'"), 2, 'case 8: the retry completes it, both orders');
is(live('subscription_items', "subscription LIKE 'sub_case8%'"), 4, 'case 8: with its items');
for my $customer (@case9)
{
	is(live('active_entitlements', "customer = '$customer'"), 39, 'case 9: one revoked of 40: 39');
	is(live('active_entitlements', "id = '$revoked{$customer}[0]'"), 0, 'case 9: not the one revoked');
}

# --- case 10: Stripe's clock is not ours -------------------------------------------------------------------

my @case10;
for my $ahead (600, -600)
{
	$sim->clock($ahead);
	my @events;
	for my $order ([ 0, 1, 2 ], [ 2, 1, 0 ])
	{
		my $id = 'cus_case10x' . @case10;
		push @case10, $id;
		my @made = map { $_->{id} } $sim->create('customer', { email => 'a@example.com' }, id => $id),
		  map { $sim->update('customer', $id, { email => $_ }) } 'b@example.com', 'c@example.com';
		push @events, @made[@$order];
	}
	deliver($_) for @events;
	ok(settled($node), "clock $ahead s ahead of the server's: done");
	is(live('customers', in_list(@case10[ -2, -1 ]) . " AND email = 'c\@example.com'"), 2, "case 10: $ahead s: the last state, both orders");
	is($node->sql("SELECT count(*) FROM billstack_internal.event WHERE event_id IN ('" . join("', '", @events) . "')"), 6, "case 10: $ahead s: each event is in the ledger");
	deliver(reverse @events);
}
$sim->clock(0);

# --- case 11: one event from many hands ----------------------------------------------------------------------

my ($single) = delivered($sim->create('customer', { email => 'once@example.com' }, id => 'cus_case11', at => $past)->{id});
my $counters = "SELECT processed || ' ' || duplicates FROM billstack.inbox_status WHERE team = 'acme'";
sub from_eight
{
	my ($first, $second) = split / /, $node->sql($counters);
	my $left = 50;
	my @sessions = map { Billstack::Session->new($node, 'postgres') } 1 .. 8;
	my $sql = hand_in_sql('acme', 'function', $single);
	$_->start($sql), $left-- for @sessions;
	while (@sessions)
	{
		my @answered = grep { $_->has_answer(0.001) } @sessions;
		for my $session (@answered)
		{
			my $answer = $session->answer;
			die $answer->{message} if $answer->{sqlstate};
			if ($left-- > 0) { $session->start($sql); } else { @sessions = grep { $_ != $session } @sessions; }
		}
	}
	settled($node);
	my ($processed, $duplicates) = split / /, $node->sql($counters);
	return ($processed - $first) . ' processed, ' . ($duplicates - $second) . ' duplicates';
}
is(from_eight(), '1 processed, 49 duplicates', 'case 11: one event 50 times at once by 8 connections: counted once');
is(from_eight(), '0 processed, 50 duplicates', 'case 11: and 50 times more when it is done');
is($node->sql("SELECT count(*) FROM billstack_internal.event WHERE event_id = '$single->{event_id}'"), 1, 'case 11: one row in the ledger');
is($node->sql("SELECT count(*) FROM history WHERE id = 'cus_case11'"), 1, 'case 11: one firing of a trigger');

# --- case 12: another account's, another mode's ------------------------------------------------------------------

my ($account) = map { $_->{id} } $sim->accounts;
for my $order ([ 0, 1, 2, 3 ], [ 3, 2, 1, 0 ])
{
	my $n = $order->[0];
	my $own = $sim->create('customer', { email => 'own@example.com' }, id => "cus_case12x$n", at => $past)->{id};
	my $edit_email = sub { s/own\@example/foreign\@example/; s/"created": $past/'"created": ' . ($past + 5)/e };
	my @copies = (forged($own, "evt_account$n", sub { $edit_email->(); s/^\{/{\n  "account": "acct_foreign000000",/ }),
		forged($own, "evt_live$n", sub { $edit_email->(); s/^(  "livemode": )false/$1true/m }),
		forged($own, "evt_own$n", sub { s/^\{/{\n  "account": "$account",/ }), delivered($own));
	hand_in($node, 'acme', @copies[@$order], @copies);
	settled($node);
	my $seen = outcomes($node);
	is(join(' ', @$seen{ "evt_account$n", "evt_live$n" }), 'other_account other_mode', 'case 12: told apart in the ledger');
	is($node->sql("SELECT string_agg(DISTINCT email, ' ') FROM history WHERE id = 'cus_case12x$n'"), 'own@example.com', 'case 12: and never mixed in');
}

# --- the end ---------------------------------------------------------------------------------------------------------

my $rows = $node->row_versions($mirror);
my $ledger = $node->sql('SELECT count(*) FROM billstack_internal.event');
hand_in($node, 'acme', $sim->deliveries(secret => $secret, at => time, order => 'random', seed => 40));
ok(drained($node) && settled($node), 'all of Stripe\'s events once more, at random');
is_deeply([ $node->changed_rows($rows, $node->row_versions($mirror)) ], [], 'change no row');
is($node->sql('SELECT count(*) FROM billstack_internal.event'), $ledger, 'nor the ledger');
is($node->sql("SELECT count(*) FROM billstack_internal.inbox"), 0, 'no dead letter');
$node->equals_stripe($sim, $mirror, 'and the mirror equals Stripe');
$node->equals_stripe($sim, $mirror, 'as its coupons and entitlements do', kinds => [qw(coupon active_entitlement)]);
done_testing();
