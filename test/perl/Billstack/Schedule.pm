# One random schedule of changes at the simulated Stripe: fifty objects of its own that are changed, deleted
# and made again, by dice of its own.
package Billstack::Schedule;
use strict;
use warnings;

my @kinds = qw(customer product price subscription invoice charge coupon refund);
# How many a schedule finds; what it makes by itself comes to fifty, and their children.
my %found = (customer => 8, product => 2, price => 3, subscription => 5, invoice => 4, charge => 4, coupon => 2, refund => 2);
my @made = (('customer') x 5, ('product') x 2, ('price') x 2, ('subscription') x 3, ('invoice') x 3, ('charge') x 2,
	('coupon') x 2, 'refund');
my %child = (subscription => [ 'subscription_item', 'items', 'si' ], invoice => [ 'invoice_line_item', 'lines', 'il' ]);
# Few values each: from A to B and back within a second is common.
my %fields = (
	customer => { name => [qw(Ann Bob Cleo)], email => [ map { "$_\@example.com" } qw(a b c) ] },
	product => { name => [qw(Gold Silver Tin)], active => [ \1, \0 ] },
	price => { nickname => [qw(monthly yearly)], active => [ \1, \0 ] },
	subscription => { description => [qw(first second)], cancel_at_period_end => [ \1, \0 ] },
	invoice => { description => [qw(red green blue)] },
	charge => { description => [qw(one two three)] },
	coupon => { name => [qw(Spring Summer)] },
	refund => { metadata => [ map { { note => $_ } } qw(x y) ] });

sub kinds { return @kinds; }
sub found { return %found; }
sub children { my ($kind) = @_; return $child{$kind} ? $child{$kind}[0] : (); }

# $objects: {kind => [ids]}, what the account holds for this schedule; $parts: {parent => [ids of children]}.
sub new
{
	my ($class, $seed, $objects, $parts) = @_;
	my $self = bless { seed => $seed, state => ($seed * 7919 + 104729) & 0x7fffffff, makes => [@made], serial => 0 }, $class;
	$self->{objects} = [ map { my $kind = $_; map { { kind => $kind, id => $_, alive => 1,
		children => [ @{ $parts->{$_} // [] } ] } } @{ $objects->{$kind} } } @kinds ];
	$self->_below(2) for 1 .. 10;
	return $self;
}

sub seed { return $_[0]{seed}; }
sub owns { my ($self, $id) = @_; return grep { my $one = $_; $one->{id} eq $id || grep { $_ eq $id } @{ $one->{children} } } @{ $self->{objects} }; }

# Some changes for Simulator->changes(), to be made in this order.
sub changes
{
	my ($self, $count) = @_;
	my @changes;
	while (@changes < $count)
	{
		if (@{ $self->{makes} } && $self->_below(3) == 0) { push @changes, $self->_make(shift @{ $self->{makes} }); next; }
		my $object = $self->_one_of(@{ $self->{objects} });
		# What had a change just now gets another one, in the same second.
		push @changes, map { $self->_change($object) } 0 .. ($self->_below(3) == 0 ? 2 : 0);
	}
	return @changes;
}

sub makes_left { return scalar @{ $_[0]{makes} }; }

sub _make
{
	my ($self, $kind) = @_;
	my $id = lc(substr($kind, 0, 3)) . '_of' . $self->{seed} . '_' . ++$self->{serial};
	my $object = { kind => $kind, id => $id, alive => 1, children => [] };
	push @{ $self->{objects} }, $object;
	return { op => 'create', kind => $kind, id => $id, fields => $self->_first_fields($object) };
}

sub _first_fields
{
	my ($self, $object) = @_;
	my %fields = %{ $self->_patch($object->{kind}) };
	my $child = $child{ $object->{kind} } // return \%fields;
	$object->{children} = [ map { $self->_child_id($child) } 1 .. 1 + $self->_below(3) * 6 ];
	$fields{ $child->[1] } = { data => [ map { { id => $_, $object->{kind} => $object->{id} } } @{ $object->{children} } ] };
	$fields{status} = 'draft' if $object->{kind} eq 'invoice';
	return \%fields;
}

sub _child_id { my ($self, $child) = @_; return "$child->[2]_of$self->{seed}_" . ++$self->{serial}; }

sub _change
{
	my ($self, $object) = @_;
	my ($kind, $id) = @$object{qw(kind id)};
	if (!$object->{alive})
	{
		# Ids that the user chooses may come back; the others stay gone.
		return if $kind ne 'coupon' && $kind ne 'product';
		$object->{alive} = 1;
		return { op => 'create', kind => $kind, id => $id, fields => $self->_patch($kind) };
	}
	my $may_go = $kind =~ /^(coupon|product)$/ ? 3 : $kind eq 'customer' || $kind eq 'subscription' || $id =~ /^inv_of/ ? 12 : 0;
	if ($may_go && $self->_below($may_go) == 0)
	{
		$object->{alive} = 0 if $kind ne 'subscription' || $object->{canceled}++ >= 0;
		return { op => 'delete', kind => $kind, id => $id };
	}
	return $self->_change_child($object, $child{$kind}) if $child{$kind} && $self->_below(2);
	return { op => 'update', kind => $kind, id => $id, fields => $self->_patch($kind) };
}

sub _change_child
{
	my ($self, $object, $child) = @_;
	my $children = $object->{children};
	my %change = (kind => $child->[0], parent => $object->{id});
	my $what = $self->_below(4);
	if ($what == 0 && @$children < 30)
	{
		push @$children, my $id = $self->_child_id($child);
		return { %change, op => 'create', id => $id, fields => { $object->{kind} => $object->{id} } };
	}
	my $place = $self->_below(@$children || 1);
	return { op => 'update', kind => $object->{kind}, id => $object->{id}, fields => $self->_patch($object->{kind}) }
	  if @$children < 2;
	return { %change, op => 'delete', id => splice @$children, $place, 1 } if $what == 1;
	return { %change, op => 'update', id => $children->[$place], fields => { metadata => { turn => $self->_below(3) } } };
}

sub _patch
{
	my ($self, $kind) = @_;
	my @names = sort keys %{ $fields{$kind} };
	my $name = $self->_one_of(@names);
	return { $name => $self->_one_of(@{ $fields{$kind}{$name} }) };
}

sub _one_of { my ($self, @all) = @_; return $all[ $self->_below(scalar @all) ]; }

sub _below
{
	my ($self, $limit) = @_;
	$self->{state} = ($self->{state} * 1103515245 + 12345) & 0x7fffffff;
	return int(($self->{state} >> 8) / (1 << 23) * $limit);
}

1;
