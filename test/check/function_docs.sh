#!/bin/bash
# Rule: every function, procedure and view of schema billstack is described in docs/sql-reference.md, and
# what README and docs call billstack.something exists.
# Why: the reference is the contract; a name that is in one place only is a mistake in one of them.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my (%public, %known);
for (sql_statements(install_sql()))
{
	next unless /^CREATE (?:OR REPLACE )?(FUNCTION|PROCEDURE|VIEW|TABLE|TYPE|DOMAIN) (billstack\w*)\.(\w+)/i;
	my ($kind, $schema, $name, $statement) = (uc $1, lc $2, lc $3, $_);
	$known{"$schema.$name"} = 1;
	# Trigger functions are not for calling.
	$public{$name} = 1 if $schema eq 'billstack' && $kind =~ /FUNCTION|PROCEDURE|VIEW/ && $statement !~ /RETURNS (?:event_)?trigger/i;
}
exit 0 unless %public;
$known{$_} = 1 for map { /(billstack\.\w+)/g } slurp('src/pg/config.cpp'), slurp('src/pg/worker/extension_mark.cpp'), slurp('billstack.control');
my %file_name = map { $_ => 1 } qw(billstack.so billstack.control billstack.md);

my $reference = slurp('docs/sql-reference.md');
for my $name (sort keys %public)
{
	fail("docs/sql-reference.md does not describe billstack.$name") unless $reference =~ /\b$name\b/;
}
for my $file ('README.md', glob('docs/*.md'))
{
	my $line = 0;
	for (split /\n/, slurp($file))
	{
		$line++;
		for my $name (/(?<![\w\/.-])(billstack(?:_internal)?\.[a-z]\w*)/g)
		{
			fail("$file:$line: there is no $name") unless $known{$name} || $file_name{$name};
		}
	}
}
finish('describe the function in docs/sql-reference.md, or correct the name.');
END
