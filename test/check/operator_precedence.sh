#!/bin/bash
# Rule: where operators are written OPERATOR(pg_catalog.*), a sum before a product stands in parentheses.
# Why: all operators written so bind alike, from left to right: a + b / c is (a + b) / c.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
for my $statement (sql_statements(install_sql()))
{
	my @last = ('');
	while ($statement =~ /OPERATOR\(pg_catalog\.([^)]+)\)|([(),;]|\b(?:AND|OR|THEN|WHEN|ELSE|END|AS|FROM|SELECT|WHERE|BY)\b)/g)
	{
		my ($operator, $word) = ($1, $2);
		if (defined $operator)
		{
			fail("$last[-1] before $operator: " . substr($statement, $-[0] > 60 ? $-[0] - 60 : 0, 120))
			  if $operator =~ m{^[*/%]$} && $last[-1] =~ /^[-+]$/;
			$last[-1] = $operator;
		}
		elsif ($word eq '(') { push @last, '' }
		elsif ($word eq ')') { pop @last if @last > 1 }
		else { $last[-1] = '' }
	}
}
finish('put the product in parentheses.');
END
