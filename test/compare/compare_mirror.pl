#!/usr/bin/perl
# Reads both sides, the simulator's objects and the rows of a mirror, and prints every difference.
# Usage: compare_mirror.pl --sim PORT --schema stripe_team_acme [--account acct_...] [--kind customer]...
#        [-- PSQL-ARGUMENTS]        e.g. -- -h /run/postgresql -d app
# Exit status 0: equal, 1: differences, 2: wrong usage. Needs libcpanel-json-xs-perl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Billstack::MirrorCompare qw(compare_mirror);
use Getopt::Long;

my ($port, $schema, $account, @kinds, $help);
GetOptions('sim=i' => \$port, 'schema=s' => \$schema, 'account=s' => \$account, 'kind=s' => \@kinds,
	'help' => \$help) or $help = 2;
if ($help || !$port || !$schema)
{
	open my $self, '<', $0;
	print map { s/^# ?//r } grep { /^# / } (<$self>)[1 .. 4];
	exit($help && $help == 1 ? 0 : 2);
}

sub query
{
	open my $psql, '-|', 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', @ARGV, '-c', $_[0] or die $!;
	chomp(my @lines = <$psql>);
	close $psql or die "psql failed\n";
	return @lines;
}

my $seen = compare_mirror(port => $port, schema => $schema, account => $account, query => \&query,
	kinds => @kinds ? \@kinds : undef);
my $count = @{ $seen->{differences} };
print "$_\n" for splice @{ $seen->{differences} }, 0, 20;
print "$seen->{objects} objects, $seen->{fields} fields, $count differences\n";
exit($count ? 1 : 0);
