# Stripe's own client and billstack judge the same 100,000 generated signature headers, bodies and secrets.
# Its subtests are those that test/stripe_node/signature_cases.mjs prints, with the seed.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Temp qw(tempdir);

# The packages go to a folder of the tests' user, not into the checkout.
my $source = "$ENV{BILLSTACK_SOURCE}/test/stripe_node";
my $verdicts = dirname($ENV{BILLSTACK_SIM}) . '/../tools/signature_verdicts';
my $folder = tempdir(CLEANUP => 1);
copy("$source/$_", "$folder/$_") or die "$_: $!" for qw(package.json package-lock.json signature_cases.mjs);
chdir $folder or die $!;
$ENV{HOME} = $folder;

my $log = `npm ci --no-audit --no-fund 2>&1`;
die "npm ci failed:\n$log" if $?;
my @seed = defined $ENV{BILLSTACK_SEED} ? ($ENV{BILLSTACK_SEED}) : ();
my $status = system('node', 'signature_cases.mjs', $verdicts, 100_000, @seed);
chdir '/';
exit($status == 0 ? 0 : 1);
