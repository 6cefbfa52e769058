# Documents that SQL's own functions cannot read, roles that hand in webhooks and no more, and what a project misses
# while it is not linked.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use Cpanel::JSON::XS;
use Digest::SHA qw(hmac_sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;

my $json = Cpanel::JSON::XS->new->canonical->utf8;
my $secret = 'whsec_' . 'r' x 32;
my $sim = Billstack::Simulator->new(seed => 55, customers => 4, products => 2, prices => 3,
	subscriptions => 2, invoices => 2, charges => 2);
my $node = Billstack::Node->make('links', $sim, conf => "autovacuum = off\nbillstack.refetch_delay = 1d");
my $past = time - 5000;
my $number = 0;
for my $team (qw(acme beta)) {
	$node->connect_team($team, $sim->key);
	$node->sql("SELECT billstack.set_webhook_secret('$team', '$secret')");
	$node->sql("SELECT billstack.create_project('$team', 'P $team', id => 'proj_$team')");
}
sub common { my ($id, $object, %more) = @_; return { id => $id, object => $object, created => $past - 100, livemode => \0, metadata => {}, %more }; }
sub event { my ($type, $object, $created) = @_; $number++;
	return { id => "evt_r$number", object => 'event', api_version => '2026-09-30.endive', created => $created // $past + $number,
		livemode => \0, type => $type, data => { object => $object } }; }
sub receive { my ($team, $event) = @_; my $body = $json->encode($event); my $at = time;
	$node->sql(sprintf q{SELECT billstack.receive_webhook_raw('%s', '\x%s', 't=%d,v1=%s')}, $team, unpack('H*', $body), $at, hmac_sha256_hex("$at.$body", $secret)); return; }
sub price_object { my ($id) = @_; return common($id, 'price', active => \1, currency => 'usd', product => 'prod_x', type => 'recurring',
	unit_amount => 1000, unit_amount_decimal => '1000', billing_scheme => 'per_unit',
	recurring => { interval => 'month', interval_count => 1, usage_type => 'licensed' }); }
sub subscription { my ($n, %with) = @_;
	return common("sub_$n", 'subscription', customer => "cus_$n", status => 'active', currency => 'usd',
		cancel_at_period_end => \0, start_date => $past - 100, discounts => [], 
		items => { object => 'list', has_more => \0, data => [ common("si_$n", 'subscription_item',
			subscription => "sub_$n", quantity => 1, current_period_start => $past, current_period_end => $past + 86400,
			price => price_object("price_$n")) ] }, %with); }
my $failed = q{SELECT coalesce(string_agg(concat_ws(' ', event_id, attempts, error), ', '), '') FROM billstack_internal.inbox WHERE attempts > 0};
# Waits until no event is left, or one has failed.
sub applied { my ($name) = @_; $node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM billstack_internal.inbox WHERE attempts = 0)');
	return is($node->sql($failed), '', $name); }
sub row { my ($table, $id, $columns) = @_; return $node->sql("SELECT $columns FROM billstack_internal.project_$table WHERE stripe_${table}_id = '$id'"); }

# --- documents that json's operators refuse -----------------------------------------------------------------

my %ours = (metadata => { project_id => 'proj_acme' });
receive('acme', event('customer.subscription.updated', subscription('nul', %ours, cancellation_details => { comment => "a\0b", feedback => undef, reason => undef })));
applied('a subscription with a NUL in it');
is(row('subscription', 'sub_nul', 'project_id, status, mrr'), 'proj_acme|active|1000', 'has its row');
receive('acme', event('invoice.paid', common('in_nul', 'invoice', %ours, customer => 'cus_nul', status => 'paid', currency => 'usd', amount_due => 1000,
	amount_paid => 1000, attempted => \1, description => "x\0y", lines => { object => 'list', has_more => \0, data => [] })));
receive('acme', event('payment_intent.payment_failed', common('pi_nul', 'payment_intent', %ours, customer => 'cus_nul', amount => 5, currency => 'usd',
	status => 'requires_payment_method', latest_charge => undef, last_payment_error => { code => 'card_declined', message => "no\0no" })));
applied('an invoice and a payment with one');
is(row('invoice', 'in_nul', 'project_id, status'), 'proj_acme|paid', 'have theirs');
is(row('payment', 'pi_nul', 'project_id, failure_message'), "proj_acme|no\x{ef}\x{bf}\x{bd}no", 'and what it said');
$node->sql("SELECT billstack.unlink_project('proj_acme'); DELETE FROM billstack_internal.project_subscription");
is($node->error_of("SET standard_conforming_strings = off; SELECT billstack.link_project('proj_acme', 'default')"), undef, 'a mirror with such rows can be linked');
is(row('subscription', 'sub_nul', 'project_id, status, mrr'), 'proj_acme|active|1000', 'and is read');

# --- who hands in webhooks reads no bills ---------------------------------------------------------------------

