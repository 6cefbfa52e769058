#!/usr/bin/perl
# What clients wrote at the simulator whose port is in BILLSTACK_SIM_PORT: the last request with its
# parameters, or with --count and a pattern how many there were to matching paths, by status.
# Usage: sim_writes.pl; sim_writes.pl --count '^/v1/checkout/'
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;

my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ENV{BILLSTACK_SIM_PORT}) or die "no simulator: $@";
print $socket "GET /_sim/writes HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n";
my $answer = do { local $/; <$socket> };
$answer =~ s/\A.*?\r\n\r\n//s;
my @writes = map { decode_json($_) } split /\n/, $answer;
if (@ARGV)
{
	my (undef, $pattern) = @ARGV;
	my %count;
	$count{ $_->{status} }++ for grep { $_->{target} =~ /$pattern/ } @writes;
	print map { "$_: $count{$_}\n" } sort keys %count;
	exit;
}
my $last = $writes[-1] or die 'nothing was written';
print "$last->{method} $last->{target}\n";
# The mark of the write follows from ids that differ from run to run.
print map { "  $_->[0]=" . ($_->[0] =~ /billstack_intent/ ? '...' : $_->[1]) . "\n" } @{ $last->{params} };
