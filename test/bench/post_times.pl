# Times POSTs to the simulator over one kept connection: a line each, in microseconds. Each makes a checkout
# session, as create_checkout does: what the simulator takes for that is its own time.
# Usage: post_times.pl PORT KEY COUNT CUSTOMER PRICE    (Stripe's ids)
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my ($port, $key, $count, $customer, $price) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "no simulator: $@";
setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
my $body = "mode=subscription&customer=$customer&line_items[0][price]=$price&line_items[0][quantity]=1"
  . '&success_url=https://x.example&cancel_url=https://x.example&metadata[project_id]=proj_bench&expand[]=line_items';
for my $n (1 .. $count)
{
	my $request = "POST /v1/checkout/sessions HTTP/1.1\r\nHost: stripe\r\nAuthorization: Bearer $key\r\n"
	  . "Idempotency-Key: bench-$$-$n\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	my $from = time;
	syswrite $socket, $request;
	my $answer = '';
	until ($answer =~ /\r\nContent-Length: (\d+)\r\n.*?\r\n\r\n/s && length($answer) >= $+[0] + $1)
	{
		sysread($socket, $answer, 65536, length $answer) or die 'the simulator closed the connection';
	}
	my $took = time - $from;
	die "the simulator refuses: $answer" if $answer !~ m{^HTTP/1\.1 200 };
	printf "%d\n", $took * 1e6;
}
