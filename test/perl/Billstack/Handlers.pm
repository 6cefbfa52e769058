# Events that are done and calls of handlers that wait, put into the tables directly.
package Billstack::Handlers;
use strict;
use warnings;
use Exporter 'import';
use Cpanel::JSON::XS;
our @EXPORT_OK = qw(queue_events handler_calls);

my $json = Cpanel::JSON::XS->new->canonical;

# queue_events($node, $handler, EVENT...): a ledger row each and a call of the handler ('schema.name'), then
# the worker looks. An event is a hash or the text of a body; ids are evt_<number> unless given.
my $number = 0;
sub queue_events
{
	my ($node, $handler, @events) = @_;
	my $sql = 'BEGIN;';
	my ($schema, $name) = split /\./, $handler;
	for my $event (@events)
	{
		my $id = (ref $event ? $event->{id} : undef) // sprintf 'evt_%05d', ++$number;
		my $type = (ref $event ? $event->{type} : undef) // 'invoice.paid';
		my $body = ref $event ? $json->encode({ id => $id, object => 'event', type => $type, created => 1735689600, %$event }) : $event;
		$sql .= sprintf q{
			INSERT INTO billstack_internal.event (integration_id, event_id, event_created, event_type, outcome, attempts, received_at,
				processed_at, payload) SELECT s.integration_id, '%s', to_timestamp(1735689600), '%s', 'applied', 1, now(), now(),
				convert_to($body$%s$body$, 'UTF8') FROM billstack_internal.subscription AS s
				WHERE handler_schema = '%s' AND handler_name = '%s' ON CONFLICT DO NOTHING;
			INSERT INTO billstack_internal.handler_call (subscription_id, integration_id, event_id, event_created)
				SELECT s.id, s.integration_id, '%s', to_timestamp(1735689600) FROM billstack_internal.subscription AS s
				WHERE handler_schema = '%s' AND handler_name = '%s';}, $id, $type, $body, $schema, $name, $id, $schema, $name;
	}
	$node->sql("$sql COMMIT; SELECT pg_reload_conf()");
	return;
}

# "pending/failed" of a handler.
sub handler_calls
{
	my ($node, $handler) = @_;
	return $node->sql("SELECT pending || '/' || failed FROM billstack.subscriptions WHERE handler = '$handler(jsonb)'");
}

1;
