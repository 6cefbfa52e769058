# Runs TAP files and prints, as its last line, how many subtests passed and failed.
# A file that dies or breaks its plan counts as one failure more.
# Usage: tap.pl JOBS FILE...
use strict;
use warnings;
use TAP::Harness;

my ($jobs, @files) = @ARGV;
my $harness = TAP::Harness->new(
	{ jobs => $jobs, timer => 1, failures => 1, color => 0, lib => [ split /:/, $ENV{PERL5LIB} // '' ] });
my $result = $harness->runtests(@files);

my $failed = $result->failed;
for my $parser ($result->parsers)
{
	my $broken = $parser->parse_errors || $parser->exit || $parser->wait;
	$failed++ if $broken && !$parser->failed;
}
printf "%d passed, %d failed\n", scalar $result->passed, $failed;
exit($failed ? 1 : 0);
