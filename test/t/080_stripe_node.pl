# Stripe's own client lists, pages through and reads everything from the simulator: what the other tests
# take for Stripe behaves like it. Its subtests are those that test/stripe_node/list_all.mjs prints.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp qw(tempdir);

# The packages go to a folder of the tests' user, not into the checkout.
my $source = "$ENV{BILLSTACK_SOURCE}/test/stripe_node";
my $folder = tempdir(CLEANUP => 1);
copy("$source/$_", "$folder/$_") or die "$_: $!" for qw(package.json package-lock.json list_all.mjs);
chdir $folder or die $!;
$ENV{HOME} = $folder;
$ENV{STRIPE_SIM} = $ENV{BILLSTACK_SIM};

my $log = `npm ci --no-audit --no-fund 2>&1`;
die "npm ci failed:\n$log" if $?;
my $status = system('node', 'list_all.mjs');
chdir '/';
exit($status == 0 ? 0 : 1);
