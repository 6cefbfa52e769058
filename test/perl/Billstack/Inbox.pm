# Hands deliveries of the simulated Stripe to a node's inbox and waits until they are done.
package Billstack::Inbox;
use strict;
use warnings;
use Billstack::Node;
use Exporter 'import';
our @EXPORT_OK = qw(hand_in hand_in_sql drained outcomes settled);

# The statement that inserts these deliveries; $way: 'view' (one INSERT of many rows) or 'function'.
sub hand_in_sql
{
	my ($team, $way, @deliveries) = @_;
	my @rows = map { [map { "'" . s/'/''/gr . "'" } $team, $_->{payload}, $_->{signature}] } @deliveries;
	return join ";\n", map { "SELECT billstack.receive_webhook($_->[0], $_->[1], $_->[2])" } @rows if $way eq 'function';
	return 'INSERT INTO billstack.webhook_inbox (team, payload, signature) VALUES '
	  . join ', ', map { '(' . join(', ', @$_) . ')' } @rows;
}

sub hand_in
{
	my ($node, $team, @deliveries) = @_;
	# psql reads standard_conforming_strings; a backslash in a payload is a backslash.
	while (my @some = splice @deliveries, 0, 200) { $node->sql(hand_in_sql($team, 'view', @some)); }
	return;
}

# Nothing waits in the queue any more; dead letters do not count.
sub drained
{
	my ($node) = @_;
	return $node->poll_query_until('postgres',
		'SELECT NOT EXISTS (SELECT FROM billstack_internal.inbox WHERE failed_at IS NULL)');
}

# And nothing is left to be read once more.
sub settled
{
	my ($node) = @_;
	return $node->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM billstack_internal.refetch WHERE reason <> 'late')"
		  . ' AND NOT EXISTS (SELECT FROM billstack_internal.inbox WHERE failed_at IS NULL)');
}

# Event id to outcome.
sub outcomes
{
	my ($node) = @_;
	return { map { split /\|/ } split /\n/, $node->sql('SELECT event_id, outcome FROM billstack_internal.event') };
}

1;
