# Stripe's own command line tool creates, changes, lists and deletes at the simulator, and the events of all
# that are there: what the other tests take for Stripe is written to like it.
use strict;
use warnings;
use Billstack::Simulator;
use Cpanel::JSON::XS ();
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;

my ($machine) = (POSIX::uname())[4];
plan skip_all => "the package of Stripe's tool is for x86_64" unless $machine eq 'x86_64';

# The package goes to a folder of the tests' user, not into the checkout.
my $folder = tempdir(CLEANUP => 1);
copy("$ENV{BILLSTACK_SOURCE}/test/stripe_cli/$_", "$folder/$_") or die "$_: $!" for qw(package.json package-lock.json);
$ENV{HOME} = $folder;
my $log = `cd $folder && npm ci --no-audit --no-fund 2>&1`;
die "npm ci failed:\n$log" if $?;
my $program = "$folder/node_modules/\@stripe/cli-linux-x64/bin/stripe";
# It tells its makers of its use and looks for newer versions; not from here.
@ENV{qw(STRIPE_CLI_TELEMETRY_OPTOUT DO_NOT_TRACK HTTPS_PROXY)} = (1, 1, 'http://127.0.0.1:9');

my $sim = Billstack::Simulator->new(customers => 30, charges => 50);
my $json = Cpanel::JSON::XS->new->utf8;

# What the tool prints, decoded; dies unless it is an object.
sub stripe
{
	my (@words) = @_;
	my @command = ($program, @words, '--api-key', $sim->key, '--api-base', $sim->url);
	open my $out, '-|', @command or die "$program: $!";
	local $/;
	my $text = <$out>;
	close $out;
	# A deletion is announced before the answer.
	my $answer = eval { $json->decode($text =~ s/\A[^{]*//r) };
	die "stripe @words: $text" unless ref $answer eq 'HASH';
	return $answer;
}

subtest 'a customer is created, changed, listed and deleted' => sub {
	my $made = stripe(qw(customers create --name=Jenny --email=jenny@example.com -d metadata[order]=7));
	is_deeply([ @$made{qw(object name email)}, $made->{metadata} ],
		[ 'customer', 'Jenny', 'jenny@example.com', { order => '7' } ], 'as asked for');
	is(stripe(qw(customers update), $made->{id}, '--name=Ruth')->{name}, 'Ruth', 'changed');
	is(stripe(qw(customers retrieve), $made->{id})->{name}, 'Ruth', 'and so it is read');
	my $list = stripe(qw(customers list --limit=3));
	is_deeply([ map { $_->{id} } @{ $list->{data} } ],
		[ map { $_->{id} } ($sim->objects('customer'))[ 0 .. 2 ] ], 'the newest three, as the simulator holds them');
	ok($list->{has_more}, 'of more');
	stripe(qw(customers delete), $made->{id}, '--confirm');
	ok(stripe(qw(customers retrieve), $made->{id})->{deleted}, 'gone');
	my @events = reverse @{ stripe(qw(events list --limit=3))->{data} };
	is_deeply([ map { $_->{type} } @events ], [qw(customer.created customer.updated customer.deleted)], 'told of');
	is($events[1]{data}{previous_attributes}{name}, 'Jenny', 'with what was before');
};

subtest 'products, prices, coupons, subscriptions and refunds' => sub {
	my $product = stripe(qw(products create --name=Gold));
	my $price = stripe(qw(prices create --currency=usd --unit-amount=2500 --recurring.interval=month),
		"--product=$product->{id}");
	is($price->{unit_amount}, 2500, 'a price of a product');
	is(stripe(qw(coupons create --percent-off=25.5 --duration=forever))->{percent_off}, 25.5, 'a coupon');
	my ($customer) = $sim->objects('customer');
	my $subscription = stripe(qw(subscriptions create), "--customer=$customer->{id}", '-d', "items[0][price]=$price->{id}");
	is($subscription->{items}{data}[0]{price}{id}, $price->{id}, 'a subscription to it');
	is(stripe(qw(subscriptions cancel), $subscription->{id}, '--confirm')->{status}, 'canceled', 'canceled');
	my ($charge) = $sim->objects('charge');
	is(stripe(qw(refunds create), "--charge=$charge->{id}")->{charge}, $charge->{id}, 'a refund');
	my %type = map { $_->{type} => 1 } $sim->events;
	ok($type{$_}, $_) for qw(product.created price.created coupon.created customer.subscription.created
		customer.subscription.deleted refund.created);
};

subtest 'a webhook endpoint, its secret shown once' => sub {
	my $made = stripe(qw(webhook_endpoints create --url=https://example.com/hook --enabled-events=customer.created));
	like($made->{secret}, qr/^whsec_\w{32}$/, 'a secret');
	ok(!exists stripe(qw(webhook_endpoints retrieve), $made->{id})->{secret}, 'not again');
};

subtest 'every kind can be listed' => sub {
	my @kinds = qw(payment_intent setup_intent refund dispute credit_note promotion_code tax_rate subscription_schedule
	  balance_transaction payout transfer application_fee quote payment_link review);
	for my $kind (@kinds)
	{
		my $before = () = $sim->objects($kind);
		$sim->make($kind, 2);
		is(scalar @{ stripe("${kind}s", 'list', '--limit=100')->{data} }, $before + 2, $kind);
	}
};

$sim->stop;
done_testing;
