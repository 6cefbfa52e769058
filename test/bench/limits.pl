# What a run asked of the simulator beside what it needed, and the time beside the least that the limits
# allow. Usage: limits.pl reset PORT | report PORT FILE RATE ENDPOINT-RATE    FILE: a line "kind objects"
# for each kind copied
use strict;
use warnings;
use Cpanel::JSON::XS;
use HTTP::Tiny;
use List::Util qw(max sum0);
use POSIX qw(ceil);

my $json = Cpanel::JSON::XS->new->utf8;
my ($act, $port, $file, $rate, $endpoint_rate) = @ARGV;
my $http = HTTP::Tiny->new(timeout => 300);
my $base = "http://127.0.0.1:$port/_sim";

sub ask
{
	my ($method, $path) = @_;
	my $answer = $http->request($method, "$base/$path");
	die "$path: $answer->{status} $answer->{content}\n" unless $answer->{success};
	return $answer->{content};
}

if ($act eq 'reset')
{
	ask('POST', 'reset');
	exit;
}

my $limits = $json->decode(ask('GET', 'limits'));
my @requests = map { $json->decode($_) } split /\n/, ask('GET', 'ledger');
my ($first, $last) = map { $_->{time_ms} } @requests[ 0, -1 ];
my %pages; # needed, by operation
open my $in, '<', $file or die "$file: $!\n";
while (<$in>)
{
	my ($kind, $objects) = split;
	$pages{"GET /v1/${kind}s"} = max(1, ceil($objects / 100));
}
# What hangs on an object is asked for once; the run's first question is for the newest event.
my %lists = %pages;
my %once;
for my $request (@requests)
{
	(my $path = $request->{target}) =~ s/\?.*//;
	next if $lists{"GET $path"};
	my $operation = $path =~ s{^(/v1/[^/]+)/[^/]+}{$1/{id}}r;
	$pages{"GET $operation"}++ if !$once{ $request->{target} }++;
}
my $needed = sum0(values %pages);
my $least = max($needed / $rate, max(values %pages) / $endpoint_rate);
my $seconds = ($last - $first) / 1000;
my $refused = sum0(values %{ $limits->{refused} });
my %asked = map { $_ => $limits->{endpoints}{$_}{requests} } keys %{ $limits->{endpoints} };
printf "  more than needed: $_, %d of %d\n", $asked{$_} - ($pages{$_} // 0), $asked{$_}
  for grep { $asked{$_} > ($pages{$_} // 0) } sort keys %asked;
printf "%d/s in all, %d/s an operation: %.1f s, least %.1f s, %.3f of it; %d requests, %d pages needed, %.3f of them; "
  . "429: %d (%.2f %%); busiest second %d, of one operation %d\n",
  $rate, $endpoint_rate, $seconds, $least, $seconds / $least, scalar @requests, $needed, @requests / $needed,
  $refused, 100 * $refused / @requests, $limits->{busiest_second},
  max(map { $_->{busiest_second} } values %{ $limits->{endpoints} });
