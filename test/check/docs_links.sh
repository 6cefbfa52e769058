#!/bin/bash
# Rule: every relative link in the documents leads to a file, and to a heading if it names one.
# Why: a link that leads nowhere costs the reader more than none.
cd "$(dirname "$0")/../.." && exec perl -Itest/check - <<'END'
use strict; use warnings; use Source;
sub anchors
{
	my ($file) = @_;
	my %anchors;
	for (slurp($file) =~ /^#+\s+(.*?)\s*$/mg)
	{
		my $slug = lc;
		$slug =~ s/[^\w\- ]//g;
		$slug =~ s/ /-/g;
		$anchors{$slug} = 1;
	}
	return \%anchors;
}

for my $file (grep { /\.md$/ } text_files())
{
	my ($dir) = $file =~ m{^(.*)/};
	my $text = slurp($file);
	$text =~ s/^```.*?^```//gms;
	while ($text =~ /\]\(([^)\s]+)\)/g)
	{
		my $link = $1;
		next if $link =~ m{^(?:https?|mailto):};
		my ($path, $anchor) = split /#/, $link, 2;
		my $target = length $path ? "$dir/$path" : $file;
		if (!-e $target) { fail("$file: $link leads nowhere"); next; }
		next unless defined $anchor && $target =~ /\.md$/;
		fail("$file: $link names no heading of $target") unless anchors($target)->{$anchor};
	}
}
finish('correct the link, or the heading it names.');
END
