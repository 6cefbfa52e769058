# A running Stripe simulator and its control endpoints. It ends with the object, or with the test.
package Billstack::Simulator;
use strict;
use warnings;
use Cpanel::JSON::XS;
use File::Temp qw(tempdir);
use HTTP::Tiny;
use POSIX ();
use Time::HiRes qw(time sleep);

my $json = Cpanel::JSON::XS->new->utf8;

# new(OPTION => VALUE...): options of stripe_sim without the dashes (customers => 300); config => {...}
# becomes a file. The key is key(), unless config has its own.
sub new
{
	my ($class, %options) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my $key = $options{key} //= 'sk_test_simulated' . '0' x 16;
	if (my $config = delete $options{config})
	{
		open my $file, '>', "$dir/config.json" or die $!;
		print $file $json->encode($config);
		close $file;
		$options{config} = "$dir/config.json";
		$key = $config->{accounts}[0]{keys}[0]{key};
	}
	my @flags = map { ('--' . (tr/_/-/r), $options{$_}) } sort keys %options;
	my $pid = fork // die $!;
	if (!$pid)
	{
		open STDOUT, '>', "$dir/log";
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		{ no warnings 'exec'; exec $ENV{BILLSTACK_SIM}, '--port', 0, '--port-file', "$dir/port", @flags; }
		POSIX::_exit(1);
	}
	my $self = bless { pid => $pid, dir => $dir, owner => $$, key => $key }, $class;
	for (my $until = time + 60; !-s "$dir/port";)
	{
		die 'the simulator did not start: ' . _slurp("$dir/log")
		  if time > $until || waitpid($pid, POSIX::WNOHANG()) == $pid;
		sleep 0.01;
	}
	chomp($self->{port} = _slurp("$dir/port"));
	return $self;
}

sub port { return $_[0]{port}; }
sub url { return "http://127.0.0.1:$_[0]{port}"; }
sub pid { return $_[0]{pid}; }
sub key { return $_[0]{key}; }

# A request to a control endpoint; its answer as text. Dies unless it succeeds.
sub ask
{
	my ($self, $method, $path, $content) = @_;
	my $body = ref $content ? $json->encode($content) : $content;
	# A connection each time: nothing of a test's own stands open while it counts connections.
	my $answer = HTTP::Tiny->new(timeout => 60, keep_alive => 0)
	  ->request($method, $self->url . "/_sim/$path", { defined $body ? (content => $body) : () });
	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $answer->{content};
}

