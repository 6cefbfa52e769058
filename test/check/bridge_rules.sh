#!/bin/bash
# Rule: docs/bridge.md lists the ten rules of the bridge, and what each row names as shown by exists: the
# subtests (in quotes) stand in test/t/010_bridge.pl, the files are there.
# Why: a rule whose test has been renamed or dropped is a wish.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
exit 0 unless -f 'src/pg/bridge/guard.hpp';
my $tests = slurp('test/t/010_bridge.pl');
my %row = slurp('docs/bridge.md') =~ /^\|\s*(\d+)\s*\|(.*)\|\s*$/mg;
for my $rule (1 .. 10)
{
	if (!$row{$rule}) { fail("docs/bridge.md has no rule $rule"); next; }
	my @cells = split /\|/, $row{$rule};
	fail("docs/bridge.md, rule $rule: not rule, why and shown by") unless @cells == 3;
	my $shown = $cells[-1];
	for my $name ($shown =~ /"([^"]+)"/g)
	{
		fail("docs/bridge.md, rule $rule: test/t/010_bridge.pl has no test \"$name\"") unless index($tests, $name) >= 0;
	}
	for my $file ($shown =~ /`([\w.]+\/[\w.\/]+)`/g) { fail("docs/bridge.md, rule $rule: there is no $file") unless -e $file; }
}
finish('mend the table in docs/bridge.md, or bring the test back.');
END
