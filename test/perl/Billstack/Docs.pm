# The examples of the documents as a script: reads the code blocks of a Markdown file, makes one psql
# script of them and splits what psql prints by block. The conventions stand in docs/contributing.md,
# "Examples in the documents".
package Billstack::Docs;
use strict;
use warnings;
use JSON::PP;
use Exporter 'import';
our @EXPORT_OK = qw(blocks_of is_executed psql_script results_of json_differs text_differs);

# Code blocks in order: { kind, words, line, text, expected => { kind, line, text } }. Blocks of json and text
# belong to the executed block that directly precedes them.
sub blocks_of
{
	my ($markdown) = @_;
	my @blocks;
	my $line = 0;
	my ($open, $previous);
	for (split /\n/, $markdown)
	{
		$line++;
		if (!$open)
		{
			if (/^```(\w*) *(.*?)\s*$/) { $open = { kind => $1, words => $2, line => $line, text => '' }; }
			elsif (/\S/) { $previous = undef; }
			next;
		}
		if (!/^```\s*$/) { $open->{text} .= "$_\n"; next; }
		if ($previous && $open->{kind} =~ /^(?:json|text)$/) { $previous->{expected} = $open; $previous = undef; }
		else { push @blocks, $open; $previous = is_executed($open) ? $open : undef; }
		$open = undef;
	}
	die "line $open->{line}: code block without end\n" if $open;
	return @blocks;
}

sub is_executed { my ($block) = @_; return $block->{kind} eq 'sql' || ($block->{kind} eq 'sh' && $block->{words} eq 'run'); }

# One session for all blocks of a file. A line "-- error: SQLSTATE" says that the statement below it fails;
# psql's answer to it is printed for results_of(). $folder: where blocks of sh run and leave their files.
sub psql_script
{
	my ($folder, @blocks) = @_;
	my $script = "\\set ON_ERROR_STOP on\n\\pset pager off\n\\pset footer off\n";
	for my $i (0 .. $#blocks)
	{
		$script .= "\\echo \@block $i\n\\warn \@block $i\n";
		$script .= $blocks[$i]{kind} eq 'sql' ? sql_part($blocks[$i]) : sh_part($folder, $i, $blocks[$i]);
		$script .= "\\echo \@end $i\n";
	}
	return $script;
}

sub sql_part
{
	my ($block) = @_;
	my ($part, $state) = ('', undef);
	for (split /\n/, $block->{text})
	{
		if (/^-- error: (\w{5})\s*$/) { $state = $1; $part .= "\\set ON_ERROR_STOP off\n"; next; }
		$part .= "$_\n";
		if (defined $state && /;\s*(?:--.*)?$/)
		{
			$part .= "\\echo \@error $state :SQLSTATE\n\\set ON_ERROR_STOP on\n";
			$state = undef;
		}
	}
	die "line $block->{line}: no statement ends after \"-- error: $state\"\n" if defined $state;
	return $part;
}

sub sh_part
{
	my ($folder, $i, $block) = @_;
	my $file = "$folder/block_$i.sh";
	open my $out, '>', $file or die "$file: $!\n";
	print $out "set -e\ncd '$folder'\n$block->{text}";
	close $out or die "$file: $!\n";
	return "\\! sh '$file' 2>&1 && echo \@shell 0 || echo \@shell 1\n";
}

# What psql printed as one { output, notices, complete, wrong } a block; wrong: what contradicts the block itself.
sub results_of
{
	my ($stdout, $stderr, $count) = @_;
	my @results = map { { output => '', notices => '', complete => 0, wrong => '' } } 1 .. $count;
	my $at;
	for (split /\n/, $stdout)
	{
		if (/^\@block (\d+)$/) { $at = $results[$1]; }
		elsif (/^\@end \d+$/) { $at->{complete} = 1; }
		elsif (/^\@error (\w+) (\w+)$/) { $at->{wrong} .= "expected SQLSTATE $1, got $2\n" if $1 ne $2; }
		elsif (/^\@shell (\d)$/) { $at->{wrong} .= "a command failed\n" if $1; }
		elsif ($at) { $at->{output} .= "$_\n"; }
	}
	$at = undef;
	for (split /\n/, $stderr)
	{
		if (/^\@block (\d+)$/) { $at = $results[$1]; }
		elsif ($at) { $at->{notices} .= s/^psql:[^:]*:\d+: //r . "\n"; }
	}
	return @results;
}

# '' when the output holds the value, else what differs. The value "..." stands for any.
sub json_differs
{
	my ($output, $wanted) = @_;
	my $json = JSON::PP->new->allow_nonref->canonical;
	my $expected = eval { $json->decode($wanted) } // return "the example is no JSON: $@";
	my ($found) = grep { defined } map { eval { $json->decode($_) } } grep { /^\s*[\{\[]/ } split /\n/, $output;
	return "the output holds no JSON\n" unless defined $found;
	return value_differs($found, $expected, '');
}

sub value_differs
{
	my ($found, $expected, $path) = @_;
	return '' if defined $expected && !ref $expected && $expected eq '...';
	my ($is, $wanted) = map { ref $_ || (defined $_ ? 'value' : 'null') } $found, $expected;
	return "$path: $is instead of $wanted\n" if $is ne $wanted;
	if ($is eq 'HASH')
	{
		my %keys = (%$found, %$expected);
		return join '', map {
			    !exists $found->{$_}    ? "$path: no key $_\n"
			  : !exists $expected->{$_} ? "$path: unexpected key $_\n"
			  : value_differs($found->{$_}, $expected->{$_}, "$path/$_")
		} sort keys %keys;
	}
	if ($is eq 'ARRAY')
	{
		return "$path: " . @$found . ' elements instead of ' . @$expected . "\n" if @$found != @$expected;
		return join '', map { value_differs($found->[$_], $expected->[$_], "$path/$_") } 0 .. $#$found;
	}
	return $is eq 'null' || "$found" eq "$expected" ? '' : "$path: $found instead of $expected\n";
}

# The same for text: blanks and rulers do not count, "..." stands for anything in a line and, alone, for lines.
sub text_differs
{
	my ($output, $wanted) = @_;
	my ($found, $expected) = map { squeezed($_) } $output, $wanted;
	my $pattern = join '', map { $_ eq '...' ? '(?:.*\n)*?' : join('.*?', map { quotemeta } split(/\.\.\./, $_, -1)) . '\n' }
	  split /\n/, $expected;
	return $found =~ /\A(?:$pattern)\z/ ? '' : "got\n$found\ninstead of\n$expected";
}

sub squeezed
{
	my ($text) = @_;
	my @lines = grep { length && !/^[-+ ]+$/ } map { s/\s+/ /gr =~ s/^ | $//gr } split /\n/, $text;
	return join '', map { "$_\n" } @lines;
}

1;
