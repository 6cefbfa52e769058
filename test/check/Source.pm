# Shared by the checks: reads sources of this repository with comments or strings blanked out, line
# numbers kept, and reports what breaks a rule. Checks run from the top of the checkout.
package Source;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(cpp_files text_files code code_without_strings strings fail finish slurp install_sql
  sql_statements);

my $failures = 0;

sub slurp { my ($file) = @_; open my $in, '<', $file or return ''; local $/; return <$in> // ''; }

sub cpp_files
{
	my @dirs = @_ ? @_ : ('src');
	return sort map { glob("$_/*.cpp $_/*.hpp $_/*/*.cpp $_/*/*.hpp $_/*/*/*.cpp $_/*/*/*.hpp") } @dirs;
}

# Every file of the repository that people wrote, without what is built or fetched.
sub text_files
{
	my @files = split /\n/, `find . \\( -name .git -o -path ./build -o -name node_modules \\) -prune -o -type f -size -1000k -print`;
	return sort grep { !/\.(so|o|bc)$/ } @files;
}

my $raw_string = qr/R"(\w*)\(.*?\)\g{-1}"/s;
my $string = qr/"(?:[^"\\\n]|\\.)*"/s;
my $char = qr/(?<![0-9A-Za-z_])'(?:[^'\\\n]|\\.)+'/s;
my $comment = qr{//[^\n]*|/\*.*?\*/}s;

sub blank { my ($text) = @_; $text =~ s/[^\n]/ /g; return $text; }

# A source without comments.
sub code
{
	my ($file) = @_;
	my $text = slurp($file);
	$text =~ s/($raw_string|$string|$char)|($comment)/defined $3 ? blank($3) : $1/ge;
	return $text;
}

# ... and with empty string literals.
sub code_without_strings
{
	my ($file) = @_;
	my $text = code($file);
	$text =~ s/($raw_string|$string|$char)/my $q = substr($1, 0, 1) eq "'" ? "'" : '"'; $q . blank(substr($1, 2)) . $q/ge;
	return $text;
}

# The string literals of a source as [line, text].
sub strings
{
	my ($file) = @_;
	my $text = code($file);
	my @found;
	while ($text =~ /($raw_string|$string|$char)/g)
	{
		my ($literal, $start) = ($1, $-[1]);
		next if $literal =~ /^'/;
		$literal =~ s/^R"\w*\(|^"|\)\w*"$|"$//g;
		push @found, [ 1 + (substr($text, 0, $start) =~ tr/\n//), $literal ];
	}
	return @found;
}

# The install script as the makefile joins it.
sub install_sql { return join '', map { slurp($_) } sort glob('sql/install/*.sql'); }

# Its statements without comments, function bodies and string texts, blanks squeezed.
sub sql_statements
{
	my $sql = join "\n", @_;
	$sql =~ s/(\$\w*\$).*?\1|('(?:[^']|'')*')|--[^\n]*|^\\[^\n]*/defined $2 ? "''" : defined $1 ? '$$' : ''/gems;
	return grep { length } map { s/\s+/ /gr =~ s/^ | $//gr } split /;/, $sql;
}

sub fail { my ($message) = @_; print "$message\n"; $failures++; }

# Ends the check; the advice is printed when something failed.
sub finish
{
	my ($advice) = @_;
	exit 0 unless $failures;
	print "What to do: $advice\n";
	exit 1;
}

1;
