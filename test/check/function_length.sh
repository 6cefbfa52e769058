#!/bin/bash
# Rule: a file has at most 600 lines (400 is the aim: beyond it a note is printed), a function 60.
# Why: what does not fit a screen or two has more than one purpose.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
my ($file_limit, $file_aim, $function_limit) = (600, 400, 60);

# Walks braces: namespaces, classes and extern "C" are looked into, any other block in them is a function.
sub long_functions
{
	my ($file) = @_;
	my $text = code_without_strings($file);
	# Preprocessor lines may hold unbalanced braces.
	$text =~ s/^[ \t]*#(?:[^\n\\]|\\\n|\\.)*/$& =~ s{[^\n]}{ }gr/gem;
	my ($line, $header, $header_line, @scopes) = (1, '', undef);
	while ($text =~ /\G(?:(\n)|([{};])|([^\n{};]+))/gc)
	{
		my ($newline, $sign, $words) = ($1, $2, $3);
		if (defined $newline) { $line++; $header .= ' '; next; }
		if (defined $words)
		{
			$header_line //= $line if $words =~ /\S/;
			$header .= $words;
			next;
		}
		my $inside = grep { !$_->{open} } @scopes;
		if ($sign eq '{')
		{
			my $open = !$inside && ($header =~ /^\s*(?:inline\s+)?namespace\b/ || $header =~ /^\s*extern\s*""?\s*"?\s*$/
				|| $header =~ /^\s*(?:public:|private:|protected:)?\s*(?:template\s*<.*>\s*)?(?:typedef\s+)?(?:class|struct|union)\b(?:\s*alignas\([^)]*\))?[^()=]*$/);
			my $data = $header =~ /=\s*$|\benum\b[^()]*$/;
			push @scopes, { open => $open, data => $data, from => $header_line // $line, header => $header };
			if (!$inside) { ($header, $header_line) = ('', undef) if $open; }
		}
		elsif ($sign eq '}')
		{
			my $scope = pop @scopes or next;
			next if grep { !$_->{open} } @scopes;
			# A member's initializer in a constructor's head: the function goes on.
			next if !$scope->{open} && substr($text, pos $text, 200) =~ /^\s*[,{]/;
			if (!$scope->{open} && !$scope->{data})
			{
				my $length = $line - $scope->{from} + 1;
				my ($name) = $scope->{header} =~ /([\w:~]+)\s*\(/;
				fail("$file:$scope->{from}: " . ($name // 'a block') . " has $length lines") if $length > $function_limit;
			}
			($header, $header_line) = ('', undef);
		}
		elsif (!$inside) { ($header, $header_line) = ('', undef); }
	}
}

for my $file (cpp_files('src', 'test'))
{
	my $lines = () = slurp($file) =~ /\n/g;
	if ($lines > $file_limit) { fail("$file has $lines lines"); }
	elsif ($lines > $file_aim) { print "note: $file has $lines lines (aim: $file_aim)\n"; }
	long_functions($file);
}
finish('split the function by its steps, the file by its topics; the parts get names of their own.');
END
