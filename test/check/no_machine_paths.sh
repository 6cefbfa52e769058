#!/bin/bash
# Rule: no path of one particular machine stands in the repository.
# Why: it works there and nowhere else.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
for my $file (text_files())
{
	next if $file eq './test/check/no_machine_paths.sh';
	my $line = 0;
	for (split /\n/, slurp($file))
	{
		$line++;
		fail("$file:$line: $1") if m{(?<![\w.\}\)-])(/(?:work|home|Users)/[\w.-]+)};
	}
}
finish('use a path relative to the checkout, or a variable.');
END
