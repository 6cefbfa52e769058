# Times POSTs to the simulator over one kept connection: a line each, in microseconds. They are refused,
# which costs Stripe's latency and makes nothing.
# Usage: post_times.pl PORT KEY COUNT
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my ($port, $key, $count) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "no simulator: $@";
setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
my $body = 'mode=subscription';
for (1 .. $count)
{
	my $from = time;
	syswrite $socket, "POST /v1/checkout/sessions HTTP/1.1\r\nHost: stripe\r\nAuthorization: Bearer $key\r\nContent-Length: "
	  . length($body) . "\r\n\r\n$body";
	my $answer = '';
	until ($answer =~ /\r\nContent-Length: (\d+)\r\n.*?\r\n\r\n/s && length($answer) >= $+[0] + $1)
	{
		sysread($socket, $answer, 65536, length $answer) or die 'the simulator closed the connection';
	}
	printf "%d\n", (time - $from) * 1e6;
}
