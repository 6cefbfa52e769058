#!/bin/bash
# Rule: core <- crypto, json, http <- stripe <- sync <- pg, and within pg the bridge knows none of the others. A file includes only its own folder and those
# below it; a library's header appears only in the .cpp files of the folder that owns it; server headers
# only in src/pg/bridge/server.hpp; every pure header first includes core/pure.hpp or another pure header,
# which does.
# Why: the logic stays testable without a server, and libraries and server headers do not meet.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my %level = (core => 0, crypto => 1, json => 1, http => 1, stripe => 2, sync => 3, pg => 4);
my %library = ('openssl/' => 'crypto', 'jansson' => 'json', 'simdjson' => 'json', 'curl/' => 'http');
my $pure = qr{^(?:core|crypto|json|http|stripe|sync)/};
my $posix = qr{^(?:unistd|fcntl|poll|signal|time|pthread|errno|string|strings|malloc|netdb|dirent|locale|[a-z]mmintrin)\.h$|^(?:sys|netinet|arpa|net)/};

for my $file (cpp_files())
{
	my ($dir) = $file =~ m{^src/(\w+)/} or next;
	fail("$file: unknown folder src/$dir") unless exists $level{$dir};
	my ($line, $first) = (0, undef);
	for (split /\n/, code($file))
	{
		$line++;
		next unless /^\s*#\s*include\s*([<"])([^>"]+)[>"]/;
		my ($quote, $header) = ($1, $2);
		$first //= $header;
		my $at = "$file:$line: \"$header\"";
		my ($owner) = map { $library{$_} } grep { index($header, $_) == 0 } keys %library;
		if ($owner)
		{
			fail("$at belongs to the .cpp files of src/$owner") unless $dir eq $owner && $file =~ /\.cpp$/;
		}
		elsif ($quote eq '"' && $header =~ m{^(\w+)/(?:\w+/)?[\w.]+\.hpp$} && exists $level{$1})
		{
			fail("$at may not be included by src/$dir") unless $1 eq $dir || $level{$1} < $level{$dir};
			fail("$at may not be included by src/pg/bridge")
			  if $file =~ m{^src/pg/bridge/} && $header =~ m{^pg/} && $header !~ m{^pg/bridge/};
		}
		elsif ($quote eq '<' && ($header =~ /^\w+$/ || $header =~ $posix)) { }
		else
		{
			fail("$at is neither a standard header nor one of ours (server headers: src/pg/bridge/server.hpp)")
			  unless $file eq 'src/pg/bridge/server.hpp';
		}
	}
	fail("$file: the first include is not core/pure.hpp or a pure header that has it first")
	  if $file =~ /\.hpp$/ && $dir ne 'pg' && $file ne 'src/core/pure.hpp' && ($first // '') !~ $pure;
}
finish('move the code to the layer that may know the header, or hand it what it needs as a parameter (see docs/architecture.md).');
END
