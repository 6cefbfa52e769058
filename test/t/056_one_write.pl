# Writes beside each other and writes asked for again: a cancelled call that is still under way is not overtaken and
# makes no second customer, a page of the portal is a new one, the caller's own key holds for more than a year,
# whatever becomes of the connection, and lost writes are looked for kind by kind, in their own account.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->utf8;
my %none = map { ($_ => 0) } qw(customer product price subscription invoice charge);
my %key = map { ($_ => "sk_test_onewrite$_" . '0' x 16) } qw(old new);
my $sim = Billstack::Simulator->new(config => { accounts => [
	map { { id => "acct_OneWrite$_" . '0' x 4, seed => 56, sizes => \%none, keys => [ { key => $key{$_} } ] } } qw(old new) ] });
my $node = Billstack::Node->make('one_write', $sim, conf => 'billstack.reconcile_after = 1s');
$node->connect_team('acme', $key{old});
$node->run_ends($node->start_backfill('acme'));
$node->sql(q{SELECT billstack.create_project('acme', 'Shop', id => 'proj_shop')});
my $here = Billstack::Session->new($node, 'postgres');
sub ask { my ($call) = @_; return $json->decode($here->value("SELECT billstack.$call")); }
sub taken_back { my ($call) = @_; $here->value('BEGIN'); my $answer = ask($call); $here->value('ROLLBACK'); return $answer; }
sub time_passes
{
	my ($days) = @_;
	$node->sql("UPDATE billstack_internal.intent SET created_at = created_at - interval '$days days', sent_at = sent_at - interval '$days days',
		last_sent_at = last_sent_at - interval '$days days'");
	$sim->forget_keys;
	return;
}

# A call whose first attempt fails, cancelled while it waits for the next one.
sub cancelled
{
	my ($path, $call) = @_;
	my $since = $sim->last_sequence;
	my $caller = Billstack::Session->new($node, 'postgres');
	$sim->faults({ match => { method => 'POST', path => $path }, count => 1, action => { status => 503, retry_after => 2 } });
	$caller->start("SELECT billstack.$call");
	ok(Billstack::Node->wait_until(sub { grep { $_->{status} == 503 } $sim->writes($since) }), 'a first attempt fails');
	$node->sql('SELECT pg_cancel_backend(' . $caller->pid . ')');
	is($caller->answer->{sqlstate}, '57014', 'and its caller is cancelled');
	return;
}
sub all_known { return $node->comes_true(q{SELECT NOT EXISTS (SELECT FROM billstack.calls WHERE state = 'sent')}, 'all outcomes are known'); }

# --- beside each other --------------------------------------------------------------------------------------------

my $gold = ask("create_product('proj_shop', 'Gold')")->{product};
cancelled("^/v1/products/$gold->{stripeProductId}\$", "update_product('proj_shop', '$gold->{id}', name => 'Older')");
is(ask("update_product('proj_shop', '$gold->{id}', name => 'Newer')")->{product}{name}, 'Newer', 'another call changes the same product');
all_known();
is($sim->object('product', $gold->{stripeProductId})->{name}, 'Newer', 'the one that was cancelled does not undo it');

sub customers_with { my ($email) = @_; return grep { lc $_->{email} eq $email } $sim->objects('customer'); }
cancelled('^/v1/customers$', "create_customer('proj_shop', 'ada\@example.com', 'Ada')");
my $ada = ask("create_customer('proj_shop', 'Ada\@example.com', 'Ada L.', '{\"plan\": \"gold\"}')")->{customer};
all_known();
is_deeply([ map { $_->{id} } customers_with('ada@example.com') ], [ $ada->{stripeCustomerId} ], 'one customer of an e-mail, whatever else the calls say');
is($node->sql("SELECT count(*) FROM stripe_team_acme.customers WHERE id = '$ada->{stripeCustomerId}'"), 1, 'it is in the mirror');
my $gone = taken_back("create_customer('proj_shop', 'gone\@example.com', 'One')")->{customer};
$sim->remove('customer', $gone->{stripeCustomerId});
my $anew = ask("create_customer('proj_shop', 'gone\@example.com', 'Two')")->{customer};
is($sim->object('customer', $anew->{stripeCustomerId})->{name}, 'Two', 'what was taken back and is gone is made anew, as it is asked for now');

# --- pages of the portal --------------------------------------------------------------------------------------------

my $portal = "create_portal_session('proj_shop', '$ada->{id}', 'https://shop.example/')";
my $page = taken_back($portal);
isnt(ask($portal)->{url}, $page->{url}, 'a page of the portal is short-lived: asked for again it is another');
$node->sql(q{UPDATE billstack_internal.intent SET state = 'unknown' WHERE operation = 'create_portal_session'});
$page = taken_back($portal);
$node->sql(q{UPDATE billstack_internal.intent SET state = 'unknown', sent_at = sent_at - interval '10 minutes' WHERE operation = 'create_portal_session'});
isnt(ask($portal)->{url}, $page->{url}, 'of one whose answer was lost, too');

# --- the caller's own key ---------------------------------------------------------------------------------------------

$sim->make('charge', 1, events => \0, fields => { id => 'ch_one', customer => $ada->{stripeCustomerId}, amount => 3000, amount_captured => 3000,
	amount_refunded => 0, captured => \1, paid => \1, currency => 'usd', status => 'succeeded', payment_intent => undef, invoice => undef });
$node->run_ends($node->start_backfill('acme', objects => ['charge']));
my $payment = ask(q{list_payments('proj_shop')})->{payments}[0]{id};
my $refund = "create_refund('proj_shop', '$payment', 400, idempotency_key => 'ticket-4711')";
my $first = ask($refund)->{refund};
sub same_refund
{
	my ($name, $answer) = @_;
	is($answer->{refund}{id}, $first->{id}, "$name: the same refund");
	return is(scalar $sim->made('refund'), 1, 'and no other');
}
sub purged
{
	my ($name) = @_;
	taken_back(q{create_product('proj_shop', 'Passing')});
	time_passes(31);
	$node->restart;
	$here = Billstack::Session->new($node, 'postgres');
	return $node->comes_true(q{SELECT NOT EXISTS (SELECT FROM billstack_internal.intent WHERE operation = 'create_product'
		AND created_at < now() - interval '30 days')}, $name);
}
purged('a month later other records are gone');
same_refund('a month later', ask($refund));
$node->sql(q{SELECT billstack.unlink_project('proj_shop')});
$node->sql(q{SELECT billstack.disconnect('acme')});
$node->connect_team('acme', $key{old});
$node->run_ends($node->start_backfill('acme'));
$node->sql(q{SELECT billstack.link_project('proj_shop', 'default')});
same_refund('connected anew', ask($refund));
is($node->sql(q{SELECT count(*) FROM billstack.calls WHERE operation = 'create_refund'}), 1, 'view calls shows it again');
$node->sql('CREATE DATABASE restored TEMPLATE template0');
my $from = sprintf '-h %s -p %d', $node->host, $node->port;
is(system('bash', '-o', 'pipefail', '-c', "pg_dump -Fc $from postgres | pg_restore $from --exit-on-error -d restored"), 0, 'a copy of the database');
$node->sql(q{SELECT billstack.arm('acme')}, 'restored');
same_refund('in the copy, after arm()', $json->decode($node->sql("SELECT billstack.$refund", 'restored')));
$node->sql('DROP DATABASE restored WITH (FORCE)');
is($node->error_of("SELECT billstack.create_refund('proj_shop', '$payment', 500, idempotency_key => 'ticket-4711')")->{sqlstate}, '22023',
	'other arguments are refused all the same');
time_passes(380);
purged('a year and a month later');
is($node->sql(q{SELECT count(*) FROM billstack_internal.intent WHERE operation = 'create_refund'}), 0, 'it is forgotten');

# --- looking for lost writes --------------------------------------------------------------------------------------------

sub lost { my ($where) = @_; return $node->sql("UPDATE billstack_internal.intent SET state = 'sent', finished_at = NULL, object_id = NULL,
	last_sent_at = now() - interval '1 minute' WHERE $where AND creates"); }
ask(q{create_product('proj_shop', 'Lost')});
ask(q{create_customer('proj_shop', 'lost@example.com')});
$sim->faults({ match => { method => 'GET', path => '^/v1/customers$' }, action => { status => 403 } });
lost(q{object_id IN (SELECT id FROM stripe_team_acme.products WHERE name = 'Lost' UNION SELECT id FROM stripe_team_acme.customers WHERE email = 'lost@example.com')});
$node->restart;
$node->comes_true(q{SELECT count(*) = 1 FROM billstack.calls AS c JOIN stripe_team_acme.products AS p ON p.id = c.object_id WHERE p.name = 'Lost' AND c.state = 'done'},
	'a list that cannot be read does not hold up the others');
is($node->sql(q{SELECT count(*) FROM billstack.calls WHERE operation = 'create_customer' AND state = 'sent'}), 1, 'what it would tell is not known');
$sim->faults;
$node->restart;
all_known();
is($node->sql(q{SELECT count(*) FROM billstack.calls WHERE operation = 'create_customer' AND state = 'nothing'}), 0, 'then it is found');
$node->sql("SELECT billstack.rotate_keys('acme', '$key{new}', allow_account_change => true)");
lost(q{object_id = (SELECT stripe_product_id FROM billstack_internal.project_product WHERE name = 'Lost')});
$node->restart;
all_known();
is($node->sql(q{SELECT state || ': ' || error FROM billstack.calls WHERE operation = 'create_product' ORDER BY created_at DESC LIMIT 1}),
	'unknown: the answer was lost, and the integration has come to another account', 'another account is not asked what has become of it');

$node->stop;
done_testing();
