# No card number, security code or account number is stored, whatever brings it: events (applied, unknown, dead
# letters), pages of a backfill, reads of one object. All tables are searched.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in settled);
use Billstack::Node;
use Billstack::Simulator;
use Digest::SHA qw(hmac_sha256_hex);
use Test::More;

my $secret = 'whsec_' . 'c' x 32;
my $mirror = 'stripe_team_acme';
my @cards = ('4242424242424242', '378282246310005', '5555 5555 5555 4444', '6011-1111-1111-1117', '30569309025904');
my $sim = Billstack::Simulator->new(seed => 53, customers => 5, products => 2, prices => 2,
	subscriptions => 2, invoices => 2, charges => 2);
my $node = Billstack::Node->make('card_data', $sim, conf => 'billstack.refetch_delay = 300ms');
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.rotate_keys('acme', NULL, webhook_secret => '$secret')");

# --- by a backfill, by events and by reads --------------------------------------------------------------------

$sim->create('customer', { name => "pays with $cards[$_]", metadata => { pan => $cards[$_], "key $cards[$_]" => 'x' } }, id => "cus_list$_") for 0 .. $#cards;
is($node->run_ends($node->start_backfill('acme')), 'done', 'a backfill');
my @events = map { $sim->create('customer', { description => "$cards[$_] 12/30 987", metadata => { cvc => '987', account_number => '000123456789' } }, id => "cus_event$_") } 0 .. $#cards;
push @events, $sim->create('charge', { description => $cards[0], payment_method_details => { card => { number => $cards[0], cvc => '987', last4 => '4242' }, type => 'card' } }, id => 'ch_tries');
hand_in($node, 'acme', $sim->deliveries(secret => $secret, events => [ map { $_->{id} } @events ]));
# The second of two changes in one second is read from Stripe once more.
my $second = time;
my @tie = map { $sim->update('customer', 'cus_list0', { name => "$cards[1] again $_" }, at => $second) } 1, 2;
hand_in($node, 'acme', reverse $sim->deliveries(secret => $secret, events => [ map { $_->{id} } @tie ]));
settled($node);
is($node->sql("SELECT name FROM $mirror.customers WHERE id = 'cus_list1'"), 'pays with ***********0005', 'the last four digits stay');
is($node->sql("SELECT description, _raw::jsonb->'metadata'->>'cvc' FROM $mirror.customers WHERE id = 'cus_event0'"),
	'************4242 12/30 987|***', 'in a description; and what a member named cvc holds goes');
is($node->sql("SELECT name FROM $mirror.customers WHERE id = 'cus_list0'"), '***********0005 again 2', 'in an object read once more');

# --- by bodies that try ---------------------------------------------------------------------------------------

my $u = '\\u';
my @bodies = (
	'{"id":"evt_try0","object":"event","created":1700000000,"type":"unknown.thing","livemode":false,"data":{"object":{"id":"x","object":"unknown","number":4242424242424242}}}',
	'{"id":"evt_try1","object":"event","created":1700000000,"type":"customer.created","livemode":false,"data":{"object":{"id":"cus_try1","object":"customer","created":1700000000,"name":"' . "${u}0034242${u}0020" . '4242 4242 4242"}}}',
	'{"id":"evt_try2","object":"event","created":1700000000,"type":"4242424242424242","livemode":false,"data":{"object":{"id":"cus_try2","object":"customer","created":1700000000,"balance":4242424242424242}}}',
	'{"id":"evt_try3","object":"event","note":"378282246310005","note":"twice"}',
	'no JSON at all: 4242-4242-4242-4242',
	'{"id":"evt_try5","object":"event","created":1700000000,"type":"customer.updated","livemode":false,"data":{"object":{"id":"cus_try5","object":"customer","created":1700000000,"name":"n"},"previous_attributes":{"name":"5555 5555 5555 4444"}}}',
);
for my $body (@bodies)
{
	my $at = time;
	my $hex = unpack 'H*', $body;
	my $signature = "t=$at,v1=" . hmac_sha256_hex("$at.$body", $secret);
	like($node->sql("SELECT billstack.receive_webhook_raw('acme', '\\x$hex', '$signature')"), qr/"received"/, 'signed over the bytes as they came, taken');
}
settled($node);
is($node->sql("SELECT name FROM $mirror.customers WHERE id = 'cus_try1'"), '**** **** **** 4242', 'escapes do not help');
is($node->sql("SELECT balance FROM $mirror.customers WHERE id = 'cus_try2'"), '9999999999999999', 'nor a number');

