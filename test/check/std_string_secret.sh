#!/bin/bash
# Rule: secrets travel as core::SecretBytes, never as std::string (a string_view upon them is no copy).
# Why: a string is copied, grows and is freed without being wiped.
# Heuristic: variables, members and parameters whose name says that they hold a secret.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
for my $file (cpp_files())
{
	next if $file =~ m{^src/core/secret_bytes\.};
	my $text = code_without_strings($file);
	while ($text =~ /\bstd::(?:string|vector<(?:char|unsigned char|std::byte|uint8_t|std::uint8_t)>)\b(?:\s*const)?\s*&{0,2}\s*(\w*(?:secret|key_text|api_key|root_key|plaintext|plain_text|password)\w*)\b(?!\s*\()/g)
	{
		my $name = $1;
		next if $name =~ /(?:state|masked|mask|name|kind|prefix|fingerprint|hint|path|file|sealed|ciphertext)_?$/;
		my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
		fail("$file:$line: $name");
	}
}
finish('take core::SecretBytes; a masked or public form gets a name that says so (key_masked).');
END
