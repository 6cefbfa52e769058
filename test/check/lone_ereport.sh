#!/bin/bash
# Rule: an error is raised to the server in one place, src/pg/bridge/error.cpp; guard.* may rethrow a caught one,
# ddl_hook.cpp passes on what a command raised, and scope.cpp ends the process (FATAL) when undoing a transaction fails in a destructor.
# Why: a longjmp past C++ objects skips their destructors; everything else throws core Error or PgError.
# Reports that do not leave the function (LOG, WARNING, NOTICE, DEBUG) are free.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
for my $file (cpp_files())
{
	next if $file eq 'src/pg/bridge/error.cpp';
	my $text = code_without_strings($file);
	while ($text =~ /\b(ereport|elog|ereport_domain)\s*\(\s*(ERROR|FATAL|PANIC)\b|\b(ThrowErrorData|PG_RE_THROW|ReThrowError|pg_re_throw|errfinish|errstart)\s*\(/g)
	{
		my $what = $1 ? "$1($2" : $3;
		next if $file =~ m{^src/pg/bridge/guard\.} && $what =~ /^(ReThrowError|PG_RE_THROW|pg_re_throw)$/;
		next if $file eq 'src/pg/worker/ddl_hook.cpp' && $what eq 'PG_RE_THROW';
		next if $file eq 'src/pg/bridge/scope.cpp' && $what =~ /FATAL/;
		my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
		fail("$file:$line: $what");
	}
}
finish('throw Error{Code::..., message, detail, hint}; the outer gate in src/pg turns it into an ereport.');
END
