# What the tests of interrupts and life cycle look at from outside: processes, their sockets and threads,
# a simulator of Stripe, servers that break off in the middle, and waiting for conditions.
package Billstack::Scene;
use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Utils ();
use Socket qw(:DEFAULT IPPROTO_TCP);
use Test::More ();
use Time::HiRes qw(time sleep);

our @EXPORT = qw(wait_for alive threads sockets_to voluntary_switches figures silent_listener full_listener
  conf_with_preload worker_pid health);

# wait_for($seconds, sub {...}): calls it until it returns something true, which is returned; 0 in the end.
sub wait_for
{
	my ($seconds, $condition, $pause) = @_;
	my $until = time + $seconds;
	while (1)
	{
		my $seen = $condition->();
		return $seen if $seen;
		return 0 if time >= $until;
		sleep($pause // 0.005);
	}
}

sub alive { my ($pid) = @_; return -e "/proc/$pid" && _read("/proc/$pid/stat") !~ /\) Z /; }

sub threads { my ($pid) = @_; return scalar(my @tasks = glob "/proc/$pid/task/*"); }

sub voluntary_switches { my ($pid) = @_; return _read("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : -1; }

# TCP sockets of a process: [{port (remote), state, unsent, unread, wants_to_write}], all or to one port.
sub sockets_to
{
	my ($pid, $port) = @_;
	my (%inode, %polled);
	for my $fd (glob "/proc/$pid/fd/*")
	{
		my $target = readlink $fd // next;
		my ($number) = $fd =~ m{(\d+)$};
		$inode{$1} = $number if $target =~ /^socket:\[(\d+)\]/;
		next unless $target =~ /eventpoll/;
		my $info = _read("/proc/$pid/fdinfo/$number");
		$polled{$1} = hex $2 while $info =~ /^tfd:\s*(\d+)\s+events:\s*([0-9a-f]+)/mg;
	}
	my @found;
	for my $line (map { split /\n/, _read("/proc/$pid/net/$_") } 'tcp', 'tcp6')
	{
		my @part = split ' ', $line;
		next unless @part > 9 && exists $inode{ $part[9] };
		my $remote = hex((split /:/, $part[2])[1]);
		next if defined $port && $remote != $port;
		my ($unsent, $unread) = map { hex } split /:/, $part[4];
		push @found, { port => $remote, state => $part[3], unsent => $unsent, unread => $unread,
			wants_to_write => (($polled{ $inode{ $part[9] } } // 0) & 4) != 0 };
	}
	return @found;
}

# "p50 3 ms, max 11 ms of 15" of seconds.
sub figures
{
	my @sorted = sort { $a <=> $b } @_;
	return sprintf 'p50 %.0f ms, max %.0f ms of %d', 1000 * $sorted[ $#sorted / 2 ], 1000 * $sorted[-1], scalar @sorted;
}

# A server that accepts nothing by itself. `small`: its peers can send a few kB only.
sub silent_listener
{
	my (%options) = @_;
	socket(my $socket, PF_INET, SOCK_STREAM, IPPROTO_TCP) or die $!;
	if ($options{small})
	{
		setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack 'i', 2048) or die $!;
		# The peer's send buffer grows with the segment size, 64 kB on loopback.
		setsockopt($socket, IPPROTO_TCP, Socket::TCP_MAXSEG(), pack 'i', 536) or die $!;
	}
	bind($socket, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
	listen($socket, $options{backlog} // 64) or die $!;
	my ($port) = sockaddr_in(getsockname $socket);
	return ($socket, $port);
}

# A listener whose queue is full: who connects waits. The peers that fill it are returned with it.
sub full_listener
{
	my ($socket, $port) = silent_listener(backlog => 0);
	my @peers;
	for (1 .. 64)
	{
		my $peer = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Blocking => 0);
		push @peers, $peer;
		last if !wait_for(0.2, sub { $peer && $peer->connected });
	}
	return ([ $socket, @peers ], $port);
}

# For append_conf of a node that has billstack; crash safety is no subject here.
sub conf_with_preload
{
	my ($api_base) = @_;
	return "shared_preload_libraries = 'billstack'\nfsync = off\nautovacuum = off\n"
	  . "billstack.api_base = '$api_base'\n"
	  . "billstack.rate_limit = 0\nbillstack.endpoint_rate_limit = 0\n"
	  . "dynamic_library_path = '\$libdir:$ENV{BILLSTACK_SOURCE}/build/bridge'\n";
}

# The sync worker's process of a database, or ''.
sub worker_pid
{
	my ($node, $database, $asked_in) = @_;
	return $node->safe_psql($asked_in // 'postgres', "SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'billstack sync worker' AND datname = '$database'");
}

# A check of billstack.health(): "status|detail|hint".
sub health
{
	my ($node, $database, $check) = @_;
	return $node->safe_psql($database,
		"SELECT status, detail, hint FROM billstack.health() WHERE check_name = '$check'");
}

sub _read
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar(<$file>) // '';
}

package Billstack::Scene::Simulator;
use Time::HiRes qw(time sleep);

# new(FLAG => VALUE...): a running simulator; it ends with the object.
sub new
{
	my ($class, @flags) = @_;
	my $dir = File::Temp::tempdir(CLEANUP => 1);
	my $pid = fork // die $!;
	if (!$pid)
	{
		open STDOUT, '>', "$dir/log";
		open STDERR, '>&', \*STDOUT;
		exec $ENV{BILLSTACK_SIM}, '--port', 0, '--port-file', "$dir/port", @flags or POSIX::_exit(1);
	}
	Billstack::Scene::wait_for(30, sub { -s "$dir/port" }) or die 'the simulator did not start';
	chomp(my $port = Billstack::Scene::_read("$dir/port"));
	return bless { pid => $pid, port => $port, dir => $dir, owner => $$, tls => scalar grep { /tls/ } @flags }, $class;
}

sub port { return $_[0]{port}; }
sub url { return "http://127.0.0.1:$_[0]{port}"; }

sub ask
{
	my ($self, $method, $path, $content) = @_;
	my $body = ref $content ? JSON::PP::encode_json($content) : $content;
	my $answer = HTTP::Tiny->new(timeout => 30)->request($method, $self->url . "/_sim/$path",
		{ defined $body ? (content => $body) : () });
	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $answer->{content};
}

sub stats { return JSON::PP::decode_json($_[0]->ask('GET', 'stats')); }
sub requests { return $_[0]->stats->{requests}; }
sub faults { my ($self, @rules) = @_; $self->ask(@rules ? ('POST', 'faults', \@rules) : ('DELETE', 'faults')); return; }

sub DESTROY
{
	my ($self) = @_;
	return if $self->{owner} != $$;
	local ($?, $!);
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;
