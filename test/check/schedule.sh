#!/bin/bash
# Rule: every sql/*.sql stands in test/regress.schedule and has expected/*.out, and the reverse.
# Why: a test that is not run, or not compared, tests nothing.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my $schedule = slurp('test/regress.schedule');
my %listed = map { $_ => 1 } map { split } $schedule =~ /^test:\s*(.*)$/mg;
my %input = map { m{sql/(.*)\.sql} ? ($1 => 1) : () } grep { !m{/billstack--} } glob('sql/*.sql');
my %output = map { m{expected/(.*)\.out} ? ($1 => 1) : () } glob('expected/*.out');

fail("sql/$_.sql is not in test/regress.schedule") for grep { !$listed{$_} } sort keys %input;
fail("sql/$_.sql has no expected/$_.out") for grep { !$output{$_} } sort keys %input;
fail("test/regress.schedule names $_, but there is no sql/$_.sql") for grep { !$input{$_} } sort keys %listed;
# topic_1.out is a second accepted result of topic.
fail("expected/$_.out has no sql/$_.sql") for grep { !$input{$_} && !$input{ s/_\d$//r } } sort keys %output;
finish('add the test to test/regress.schedule, or remove what is left of a removed one.');
END
