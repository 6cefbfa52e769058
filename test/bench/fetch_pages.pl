# Saves every list page of the six default kinds as the simulator sends it, one file a page.
# Usage: fetch_pages.pl PORT KEY FOLDER
use strict;
use warnings;
use HTTP::Tiny;

my ($port, $key, $folder) = @ARGV;
my $http = HTTP::Tiny->new(keep_alive => 1, default_headers => { authorization => "Bearer $key" });

for my $kind (qw(customers products prices subscriptions invoices charges))
{
	my ($cursor, $number) = ('', 0);
	while (1)
	{
		my $url = "http://127.0.0.1:$port/v1/$kind?limit=100";
		$url .= '&status=all' if $kind eq 'subscriptions';
		$url .= "&starting_after=$cursor" if $cursor;
		my $answer = $http->get($url);
		die "$url: $answer->{status}\n" unless $answer->{success};
		open my $file, '>', sprintf('%s/%s.%05d.json', $folder, $kind, $number++) or die $!;
		print $file $answer->{content};
		close $file or die $!;
		# Members of the listed objects stand two columns in, those of nested ones further.
		my @ids = $answer->{content} =~ /^  "id": "([^"]+)"/mg;
		last unless @ids && $answer->{content} =~ /"has_more": true,?\s*"url": "[^"]*"\s*\}\s*$/;
		$cursor = $ids[-1];
	}
}
