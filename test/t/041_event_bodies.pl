# What can stand in an event: bodies of any badness, each applied or put aside with a reason beside good ones
# that go on; triggers that raise and what brings their events back; old API versions, thin events and their
# twins, long lists, late members, tables locked by users; and a change of every kind.
use strict;
use warnings;
use Billstack::Inbox qw(hand_in drained settled outcomes);
use Billstack::MirrorCompare;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Digest::SHA qw(hmac_sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'whsec_' . 'b' x 32;
my $mirror = 'stripe_team_acme';
my $sim = Billstack::Simulator->new(seed => 41, customers => 20, products => 5, prices => 10,
	subscriptions => 10, invoices => 10, charges => 10);
my $node = Billstack::Node->make('event_bodies', $sim,
	conf => "autovacuum = off\nbillstack.max_attempts = 2\nbillstack.refetch_delay = 300ms");
$node->connect_team('acme', $sim->key);
$node->sql("SELECT billstack.rotate_keys('acme', NULL, webhook_secret => '$secret')");
is($node->run_ends($node->start_backfill('acme')), 'done', 'the mirror is there');
my $past = time - 5000;

sub deliver { my (@ids) = @_; hand_in($node, 'acme', $sim->deliveries(secret => $secret, events => [ grep { defined } @ids ])); return; }
sub count { my ($table, $where) = @_; return $node->sql("SELECT count(*) FROM $mirror.$table WHERE _deleted_at IS NULL AND ($where)"); }
sub high_water { slurp_file('/proc/' . $node->worker_pid . '/status') =~ /^VmHWM:\s*(\d+) kB/m or die; return $1; }
sub raw_sql
{
	my ($body) = @_;
	my $at = time;
	return sprintf q{SELECT billstack.receive_webhook_raw('acme', '\x%s', 't=%d,v1=%s')}, unpack('H*', $body), $at,
	  hmac_sha256_hex("$at.$body", $secret);
}

# --- bodies ------------------------------------------------------------------------------------------------

my $number = 0;
my %object_of;
sub event
{
	my ($object, %with) = @_;
	$number++;
	my $id = sprintf 'evt_body%03d', $number;
	$object_of{$id} = "cus_body$number";
	return sprintf '{"id":%s,"object":"event","api_version":"2025-03-31.basil","created":%s,"livemode":false,"type":%s,"data":{"object":%s}%s}',
	  $with{id} // qq("$id"), $with{created} // $past, $with{type} // '"customer.created"',
	  $with{object} // qq({"id":"cus_body$number","object":"customer","created":$past$object}), $with{more} // '';
}
my $escape = '\\u';
my %fate = (
	applied => {
		'nothing special' => event(',"name":"x"'),
		'a NUL in a text' => event(",\"name\":\"a${escape}0000b\""),
		'a lone surrogate' => event(",\"name\":\"a${escape}d800b\""),
		'a reversed pair' => event(",\"name\":\"${escape}dc00${escape}d800\""),
		'a NUL in a member name' => event(",\"a${escape}0000b\":1"),
		'a lone surrogate in metadata' => event(",\"metadata\":{\"${escape}dfff\":\"x\"}"),
		'a pair' => event(",\"name\":\"${escape}d83d${escape}de00\""),
		'all of Unicode\'s edges' => event(",\"name\":\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\x7f\""),
		'nested 50 deep' => event(',"x":' . '[' x 50 . ']' x 50),
		'numbers of no type' => event(',"x":[1e131071,-1e131071,1e-131071,1e999999999,123456789012345678901234567890,-0,1E+2,0.1e-7]'),
		'9,000 bytes of huge numbers' => event(',"x":[' . join(',', ('1e131071') x 1000) . ']'),
		'30,000 members' => event(',"x":{' . join(',', map { "\"m$_\":$_" } 1 .. 30_000) . '}'),
		'a text of 900 kB' => event(',"x":"' . 'x' x 900_000 . '"'),
		'spaces everywhere' => event(" ,\r\n\t\"name\" : \"x\" "),
		'a name of SQL' => event(q{,"name":"'; DROP TABLE customers; --"}),
	},
	dead => {
		'a member twice' => event(',"name":"a","name":"b"'),
		'a member twice, once escaped' => event(",\"name\":\"a\",\"n${escape}0061me\":\"b\""),
		'a member twice in metadata' => event(',"metadata":{"a":"1","a":"2"}'),
		'a member of the event twice' => event('', more => ',"more":1,"more":2'),
		'nested 80 deep' => event(',"x":' . '[' x 80 . ']' x 80),
		'nested 100,000 deep' => event(',"x":' . '[' x 100_000 . ']' x 100_000),
		'objects 5,000 deep' => event(',"x":' . '{"a":' x 5_000 . '1' . '}' x 5_000),
		'over 1 MiB' => event(',"x":"' . 'x' x 1_048_576 . '"'),
		'not UTF-8' => event(",\"name\":\"\xff\xfe\""),
		'Latin-1' => event(",\"name\":\"M\xfcller\""),
		'an overlong slash' => event(",\"name\":\"\xc0\xaf\""),
		'a surrogate in UTF-8' => event(",\"name\":\"\xed\xa0\x80\""),
		'a NUL byte' => event(",\"name\":\"a\0b\""),
		'a line break in a text' => event(",\"name\":\"a\nb\""),
		'a trailing comma' => event(',"x":[1,]'),
		'a leading zero' => event(',"x":01'),
		'NaN' => event(',"x":NaN'),
		'a number that ends in a point' => event(',"x":1.'),
		'an escape that is none' => event(',"x":"\\x41"'),
		'half an escape' => event(",\"x\":\"${escape}12\""),
		'a comment' => event(',/* x */"x":1'),
		'two documents' => event('') . '{}',
		'cut off' => substr(event(',"name":"x"'), 0, -3),
		'no JSON' => 'payload=hello' . ++$number,
		'an array' => '[]', 'null' => 'null', 'a text' => '"x"', 'an empty object' => '{}',
		'spaces' => '   ', 'a byte order mark' => "\xef\xbb\xbf" . event(''),
		'no id' => event('', id => 'null'), 'an id that is a number' => event('', id => '12'),
		'an empty id' => event('', id => '""'), 'an id of 300 bytes' => event('', id => '"' . 'e' x 300 . '"'),
		'an id with a line break' => event('', id => '"evt_a\\nb"'),
		'no type' => event('', type => 'null'), 'a type that is an object' => event('', type => '{}'),
		'no second' => event('', created => 'null'), 'a second that is a text' => event('', created => '"x"'),
		'a second with a fraction' => event('', created => '1.5'), 'the second 1e30' => event('', created => '1e30'),
		'a second of 30 digits' => event('', created => '9' x 30),
		'no object' => event('', object => 'null'), 'an object that is an array' => event('', object => '[]'),
	},
	either => {
		'a balance of 1e131071' => event(',"balance":1e131071'),
		'a balance of 40 digits' => event(',"balance":' . '9' x 40),
		'a balance past bigint' => event(',"balance":9223372036854775808'),
		'a balance with a fraction' => event(',"balance":1.5'),
		'a balance that is a text' => event(',"balance":"x"'),
		'a name that is an object' => event(',"name":{"a":1}'),
		'metadata that is a text' => event(',"metadata":"x"'),
		'metadata of 1e131071' => event(',"metadata":{' . join(',', map { "\"m$_\":1e131071" } 1 .. 1000) . '}'),
		'metadata with a NUL' => event(",\"metadata\":{\"a${escape}0000b\":\"c${escape}0000d\"}"),
		'metadata 55 deep' => event(',"metadata":' . '{"a":' x 55 . '1' . '}' x 55),
		'livemode that is a text' => event(',"livemode":"x"'),
		'the flag deleted' => event(',"deleted":true'),
		'a second before all time' => event(",\"test_clock\":null", created => '-99999999999'),
		'an object without id' => event('', object => '{"object":"customer"}'),
		'an object whose id is a number' => event('', object => '{"id":7,"object":"customer"}'),
		'an id of 10,000 bytes' => event('', object => '{"id":"' . 'c' x 10_000 . '","object":"customer"}'),
		'an object with an empty id' => event('', object => '{"id":"","object":"customer"}'),
		'an object of no kind' => event('', object => '{"id":"x"}'),
	});

# One of ten or so is poison; all arrive together.
my @good = map { $_->{id} } $sim->changes(map { { op => 'create', kind => 'customer', id => "cus_good$_", fields => { name => "good $_" } } } 1 .. 500);
my @bodies = map { my $fate = $_; map { { fate => $fate, name => $_, body => $fate{$fate}{$_} } } sort keys %{ $fate{$fate} } } sort keys %fate;
my $pid = $node->worker_pid;
my $memory = high_water();
for my $part (0 .. 9)
{
	deliver(@good[ $part * 50 .. $part * 50 + 49 ]);
	my @some = @bodies[ grep { $_ % 10 == $part } 0 .. $#bodies ];
	my ($status, $out, $error) = $node->psql('postgres', '', extra_params => [ '-At', '-f', write_file(join ";\n", map { raw_sql($_->{body}) } @some) ]);
	my @ids = $out =~ /"eventId": *"([^"]*)"/g;
	is(scalar @ids, scalar @some, "part $part: " . @some . ' bodies are acknowledged') or diag("$out $error");
	$some[$_]{id} = $ids[$_] for 0 .. $#ids;
}
ok(drained($node), 'none is stuck');
my $growth = high_water() - $memory;
is($node->worker_pid, $pid, 'the worker has not died of any');
cmp_ok($growth, '<', 65536, "its memory has grown by $growth kB");
is(count('customers', "id LIKE 'cus_good%'"), 500, 'good events beside them are applied');
my $done = outcomes($node);
my %reason = map { split /\|/, $_, 2 } split /\n/, $node->sql("SELECT event_id, replace(error, E'\\n', ' ') FROM billstack.failed_events");
for my $one (@bodies)
{
	my ($outcome, $reason) = ($done->{ $one->{id} }, $reason{ $one->{id} });
	my $is = $outcome ? "done ($outcome)" : $reason ? "dead ($reason)" : 'lost';
	ok($one->{fate} eq 'applied' ? ($outcome // '') eq 'applied' : $one->{fate} eq 'dead' ? defined $reason : defined $outcome || defined $reason,
		"$one->{name}: $is");
	is(count('customers', "id = '$object_of{$one->{id}}'"), 1, 'and it is in the mirror') if $one->{fate} eq 'applied';
}
is($node->sql("SELECT count(*) FROM $mirror.customers WHERE name LIKE E'a\\uFFFDb'"), 2, 'what a text cannot hold is U+FFFD in columns');
is($node->sql("SELECT count(*) FROM $mirror.customers WHERE _raw::text LIKE '%\\\\u0000%' OR _raw::text LIKE '%\\\\ud800%'"), 5, 'and as it came in _raw');
unlike(join(' ', values %reason), qr/cus_body|DROP|hello/, 'no reason repeats what was in a body');
# None of them is an object of the simulated Stripe.
$node->sql("DELETE FROM $mirror.customers WHERE id LIKE 'cus_body%' OR id LIKE 'ccc%' OR id = ''; DELETE FROM billstack_internal.inbox; DELETE FROM billstack_internal.refetch WHERE object_id NOT LIKE 'cus_good%'");
$node->equals_stripe($sim, $mirror, 'the good ones as Stripe has them');

sub write_file
{
	my ($sql) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/bodies.sql';
	append_to_file($file, "$sql;\n");
	return $file;
}

# --- a trigger that raises ------------------------------------------------------------------------------------

$node->sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF NEW.name = ''poison'' THEN RAISE ''no poison here''; END IF; RETURN NULL; END';
	CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON $mirror.customers FOR EACH ROW EXECUTE FUNCTION refuse()");
my @mixed = map { $_->{id} } $sim->changes(map { { op => 'create', kind => 'customer', id => "cus_mixed$_", fields => { name => $_ % 10 ? 'fine' : 'poison' } } } 1 .. 100);
deliver(@mixed);
$node->comes_true("SELECT count(*) = 90 FROM $mirror.customers WHERE id LIKE 'cus_mixed%'", 'a trigger that raises holds back its own events only');
$node->comes_true("SELECT count(*) = 10 FROM billstack.failed_events WHERE attempts = 2 AND error LIKE '%no poison here%'", 'which are dead letters after max_attempts');
ok(drained($node), 'nothing waits');
my ($one_dead) = split /\n/, $node->sql('SELECT event_id FROM billstack.failed_events ORDER BY 1');
$node->sql("SELECT billstack.replay('$one_dead')");
$node->comes_true("SELECT count(*) = 10 FROM billstack.failed_events", 'replayed, it fails again');
$node->sql("DROP TRIGGER refuse ON $mirror.customers");
$node->sql("SELECT billstack.replay('$one_dead')");
$node->comes_true("SELECT count(*) = 91 FROM $mirror.customers WHERE id LIKE 'cus_mixed%'", 'until the trigger is gone: replay brings it back');
$node->sql("SELECT billstack.retry_failed('acme')");
$node->comes_true("SELECT count(*) = 100 FROM $mirror.customers WHERE id LIKE 'cus_mixed%'", 'and retry_failed the others');
is($node->sql('SELECT count(*) FROM billstack.failed_events'), 0, 'no dead letter is left');

# --- old versions, thin events, what is unknown ---------------------------------------------------------------

$sim->api_version('2024-06-20');
my @old = ($sim->create('subscription', {}, id => 'sub_old', at => $past), $sim->create('invoice', { parent => { type => 'subscription_details', subscription_details => { subscription => 'sub_old' } } }, id => 'in_old', at => $past));
deliver(map { $_->{id} } @old);
settled($node);
my $subscription = $sim->object('subscription', 'sub_old');
is($node->sql("SELECT _api_version, extract(epoch FROM current_period_end)::bigint FROM $mirror.subscriptions WHERE id = 'sub_old'"),
	"2024-06-20|$subscription->{items}{data}[0]{current_period_end}", 'a subscription as it was before basil');
is($node->sql("SELECT subscription, _api_version FROM $mirror.invoices WHERE id = 'in_old'"), 'sub_old|2024-06-20', 'an invoice too');
$sim->api_version('2025-03-31.basil');
deliver(map { $_->{id} } $sim->update('subscription', 'sub_old', { metadata => { now => 'basil' } }), $sim->update('invoice', 'in_old', { metadata => { now => 'basil' } }));
settled($node);
is($node->sql("SELECT _api_version, extract(epoch FROM current_period_end)::bigint FROM $mirror.subscriptions WHERE id = 'sub_old'"),
	"2025-03-31.basil|$subscription->{items}{data}[0]{current_period_end}", 'and the same from the new place');

$node->sql("CREATE TABLE history (id text); GRANT ALL ON history TO PUBLIC;
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.history VALUES (NEW.id); RETURN NULL; END';
	CREATE TRIGGER note AFTER INSERT OR UPDATE ON $mirror.products FOR EACH ROW EXECUTE FUNCTION note()");
my @twins = map { my $id = "prod_twin$_"; [ $sim->deliveries(secret => $secret, thin => 1, events => [ $sim->create('product', {}, id => $id, at => $past)->{id} ]) ] } 0 .. 3;
ok((!grep { @$_ != 2 || !$_->[1]{thin} } @twins), 'each has a thin twin');
hand_in($node, 'acme', $twins[0][1]);
hand_in($node, 'acme', @{ $twins[3] });
hand_in($node, 'acme', $twins[1][0], $twins[2][1]);
settled($node);
is(count('products', "id LIKE 'prod_twin%'"), 4, 'a thin event alone is enough');
my $wal_rows = $node->row_versions($mirror);
hand_in($node, 'acme', $twins[0][0], $twins[1][1], $twins[2][0]);
settled($node);
is($node->sql("SELECT count(*) FROM billstack_internal.event WHERE outcome = 'twin'"), 4, 'the second twin is known in either order');
is_deeply([ $node->changed_rows($wal_rows, $node->row_versions($mirror)) ], [], 'and has no effect');
is($node->sql("SELECT max(n) FROM (SELECT count(*) AS n FROM history WHERE id LIKE 'prod_twin%' GROUP BY id) AS h"), 1, 'one effect each');

my %unknown = (evt_unknown1 => [ 'issuing_card.created', 'issuing.card' ], evt_unknown2 => [ 'never.heard', 'of_this' ],
	evt_unknown3 => [ 'customer.frobnicated', 'customer' ]);
$node->sql(raw_sql(event('', id => "\"$_\"", type => "\"$unknown{$_}[0]\"", object => "{\"id\":\"x_$_\",\"object\":\"$unknown{$_}[1]\"}"))) for sort keys %unknown;
settled($node);
is(join(' ', @{ outcomes($node) }{ sort keys %unknown }), 'ignored ignored applied', 'what is unknown is acknowledged; a new type of a known object is applied');
$node->sql("DELETE FROM $mirror.customers WHERE id LIKE 'x_evt%'");

# --- long lists, late members -----------------------------------------------------------------------------------

my ($charge) = $sim->create('charge', { balance_transaction => undef, status => 'succeeded' }, id => 'ch_late', type => 'charge.succeeded', at => $past);
deliver(map { $_->{id} } $charge,
	$sim->create('subscription', { items => { data => [ map { {} } 1 .. 25 ] } }, id => 'sub_long', at => $past),
	$sim->create('invoice', { lines => { data => [ map { {} } 1 .. 250 ] } }, id => 'in_long', at => $past),
	$sim->create('checkout_session', { line_items => { data => [ {}, {}, {} ] } }, id => 'cs_lines', at => $past));
is($node->sql("SELECT count(*) FROM $mirror.charges WHERE balance_transaction IS NOT NULL AND id = 'ch_late'"), 0, 'a charge whose balance transaction Stripe has not filled');
$sim->patch('charge', 'ch_late', { balance_transaction => 'txn_late' });
ok(settled($node), 'long lists are read');
is(count('subscription_items', "subscription = 'sub_long'"), 25, '25 items');
is(count('invoice_line_items', "invoice = 'in_long'"), 250, '250 lines');
is(count('checkout_session_line_items', "checkout_session = 'cs_lines'"), 3, 'line items of a checkout session, which are never in it');
$node->comes_true("SELECT balance_transaction = 'txn_late' FROM $mirror.charges WHERE id = 'ch_late'", 'and the late member is filled, without an event');

# --- nothing to write, and a table in use -------------------------------------------------------------------------

my $again = $sim->update('customer', 'cus_good1', {});
my $version = $node->sql("SELECT xmin, ctid FROM $mirror.customers WHERE id = 'cus_good1'");
deliver($again->{id});
settled($node);
is(outcomes($node)->{ $again->{id} }, 'unchanged', 'an event without a change');
is($node->sql("SELECT xmin, ctid FROM $mirror.customers WHERE id = 'cus_good1'"), $version, 'writes no row');

my $user = Billstack::Session->new($node, 'postgres');
$user->value($_) for 'BEGIN', "LOCK TABLE $mirror.customers IN ACCESS EXCLUSIVE MODE";
my @locked = map { $_->{id} } $sim->changes((map { { op => 'create', kind => 'customer', id => "cus_locked$_" } } 1 .. 20), (map { { op => 'create', kind => 'product', id => "prod_free$_" } } 1 .. 20));
deliver(@locked);
$node->comes_true("SELECT count(*) = 20 FROM $mirror.products WHERE id LIKE 'prod_free%'", 'a table locked by a user delays no other');
is($node->sql("SELECT count(*) FROM billstack_internal.inbox WHERE attempts = 0 AND failed_at IS NULL"), 20, 'its own events wait, and it is not their fault');
$user->value('COMMIT');
$node->comes_true("SELECT count(*) = 20 FROM $mirror.customers WHERE id LIKE 'cus_locked%'", 'and come when the lock is gone');

# --- every kind ------------------------------------------------------------------------------------------------------

my %without_event = map { $_ => 1 } qw(balance_transaction customer_balance_transaction feature
	credit_note_line_item checkout_session_line_item transfer_reversal);
my %change = (review => { open => \0 }, early_fraud_warning => { actionable => \0 }, billing_meter => { display_name => 'other' },
	invoice_payment => undef, active_entitlement => undef, invoice_item => undef, checkout_session => undef);
my @events;
$sim->make('feature', 3);
my @kinds = (qw(customer product price subscription invoice charge), grep { !$without_event{$_} } @Billstack::MirrorCompare::other_kinds);
for my $kind (@kinds)
{
	for my $n (1 .. 3)
	{
		my $made = $sim->create($kind, $kind eq 'charge' ? { status => 'succeeded' } : {});
		my $id = $made->{object_id};
		push @events, $made;
		my $change = exists $change{$kind} ? $change{$kind} : { metadata => { changed => 'yes' } };
		push @events, $sim->update($kind, $id, $change) if $change && $n > 1;
		push @events, $sim->delete($kind, $id) if $n == 3 && $kind =~ /^(customer|product|price|plan|coupon|tax_id|invoice_item|subscription|payment_method|active_entitlement)$/;
	}
}
my ($transfer) = map { $_->{object_id} } $sim->create('transfer', {}, id => 'tr_back');
push @events, $sim->create('transfer_reversal', {}, parent => 'tr_back') for 1 .. 2;
my $seed = time;
note("seed $seed");
is_deeply([ map { "$_->{object_id} has no event" } grep { !defined $_->{id} } @events ], [], scalar(@events) . ' events of ' . @kinds . ' kinds');
hand_in($node, 'acme', $sim->deliveries(secret => $secret, events => [ map { $_->{id} // () } @events ], order => 'random', duplicates => 0.2, seed => $seed));
ok(settled($node), 'are delivered at random, a fifth twice');
is($node->sql('SELECT count(*) FROM billstack_internal.inbox'), 0, 'no dead letter');
$node->equals_stripe($sim, $mirror, 'the mirror equals Stripe');
$node->equals_stripe($sim, $mirror, "$_ too", kinds => [$_]) for grep { $_ !~ /balance_transaction$|^feature$/ } @Billstack::MirrorCompare::other_kinds;
done_testing();
