# Calls that are made again after a rollback, when something has come in between: a change that was taken back, a page
# for a checkout that is over, a day. What is asked for is so afterwards.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8;
my $sim = Billstack::Simulator->new(seed => 54, map { ($_ => 0) } qw(customers products prices subscriptions invoices charges));
my $node = Billstack::Node->make('again', $sim);
$node->connect_team('acme', $sim->key);
$node->run_ends($node->start_backfill('acme'));
$node->sql(q{SELECT billstack.create_project('acme', 'Shop', id => 'proj_shop')});
my $here = Billstack::Session->new($node, 'postgres');
sub ask { my ($call) = @_; return $json->decode($here->value("SELECT billstack.$call")); }
# Everything that the worker has written down, and Stripe, is that much older.
sub time_passes
{
	my ($seconds) = @_;
	$node->sql("UPDATE billstack_internal.intent SET created_at = created_at - interval '$seconds s', sent_at = sent_at - interval '$seconds s',
		last_sent_at = last_sent_at - interval '$seconds s'");
	$sim->forget_keys if $seconds >= 86400;
	return;
}

# --- changes ----------------------------------------------------------------------------------------------------

my $product = ask("create_product('proj_shop', 'Gold')")->{product};
sub name_at_stripe { return (grep { $_->{id} eq $product->{stripeProductId} } $sim->objects('product'))[0]{name}; }
for my $age (0, 25 * 3600)
{
	$here->value('BEGIN');
	ask("update_product('proj_shop', '$product->{id}', name => 'A')");
	$here->value('ROLLBACK');
	is(name_at_stripe(), 'A', "$age s: Stripe does not roll back");
	ask("update_product('proj_shop', '$product->{id}', name => 'B')");
	is(name_at_stripe(), 'B', 'another change follows');
	time_passes($age);
	is(ask("update_product('proj_shop', '$product->{id}', name => 'A')")->{product}{name}, 'A', 'the first one is asked for again');
	is(name_at_stripe(), 'A', 'and carried out');
	is($node->sql("SELECT name FROM stripe_team_acme.products WHERE id = '$product->{stripeProductId}'"), 'A', 'and in the mirror');
}

# --- pages that are over ----------------------------------------------------------------------------------------

my $ann = ask("create_customer('proj_shop', 'ann\@example.com')")->{customer};
my $price = ask("create_price('proj_shop', '$product->{id}', 2000, 'usd', 'month')")->{price};
sub checkout
{
	my ($more) = @_;
	return ask("create_checkout('proj_shop', '$ann->{id}', '$price->{id}', 'https://shop.example/ok', 'https://shop.example/no'" . ($more // '') . ')');
}
for my $age (0, 25 * 3600)
{
	$here->value('BEGIN');
	my $first = checkout();
	$here->value('ROLLBACK');
	is(checkout()->{sessionId}, $first->{sessionId}, "$age s: repeated after a rollback: the same page") if $age == 0;
	$here->value('BEGIN');
	$first = checkout();
	$here->value('ROLLBACK');
	$sim->patch('checkout_session', $first->{sessionId}, { status => 'expired', url => undef });
	time_passes($age);
	my $second = checkout();
	isnt($second->{sessionId}, $first->{sessionId}, 'what has expired is made anew');
	like($second->{url}, qr{^https://}, 'with a page');
}
# The caller's own key stands for one page.
for my $status (qw(expired complete))
{
	my $with_key = ", idempotency_key => 'order-$status'";
	my $page = checkout($with_key);
	is(checkout($with_key)->{url}, $page->{url}, 'the same key, the same page');
	$sim->patch('checkout_session', $page->{sessionId}, { status => $status, url => undef });
	time_passes(25 * 3600);
	my $error = $node->error_of("SELECT billstack.create_checkout('proj_shop', '$ann->{id}', '$price->{id}', 'https://shop.example/ok', 'https://shop.example/no'$with_key)");
	is($error->{sqlstate}, '55000', "$status: its page has ended");
	like($error->{detail} // '', qr/"$page->{sessionId}" is $status/, 'which one');
	like($error->{hint} // '', qr/another idempotency_key/, 'and what to do');
	like(checkout("$with_key || '-2'")->{url}, qr{^https://}, 'another key, another page');
}

# --- calls whose outcome nobody can find out ----------------------------------------------------------------------

$sim->revoke_key;
my $lost = $node->sql("SELECT max(id) FROM billstack_internal.intent WHERE operation = 'create_price'");
$node->sql("UPDATE billstack_internal.intent SET state = 'sent', finished_at = NULL, object_id = NULL WHERE id = $lost;
	UPDATE billstack_internal.intent_count SET used_at = used_at - interval '40 days'");
time_passes(40 * 86400);
$node->restart;
$node->comes_true("SELECT NOT EXISTS (SELECT FROM billstack_internal.intent WHERE id <> $lost AND NOT caller_named)", 'records of what is over go');
$node->comes_true("SELECT count(*) < 2 FROM billstack_internal.intent_count", 'and how often it was asked for');
is($node->sql("SELECT count(*) FROM billstack_internal.intent_count AS c JOIN billstack_internal.intent AS i
	ON starts_with(i.idempotency_key, 'billstack-' || translate(encode(c.digest, 'hex'), '0123456789abcdef', 'abcdefghijklmnop')) WHERE i.id = $lost AND i.state = 'sent'"), 1,
	'not the count of a call that is still open: the next one is not taken for it');

$node->stop;
done_testing();