# --- by calls, and by what Stripe says of them -------------------------------------------------------------------

$node->sql(q{SELECT billstack.create_project('acme', 'Widgets', id => 'proj_widgets')});
my $pp = $node->sql(q{SELECT billstack.create_product('proj_widgets', 'Cloud') #>> '{product,id}'});
my $pc = $node->sql(q{SELECT billstack.create_customer('proj_widgets', 'ada@example.com') #>> '{customer,id}'});
my $pri = $node->sql("SELECT billstack.create_price('proj_widgets', '$pp', 900, 'usd', 'month') #>> '{price,id}'");
my $sent = $sim->requests;
for my $card (@cards)
{
	my $address = ($card =~ s/ /./gr) . '@example.com';
	my $metadata = qq('{"note": "$card"}');
	my $pages = "'https://shop.example/a', 'https://shop.example/b'";
	for my $call ("create_customer('proj_widgets', 'new\@example.com', '$card')", "create_customer('proj_widgets', '$address')",
		"create_customer('proj_widgets', 'new\@example.com', metadata => $metadata)",
		"update_customer('proj_widgets', '$pc', name => 'Ada $card')", "update_customer('proj_widgets', '$pc', '$address')", "update_customer('proj_widgets', '$pc', metadata => $metadata)",
		"create_product('proj_widgets', 'for $card')", "create_product('proj_widgets', 'x', '$card.')", "create_product('proj_widgets', 'x', metadata => $metadata)",
		"update_product('proj_widgets', '$pp', '$card')", "update_product('proj_widgets', '$pp', description => '$card')", "update_product('proj_widgets', '$pp', metadata => $metadata)",
		"create_price('proj_widgets', '$pp', 100, 'usd', metadata => $metadata)", "update_price('proj_widgets', '$pri', metadata => $metadata)",
		"create_checkout('proj_widgets', '$pc', '$pri', $pages, metadata => $metadata)",
		"create_project('acme', '$card')", "create_api_key('acme', '$card')", "map_account('acme', 'cus_list0', '$card')", "map_account('acme', '$card', 'x')")
	{
		my ($code, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT billstack.$call");
		my $rest = $error =~ s/^LINE.*//msr;
		ok($error =~ /ERROR:  22023: argument "\w+" holds what looks like a card number/ && index($rest, $card) < 0, "refused: $call") or diag($error);
	}
}
is($sim->requests, $sent, 'and nothing was sent');
$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, count => 1, action => { status => 400, message => "Invalid name: $cards[0] and $cards[2]" } });
my ($code, $out, $error) = $node->psql('postgres', q{SELECT billstack.create_product('proj_widgets', 'Refused')});
like($error, qr/Invalid name: \*{12}4242 and \*{4} \*{4} \*{4} 4444/, 'what Stripe says to a caller is masked');
$node->comes_true(q{SELECT EXISTS (SELECT FROM billstack.calls WHERE state = 'refused' AND error LIKE '%************4242 and **** **** **** 4444%')},
	'and in the view of calls');

# --- nothing of it is anywhere --------------------------------------------------------------------------------

my $tables = $node->sql("SELECT c.oid::regclass FROM pg_class AS c WHERE c.relkind = 'r'
	AND c.relnamespace::regnamespace::text ~ '^(billstack|stripe_team_)' ORDER BY 1");
my ($searched, $found) = (0, '');
for my $table (split /\n/, $tables)
{
	my $payload = $node->sql("SELECT count(*) FROM pg_attribute WHERE attrelid = '$table'::regclass AND attname = 'payload'");
	my $text = $node->sql("SELECT t::text" . ($payload ? ", encode(payload, 'escape')" : '') . " FROM $table AS t");
	$searched += length $text;
	for my $card (@cards, '4242 4242 4242 4242', '4242-4242-4242-4242', '000123456789', '0034242')
	{
		$found .= "$card in $table\n" if index($text, $card) >= 0;
	}
	$found .= "a cvc in $table\n" if $text =~ /cvc\\*"\s*:\s*\\*"\d/;
}
is($found, '', "no card number in all tables ($searched bytes)");
cmp_ok($searched, '>', 20000, 'which hold something');

done_testing();
