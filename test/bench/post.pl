# Posts a file to the simulator and saves its answer.
# Usage: post.pl PORT PATH BODY-FILE ANSWER-FILE
use strict;
use warnings;
use HTTP::Tiny;

my ($port, $path, $body, $answer) = @ARGV;
open my $in, '<:raw', $body or die "$body: $!\n";
my $content = do { local $/; <$in> };
my $got = HTTP::Tiny->new(timeout => 300)->post("http://127.0.0.1:$port$path", { content => $content });
die "$path: $got->{status} $got->{content}\n" unless $got->{success};
open my $out, '>:raw', $answer or die "$answer: $!\n";
print $out $got->{content};
close $out or die "$answer: $!\n";