sub stats { return $json->decode($_[0]->ask('GET', 'stats')); }
# Requests by Stripe's clients so far; control requests do not count.
sub requests { return $_[0]->stats->{requests}; }
sub accounts { return _lines($_[0]->ask('GET', 'accounts')); }
# Ledger entries after a sequence number: {sequence, method, target, status, fault, ...}.
sub ledger { my ($self, $since) = @_; return _lines($self->ask('GET', 'ledger?since=' . ($since // 0))); }
sub last_sequence { return $_[0]->stats->{last_sequence}; }
# Forgets ledger, counters and faults.
sub reset { $_[0]->ask('POST', 'reset'); return; }
# Replaces the script of faults; without rules there are none.
sub faults { my ($self, @rules) = @_; $self->ask(@rules ? ('POST', 'faults', \@rules) : ('DELETE', 'faults')); return; }
sub latency { my ($self, $ms) = @_; $self->ask('POST', 'latency', { ms => $ms }); return; }
# Stripe's limits from now on: (rate => n, endpoint_rate => n, concurrency => n, endpoint_concurrency => n,
# retry_after => s); without arguments none.
sub set_limits { my ($self, %limits) = @_; $self->_post('limits', \%limits); return; }
# Since they were set: {refused => {reason => n}, busiest_second, endpoints => {operation => {requests,
# refused, busiest_second}}}.
sub limits { return $json->decode($_[0]->ask('GET', 'limits')); }
# Stripe's clock, in seconds ahead of this machine's.
sub clock { my ($self, $seconds) = @_; $self->ask('POST', 'clock', { offset_s => $seconds }); return; }
# denied: kinds the key may not read, "account" among them.
sub set_key
{
	my ($self, $key, @denied) = @_;
	my ($account) = $self->accounts;
	$self->ask('POST', 'keys', { key => $key, account => $account->{id}, denied => \@denied });
	return;
}
# Stripe has forgotten all idempotency keys, as after a day.
sub forget_keys { $_[0]->ask('DELETE', 'idempotency'); return; }
sub revoke_key { my ($self, $key) = @_; $self->ask('DELETE', 'keys?key=' . ($key // $self->key)); return; }

# Objects of a kind, children included, newest first as lists have them.
sub objects { my ($self, $kind) = @_; return _lines($self->ask('GET', "objects/$kind")); }
# The same with what the object does not say: {parent, object}; parent is undef where there is none.
sub objects_with_parents { my ($self, $kind) = @_; return _lines($self->ask('GET', "objects/$kind?parents=1")); }
sub object { my ($self, $kind, $id) = @_; return $json->decode($self->ask('GET', "objects/$kind/$id")); }
# Merge patch: members given replace those there, null removes.
sub patch { my ($self, $kind, $id, $merge) = @_; $self->ask('POST', "objects/$kind/$id", $merge); return; }
# Stores an object, or its very text.
sub put { my ($self, $kind, $id, $object) = @_; $self->ask('PUT', "objects/$kind/$id", $object); return; }
# Lists leave it out although a read by id finds it; hide(..., 0) ends that.
sub hide
{
	my ($self, $kind, $id, $hidden) = @_;
	$self->ask('POST', "objects/$kind/$id/listed", { listed => ($hidden // 1) ? \0 : \1 });
	return;
}
sub remove { my ($self, $kind, $id) = @_; $self->ask('DELETE', "objects/$kind/$id"); return; }

# Changes as Stripe makes them, each told of by an event: {op => create|update|delete, kind, id, fields,
# type, at, parent}, see stripe_sim --help. Answers what became of each: {id, type, created, sequence,
# object_id}; id is undef where Stripe has no event.
sub changes { my ($self, @changes) = @_; return @{ $self->_post('changes', { changes => \@changes })->{events} }; }
sub create { my ($self, $kind, $fields, %more) = @_; return ($self->changes({ op => 'create', kind => $kind, fields => $fields // {}, %more }))[0]; }
sub update { my ($self, $kind, $id, $fields, %more) = @_; return ($self->changes({ op => 'update', kind => $kind, id => $id, fields => $fields // {}, %more }))[0]; }
sub delete { my ($self, $kind, $id, %more) = @_; return ($self->changes({ op => 'delete', kind => $kind, id => $id, %more }))[0]; }
# Objects from Stripe's examples that were always there (no event): their ids. Options: fields, at, events.
sub make { my ($self, $kind, $count, %more) = @_; return @{ $self->_post('make', { kind => $kind, count => $count // 1, %more })->{ids} }; }
# Events as a webhook endpoint gets them: {event_id, type, created, thin, signature, payload}. Options:
# secret or endpoint, from, events, limit, order, seed, duplicates, losses, thin, at.
sub deliveries { my ($self, %script) = @_; return @{ $self->_post('deliveries', \%script)->{deliveries} }; }
# All that were recorded, oldest first, whatever their age.
sub events
{
	my ($self) = @_;
	my @oldest_first = reverse grep { $_->{type} ne 'account.updated' } $self->objects('event');
	return @oldest_first;
}
# The API version events are written in from now on.
sub api_version { my ($self, $version) = @_; $self->ask('POST', 'api_version', { version => $version }); return; }
# What customers do; each answers the session, or the invoice. renew: an open invoice for the next period.
sub complete_checkout { my ($self, $session) = @_; return $self->_post("checkout/$session/complete", {}); }
sub expire_checkout { my ($self, $session) = @_; return $self->_post("checkout/$session/expire", {}); }
sub pay_invoice { my ($self, $invoice) = @_; return $self->_post("invoices/$invoice/pay", {}); }
sub fail_invoice { my ($self, $invoice) = @_; return $self->_post("invoices/$invoice/fail", {}); }
sub renew { my ($self, $subscription) = @_; return $self->_post("subscriptions/$subscription/renew", {}); }
# POST and DELETE requests after a sequence number: {sequence, method, target, status, idempotency_key,
# replayed, params => [[name, value], ...], fault, ...}. status 0: the client saw none.
sub writes { my ($self, $since) = @_; return _lines($self->ask('GET', 'writes?since=' . ($since // 0))); }
# Objects that a POST of the API made, oldest first: {account, kind, id, idempotency_key}; of one kind, if named.
sub made
{
	my ($self, $kind) = @_;
	return grep { !defined $kind || $_->{kind} eq $kind } _lines($self->ask('GET', 'made'));
}
# Sets Stripe's clock to a second, where it stands unless told otherwise; now() is what it shows.
sub set_time { my ($self, $now, %more) = @_; $self->_post('clock', { now => $now, standing => \1, %more }); return; }
sub now { return $json->decode($_[0]->ask('GET', 'clock'))->{now}; }

sub _post { my ($self, $path, $body) = @_; return $json->decode($self->ask('POST', $path, $body)); }

sub stop
{
	my ($self) = @_;
	return if !$self->{pid} || $self->{owner} != $$;
	local ($?, $!);
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub DESTROY { $_[0]->stop; return; }

sub _lines { my ($text) = @_; return map { $json->decode($_) } split /\n/, $text; }

sub _slurp
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar(<$file>) // '';
}

1;
