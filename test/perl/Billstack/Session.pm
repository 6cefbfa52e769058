# A client that speaks PostgreSQL's protocol itself: a session costs no process, a query can be left
# waiting, and the moment its answer arrives is known to the millisecond.
package Billstack::Session;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes qw(time);

# new($node, $database, $user): an open session on a PostgreSQL::Test::Cluster. Dies if it is refused.
sub new
{
	my ($class, $node, $database, $user) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port)
	  or die "no connection to the server: $!";
	my $self = bless { socket => $socket, buffer => '', started => $$ }, $class;
	my %options = (user => $user // (getpwuid($>))[0], database => $database, client_encoding => 'UTF8');
	my $body = pack('N', 196608) . join('', map { "$_\0$options{$_}\0" } sort keys %options) . "\0";
	syswrite $socket, pack('N', 4 + length $body) . $body;
	my $answer = $self->answer;
	die "session refused: $answer->{message}" if $answer->{sqlstate};
	return $self;
}

sub pid { return $_[0]{pid}; }

# Sends a query and returns at once; sent_at() says when.
sub start
{
	my ($self, $sql) = @_;
	$self->{sent_at} = time;
	syswrite $self->{socket}, 'Q' . pack('N', 5 + length $sql) . "$sql\0";
	return;
}

sub sent_at { return $_[0]{sent_at}; }

# True when part of an answer has arrived.
sub has_answer
{
	my ($self, $seconds) = @_;
	return 1 if length $self->{buffer};
	return scalar IO::Select->new($self->{socket})->can_read($seconds // 0);
}

# Waits for the end of the query: {rows => [[...]], sqlstate, message, detail, hint, severity, notices,
# closed, at}. `at` is the moment the error, or else the end, arrived. A closed connection ends it too.
sub answer
{
	my ($self, $seconds) = @_;
	my %answer = (rows => [], notices => []);
	my $until = time + ($seconds // 60);
	while (my ($type, $body) = $self->_message($until))
	{
		$answer{at} = time unless $type eq 'Z' && $answer{sqlstate};
		if ($type eq 'D') { push @{ $answer{rows} }, _row($body); }
		elsif ($type eq 'E') { %answer = (%answer, _fields($body)); }
		elsif ($type eq 'N') { push @{ $answer{notices} }, { _fields($body) }; }
		elsif ($type eq 'K') { $self->{pid} = unpack 'N', $body; }
		elsif ($type eq 'Z') { return \%answer; }
	}
	die 'no answer in time' unless $self->{closed};
	$answer{closed} = 1;
	return \%answer;
}

# Runs a query and returns the first value of the first row; dies on an error.
sub value
{
	my ($self, $sql) = @_;
	$self->start($sql);
	my $answer = $self->answer;
	die "$sql: " . ($answer->{message} // 'connection lost') if $answer->{sqlstate} || $answer->{closed};
	return $answer->{rows}[0] ? $answer->{rows}[0][0] : undef;
}

sub close
{
	my ($self) = @_;
	syswrite $self->{socket}, 'X' . pack('N', 4) unless $self->{closed};
	return $self->vanish;
}

# A session that ends while the server still works for it: no farewell, the socket just closes.
sub vanish { my ($self) = @_; CORE::close $self->{socket}; $self->{closed} = 1; return; }

sub _message
{
	my ($self, $until) = @_;
	while (1)
	{
		if (length $self->{buffer} >= 5)
		{
			my ($type, $length) = unpack 'a N', $self->{buffer};
			if (length $self->{buffer} > $length)
			{
				my $body = substr $self->{buffer}, 5, $length - 4;
				substr $self->{buffer}, 0, $length + 1, '';
				return ($type, $body);
			}
		}
		my $left = $until - time;
		return if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
		my $read = sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
		if (!$read) { $self->{closed} = 1; return; }
	}
}

sub _row
{
	my ($body) = @_;
	my $count = unpack 'n', $body;
	my ($at, @values) = (2);
	for (1 .. $count)
	{
		my $length = unpack 'l>', substr $body, $at, 4;
		push @values, $length < 0 ? undef : substr $body, $at + 4, $length;
		$at += 4 + ($length < 0 ? 0 : $length);
	}
	return \@values;
}

sub _fields
{
	my ($body) = @_;
	my %names = (C => 'sqlstate', M => 'message', D => 'detail', H => 'hint', V => 'severity', W => 'context');
	return map { my $field = $_; my $name = $names{ substr $field, 0, 1 }; $name ? ($name => substr $field, 1) : () }
	  grep { length } split /\0/, $body;
}

1;
