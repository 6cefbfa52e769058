#!/bin/bash
# Rule: SQL text stands only in the stores of src/pg and in the writer of the mirror's schema.
# Why: who looks for what billstack does to the database reads these files and no other.
# Heuristic: a string literal that starts with an SQL command and goes on like one.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my $allowed = qr{^src/pg/\w+/\w+_store\.cpp$|^src/sync/mirror_schema\w*\.cpp$|^src/pg/worker/extension_mark\.cpp$};
my $sql = qr{^\s*(?:SELECT\s|INSERT\s+INTO|UPDATE\s+\S+.*\bSET\b|UPDATE\s+(?:%|billstack)|DELETE\s+FROM|MERGE\s+INTO|WITH\s+\w+\s+AS|CREATE\s+(?:TABLE|SCHEMA|UNIQUE|INDEX|VIEW|FUNCTION|TYPE|TEMP)|ALTER\s+(?:TABLE|SCHEMA|DATABASE|ROLE|VIEW|FUNCTION|DEFAULT|INDEX|EXTENSION)|DROP\s+(?:TABLE|SCHEMA|INDEX|VIEW|FUNCTION)|GRANT\s|REVOKE\s|TRUNCATE\s|LOCK\s+TABLE|COMMENT\s+ON|SET\s+(?:LOCAL|search_path|ROLE)|NOTIFY\s|COPY\s+\S+\s+FROM|ANALYZE\s|VACUUM\s)}i;

for my $file (cpp_files())
{
	next if $file =~ $allowed;
	for (strings($file))
	{
		my ($line, $text) = @$_;
		# A hint that names a call to make is a sentence: "SELECT billstack.arm('x') ends this."
		next if $text =~ /^SELECT billstack\.\w+\(.*[a-z]\.$/;
		# Lower case is prose: "update the mirror", "select a team".
		fail("$file:$line: \"" . substr($text, 0, 60) . '"') if $text =~ $sql && $text =~ /^\s*[A-Z]{3,}\s/;
	}
}
finish('move the statement into the store of its topic (src/pg/*/*_store.cpp) and call a named function.');
END
