#!/bin/bash
# Rule: nothing that could be a real Stripe key or webhook secret stands in the repository.
# Why: what was committed once is public for good. Test values must be seen to be made up: long runs of
# one character, or words such as example, test, wrong in them.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my $made_up = qr/(.)\1{3}|example|placeholder|simulat|demo|regress|wrong|secret|unit|fake|dummy|test|abcdef|1234/i;
for my $file (text_files())
{
	my $line = 0;
	for (split /\n/, slurp($file))
	{
		$line++;
		while (/\b((?:sk|rk)_(?:test|live)_|whsec_)([A-Za-z0-9+\/=]{20,})/g)
		{
			my ($prefix, $rest) = ($1, $2);
			fail("$file:$line: $prefix" . substr($rest, 0, 4) . '... looks real') if $rest !~ $made_up;
		}
	}
}
finish('if it was real, roll it at Stripe now, then remove it from the history; else make it look made up.');
END
