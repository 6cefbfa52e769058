# What is to be seen right after a call to Stripe: its outcome in view calls, with the keys by which the caller and
# Stripe know it, and the whole object in the mirror, without a second question to Stripe. What keeps the outcome from
# being recorded keeps nobody's answer.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Test::More;

my $sim = Billstack::Simulator->new(seed => 59, map { ($_ => 0) } qw(customers products prices subscriptions invoices charges));
my $node = Billstack::Node->make('outcomes', $sim);
$node->connect_team('acme', $sim->key);
$node->run_ends($node->start_backfill('acme'));
$node->sql(q{
	SELECT billstack.create_project('acme', 'Shop', id => 'proj_shop');
	CREATE TABLE shop AS
	SELECT billstack.create_customer('proj_shop', 'ann@example.com') #>> '{customer,id}' AS customer,
	       billstack.create_product('proj_shop', 'Gold') #>> '{product,id}' AS product, NULL::text AS price;
	UPDATE shop SET price = billstack.create_price('proj_shop', product, 2000, 'usd', 'month') #>> '{price,id}'});
my ($customer, $price) = split /\|/, $node->sql('SELECT customer, price FROM shop');
my $here = Billstack::Session->new($node, 'postgres');

sub checkout
{
	my ($more) = @_;
	return "SELECT billstack.create_checkout('proj_shop', '$customer', '$price', 'https://x.example', 'https://x.example'"
	  . ($more // '') . q{) ->> 'sessionId'};
}
sub product { my ($n) = @_; return "SELECT billstack.create_product('proj_shop', 'Product $n') #>> '{product,stripeProductId}'"; }

# --- the outcome --------------------------------------------------------------------------------------------

# Recording takes its time, so that an answer that does not wait for it is seen.
$node->sql(q{
	CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END';
	CREATE TRIGGER slowly BEFORE UPDATE ON billstack_internal.intent FOR EACH ROW EXECUTE FUNCTION slowly()});
my $made = $here->value(product('a'));
is($here->value("SELECT state || ' ' || http_status FROM billstack.calls WHERE object_id = '$made'"), 'done 200',
	'who has the answer finds its outcome');
$node->sql('DROP TRIGGER slowly ON billstack_internal.intent');

$sim->faults({ match => { method => 'POST', path => '^/v1/products$' }, count => 1, action => { delay_ms => 300 } });
my $holder = Billstack::Session->new($node, 'postgres');
$here->start(product('b'));
ok(Billstack::Node->wait_until(sub { $holder->value(q{SELECT count(*) FROM billstack.calls WHERE state = 'sent'}) }), 'a write is under way');
$holder->value('BEGIN');
$holder->value(q{SELECT id FROM billstack_internal.intent WHERE state = 'sent' FOR UPDATE});
$made = $here->answer->{rows}[0][0];
like($made, qr/^prod_/, 'a lock on its record keeps no answer');
is($node->sql(q{SELECT count(*) FROM billstack.calls WHERE state = 'sent'}), 1, 'only the outcome waits');
$holder->value('ROLLBACK');
$node->comes_true("SELECT EXISTS (SELECT FROM billstack.calls WHERE object_id = '$made' AND state = 'done')", 'until the lock is gone');

# --- the keys -----------------------------------------------------------------------------------------------

sub keys_of { my ($id) = @_; return $node->sql("SELECT caller_key, sent_key = idempotency_key FROM billstack.calls WHERE object_id = '$id'"); }
is(keys_of($made), '|t', 'a derived key is none of the caller\'s');
my $mark = $sim->last_sequence;
my $session = $here->value(checkout(q{, idempotency_key => 'order-1'}));
is(keys_of($session), 'order-1|t', 'the caller finds a call by its own key');
is($node->sql(q{SELECT sent_key FROM billstack.calls WHERE caller_key = 'order-1'}), ($sim->writes($mark))[0]{idempotency_key},
	'and Stripe\'s dashboard by the key that was sent');
$sim->faults({ match => { method => 'POST', path => '^/v1/checkout/sessions$' }, count => 1, action => { status => 400, stored => \1 } });
is($node->error_of(checkout(q{, idempotency_key => 'order-2'}))->{sqlstate}, 'BS400', 'Stripe refuses');
$mark = $sim->last_sequence;
$here->value(checkout(q{, idempotency_key => 'order-2'}));
my ($sent, $own) = split /\|/, $node->sql(q{SELECT sent_key, idempotency_key FROM billstack.calls WHERE caller_key = 'order-2'});
is($sent, "$own-1", 'another key after a refusal');
is(($sim->writes($mark))[0]{idempotency_key}, $sent, 'is the one that is shown');
$session = $here->value(checkout(q{, idempotency_key => 'card 4242 4242 4242 4242'}));
is(keys_of($session), 'card **** **** **** 4242|t', 'a card number is not stored');

# --- the mirror ---------------------------------------------------------------------------------------------

my $before = $sim->last_sequence;
$session = $here->value(checkout(', quantity => 3'));
is($here->value("SELECT quantity FROM stripe_team_acme.checkout_session_line_items WHERE checkout_session = '$session'"), 3,
	'the line items are there at once');
$node->comes_true('SELECT NOT EXISTS (SELECT FROM billstack_internal.refetch)', 'nothing is asked for again');
is(join(' ', map { "$_->{method} $_->{target}" } $sim->ledger($before)), 'POST /v1/checkout/sessions', 'indeed');
is($node->sql("SELECT _raw::jsonb ? 'line_items' FROM stripe_team_acme.checkout_sessions WHERE id = '$session'"), 'f',
	'the object itself is as all other answers have it');
my $versions = $node->row_versions('stripe_team_acme');
$node->run_ends($node->start_backfill('acme'));
is_deeply([grep { /$session/ } $node->changed_rows($versions, $node->row_versions('stripe_team_acme'))], [], 'a backfill finds nothing new');
$node->equals_stripe($sim, 'stripe_team_acme', 'mirror');

done_testing();
