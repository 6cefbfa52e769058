#!/bin/bash
# Rule: the settings in src/pg/config.cpp are in alphabetical order, each has its row in docs/settings.md,
# and every row there is a setting.
# Why: a setting that is not documented does not exist for a DBA, and two lists drift apart.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my $source = 'src/pg/config.cpp';
exit 0 unless -f $source;
my (@names, %seen);
for (strings($source))
{
	push @names, $1 if $_->[1] =~ /^billstack\.([a-z][a-z0-9_]*)$/ && !$seen{$1}++;
}
fail("$source defines no setting that this check understands") unless @names;
for my $i (1 .. $#names)
{
	fail("$source: billstack.$names[$i] comes after billstack.$names[$i-1]") if $names[$i] lt $names[$i-1];
}
my $docs = slurp('docs/settings.md');
my %row = map { $_ => 1 } $docs =~ /^\|\s*`(?:billstack\.)?([a-z][a-z0-9_]*)`/mg;
$row{$_} = 1 for $docs =~ /^#+\s+`?billstack\.([a-z][a-z0-9_]*)/mg;
fail("docs/settings.md has no row for billstack.$_") for grep { !$row{$_} } @names;
fail("docs/settings.md describes billstack.$_, which $source does not define") for grep { !$seen{$_} } sort keys %row;
finish('sort the table in src/pg/config.cpp and mend the rows of docs/settings.md (| `billstack.name` | ...).');
END