$node->sql("CREATE ROLE mixed; SELECT billstack.grant_access('mixed', 'webhook', 'acme'); SELECT billstack.grant_access('mixed', 'reader', 'beta')");
$node->sql("INSERT INTO billstack_internal.inbox (integration_id, event_id, event_type, event_created, received_at, payload, failed_at, error)
	SELECT id, 'evt_dead', 'customer.updated', now(), now(), '{}', now(), 'dead' FROM billstack_internal.integration WHERE team IN ('acme', 'beta')");
for my $view (qw(mrr billing_health calls webhook_events failed_events))
{
	cmp_ok($node->sql("SELECT count(*) FROM billstack.$view WHERE team = 'acme'"), '>', 0, "$view has rows of acme") if $view ne 'calls';
	is($node->sql("SET ROLE mixed; SELECT count(*) FROM billstack.$view WHERE team = 'acme'"), 0, "$view: not for a role that is reader of another team");
	is($node->sql("SET ROLE mixed; SELECT count(*) FROM billstack.$view WHERE team = 'beta'"), 1, "$view: of that one it is") if $view =~ /_events/;
}
is($node->sql("SET ROLE mixed; SELECT count(*) FROM billstack.inbox_status WHERE team = 'acme'"), 1, 'who hands in webhooks sees how many wait');
$node->sql("DELETE FROM billstack_internal.inbox WHERE event_id = 'evt_dead'");

# --- what a project misses --------------------------------------------------------------------------------------

$node->sql("SELECT billstack.create_project('acme', 'Two', id => 'proj_two')");
my $customer = $json->decode($node->sql("SELECT billstack.create_customer('proj_two', 'two\@example.com')"))->{customer};
$node->sql("SELECT billstack.unlink_project('proj_two')");
receive('acme', event('customer.updated', common($customer->{stripeCustomerId}, 'customer', email => 'new@example.com', name => 'New'), time + 5));
applied('a customer changes while its project is not linked');
$node->sql("SELECT billstack.link_project('proj_two', 'default')");
is($node->sql("SELECT email FROM billstack_internal.project_customer WHERE id = '$customer->{id}'"), 'new@example.com', 'linked again, the project has the change');
receive('acme', event('customer.subscription.updated', subscription('early', metadata => { project_id => 'proj_three' }, customer => $customer->{stripeCustomerId})));
applied('a subscription names a project that is not there yet');
is(row('subscription', 'sub_early', 'project_id'), 'proj_two', 'it is its customer\'s');
$node->sql("SELECT billstack.create_project('acme', 'Three', id => 'proj_three')");
is(row('subscription', 'sub_early', 'project_id'), 'proj_three', 'then that project\'s, without another event');

# --- what a project that is not linked tells ------------------------------------------------------------------

my $live = "SELECT billstack.has_active_subscription('proj_three', '$customer->{id}'), billstack.has_active_subscription('proj_two', '$customer->{id}')";
receive('acme', event('customer.subscription.updated', subscription('live', metadata => { project_id => 'proj_two' }, customer => $customer->{stripeCustomerId})));
applied('a subscription of the second project');
is($node->sql($live), 'f|t', 'it is active');
is($node->sql("BEGIN; SELECT FROM billstack.unlink_project('proj_two'); $live; ROLLBACK"), 'f|f', 'not while nobody tells the project what becomes of it');
$node->sql("SELECT billstack.unlink_project('proj_two')");
is($node->sql($live), 'f|f', 'nor afterwards');
$node->sql("SELECT billstack.link_project('proj_two', 'default')");
is($node->sql($live), 'f|t', 'linked again it is');

# --- a session that does not end its transaction ------------------------------------------------------------------

my ($idle, $asks) = map { Billstack::Session->new($node, 'postgres') } 1 .. 2;
my $assign = sub { return "SELECT billstack.assign_customers('proj_two', ARRAY(SELECT id FROM stripe_team_acme.customers ORDER BY id LIMIT 2))"; };
$node->run_ends($node->start_backfill('acme', objects => ['customer']));
$idle->value('BEGIN');
$idle->value("SELECT billstack.create_customer('proj_two', 'idle\@example.com')");
$asks->start($assign->());
$node->poll_query_until('postgres', "SELECT wait_event_type IN ('Extension', 'Lock') FROM pg_stat_activity WHERE pid = " . $asks->pid);
is($node->sql("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND NOT granted"), 0, 'who needs the links alone does not queue: the worker is not held up');
receive('acme', event('customer.updated', common($customer->{stripeCustomerId}, 'customer', email => 'later@example.com', name => 'L'), time + 50));
$node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM billstack_internal.inbox)') or diag 'events stand still';
is($node->sql("SELECT email FROM billstack_internal.project_customer WHERE id = '$customer->{id}'"), 'later@example.com', 'events go on');
my $refused = $asks->answer;
is($refused->{sqlstate}, '55P03', 'it gives up');
like($refused->{hint} // '', qr/open transaction/, 'and says for whom');
$asks->start($assign->());
$node->poll_query_until('postgres', "SELECT wait_event_type IN ('Extension', 'Lock') FROM pg_stat_activity WHERE pid = " . $asks->pid);
$idle->value('ROLLBACK');
is($asks->answer->{sqlstate}, undef, 'it goes on when the other transaction ends');

# --- a stranger's lock --------------------------------------------------------------------------------------------

$node->run_ends($node->start_backfill('acme', objects => [qw(product price)]));
my ($found) = $sim->objects('product');
my $stranger = Billstack::Session->new($node, 'postgres');
$stranger->value('CREATE ROLE stranger');
$stranger->value('SET ROLE stranger');
$stranger->value("SELECT pg_advisory_lock(hashtext('billstack adopt_product'), id) FROM generate_series(1, 9) AS id");
is($node->error_of("SET lock_timeout = '3s'; SELECT billstack.adopt_product('proj_acme', '$found->{id}')"), undef, 'advisory locks keep nobody from adopting');

$node->stop;
done_testing();
