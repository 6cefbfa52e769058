#!/bin/bash
# Rule: the install script makes everything plainly (no OR REPLACE, no IF NOT EXISTS), pins search_path on
# each function, and says REVOKE ALL ... FROM PUBLIC and COMMENT ON for each object it makes.
# Why: a script that takes over an existing object, or a function that trusts the caller's search_path,
# hands its rights to whoever was there first; and what nobody granted nobody should have.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
# A procedure with a SET clause cannot COMMIT: these are SECURITY INVOKER and name everything in full.
my %commits = map { $_ => 1 } qw(billstack.run_backfill);
# Asked once a row, in policies: a SET clause would cost more than the answer.
my %in_policies = map { $_ => 1 } qw(billstack.has_active_subscription billstack.has_feature);

my @statements = sql_statements(install_sql());
my (%made, %revoked, %commented, %kind_of);
for my $statement (@statements)
{
	my $start = substr($statement, 0, 70);
	fail("OR REPLACE: $start") if $statement =~ /^CREATE OR REPLACE/i;
	fail("IF NOT EXISTS: $start") if $statement =~ /^(?:CREATE|ALTER)\b.*\bIF NOT EXISTS\b/i;
	if ($statement =~ /^CREATE (?:OR REPLACE |UNLOGGED )*(FUNCTION|PROCEDURE|VIEW|TABLE|TYPE|DOMAIN|SCHEMA|SEQUENCE|AGGREGATE) (?:IF NOT EXISTS )?([\w.]+)/i)
	{
		my ($kind, $name) = (uc $1, lc $2);
		$made{$name}++;
		$kind_of{$name} = $kind;
		fail("$name lies in no schema") if $kind ne 'SCHEMA' && $name !~ /\./;
		next unless $kind eq 'FUNCTION' || $kind eq 'PROCEDURE';
		if ($commits{$name})
		{
			fail("$name commits and may not have a SET clause or be SECURITY DEFINER")
			  if $statement =~ /\bSET search_path\b|SECURITY DEFINER/i;
		}
		else
		{
			fail("$name has no SET search_path") unless $in_policies{$name} || $statement =~ /\bSET search_path (?:=|TO) /i;
		}
		fail("$name is STRICT") if $statement =~ /\)[^\$]*\b(?:STRICT|RETURNS NULL ON NULL INPUT)\b/i;
	}
	elsif ($statement =~ /^REVOKE ALL(?: PRIVILEGES)? ON (?:\w+ )?(.*) FROM PUBLIC/i)
	{
		my $list = $1;
		$list =~ s/\([^()]*(?:\([^()]*\)[^()]*)*\)//g;
		$revoked{lc $_}++ for $list =~ /([\w.]+)/g;
	}
	elsif ($statement =~ /^COMMENT ON (?:\w+) ([\w.]+)/i) { $commented{lc $1}++; }
}
for my $name (sort keys %made)
{
	fail("$kind_of{$name} $name: $made{$name} made, " . ($revoked{$name} // 0) . ' REVOKE ALL ... FROM PUBLIC')
	  if ($revoked{$name} // 0) < $made{$name};
	fail("$kind_of{$name} $name: $made{$name} made, " . ($commented{$name} // 0) . ' COMMENT ON')
	  if ($commented{$name} // 0) < $made{$name};
}
finish('write CREATE, REVOKE, GRANT and COMMENT of an object side by side in its part under sql/install.');
END
