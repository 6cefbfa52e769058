# Compares a mirror schema with what the simulator holds, object by object and field by field. Written
# from the documents, not from the catalogue in the C++ code: a column is the object's member of that
# name, an expandable object counts by its id, unix seconds become times, and %moved says where Stripe
# keeps what is not a member of that name (any more).
package Billstack::MirrorCompare;
use strict;
use warnings;
use Cpanel::JSON::XS ();
use Exporter 'import';
use HTTP::Tiny;
use MIME::Base64 qw(decode_base64);

our @EXPORT_OK = qw(compare_mirror);

# What a backfill copies unless told otherwise, and with that what is compared unless told otherwise.
my @default_kinds = qw(customer product price subscription subscription_item invoice invoice_line_item charge);
# The other kinds; a table is called like its kind, in the plural.
our @other_kinds = qw(plan payment_intent payment_method setup_intent refund dispute credit_note credit_note_line_item
	coupon promotion_code tax_id tax_rate subscription_schedule checkout_session checkout_session_line_item
	balance_transaction payout transfer transfer_reversal application_fee quote payment_link invoice_payment
	customer_balance_transaction early_fraud_warning review feature active_entitlement billing_meter credit_grant
	invoice_item);
# Kinds whose objects do not name the object that they hang on.
my %parent_column = (active_entitlement => 'customer', credit_note_line_item => 'credit_note',
	checkout_session_line_item => 'checkout_session');

my %moved = (
	customer => {
		default_payment_method => ['invoice_settings.default_payment_method'],
		address_country => ['address.country'] },
	price => {
		recurring_interval => ['recurring.interval'], recurring_interval_count => ['recurring.interval_count'],
		recurring_usage_type => ['recurring.usage_type'], recurring_meter => ['recurring.meter'],
		recurring_trial_period_days => ['recurring.trial_period_days'] },
	subscription => {
		current_period_start => [ 'current_period_start', 'items.data.0.current_period_start' ],
		current_period_end => [ 'current_period_end', 'items.data.0.current_period_end' ],
		cancellation_reason => ['cancellation_details.reason'],
		pause_collection_behavior => ['pause_collection.behavior'] },
	subscription_item => { product => [ 'price.product', 'plan.product' ] },
	invoice => {
		subscription => [ 'subscription', 'parent.subscription_details.subscription' ],
		subscription_proration_date => [ 'subscription_proration_date',
			'parent.subscription_details.subscription_proration_date' ],
		quote => [ 'quote', 'parent.quote_details.quote' ],
		charge => [ 'charge', 'payments.data.0.payment.charge' ],
		payment_intent => [ 'payment_intent', 'payments.data.0.payment.payment_intent' ],
		map { ($_ => ["status_transitions.$_"]) } qw(finalized_at paid_at voided_at marked_uncollectible_at) },
	invoice_line_item => {
		parent_type => ['parent.type'],
		unit_amount_decimal => [ 'pricing.unit_amount_decimal', 'price.unit_amount_decimal' ],
		period_start => ['period.start'], period_end => ['period.end'],
		proration => [ 'proration', 'parent.subscription_item_details.proration',
			'parent.invoice_item_details.proration' ],
		price => [ 'price', 'pricing.price_details.price' ],
		product => [ 'price.product', 'pricing.price_details.product', 'plan.product' ],
		subscription => [ 'subscription', 'parent.subscription_item_details.subscription',
			'parent.invoice_item_details.subscription' ],
		subscription_item => [ 'subscription_item', 'parent.subscription_item_details.subscription_item' ],
		invoice_item => [ 'invoice_item', 'parent.invoice_item_details.invoice_item',
			'parent.subscription_item_details.invoice_item' ] },
	charge => { payment_method_type => ['payment_method_details.type'] },
	billing_meter => {
		default_aggregation_formula => ['default_aggregation.formula'],
		customer_mapping_type => ['customer_mapping.type'],
		customer_mapping_event_payload_key => ['customer_mapping.event_payload_key'],
		value_settings_event_payload_key => ['value_settings.event_payload_key'],
		deactivated_at => ['status_transitions.deactivated_at'] },
	checkout_session => {
		customer_details_email => ['customer_details.email'],
		map { ("total_details_amount_$_" => ["total_details.amount_$_"]) } qw(discount shipping tax) },
	checkout_session_line_item => { product => ['price.product'] },
	quote => {
		from_quote => ['from_quote.quote'],
		map { ($_ => ["status_transitions.$_"]) } qw(accepted_at canceled_at finalized_at) },
	credit_note => { refund => [ 'refund', 'refunds.0.refund' ] },
	credit_grant => { amount_type => ['amount.type'], amount => ['amount.monetary.value'],
		currency => ['amount.monetary.currency'] },
	promotion_code => {
		coupon => [ 'coupon', 'promotion.coupon' ], promotion_type => ['promotion.type'],
		map { ("restrictions_$_" => ["restrictions.$_"]) }
		  qw(first_time_transaction minimum_amount minimum_amount_currency) },
	subscription_schedule => { current_phase_start => ['current_phase.start_date'],
		current_phase_end => ['current_phase.end_date'] },
	invoice_payment => {
		payment_type => ['payment.type'], payment_intent => ['payment.payment_intent'],
		charge => ['payment.charge'], payment_record => ['payment.payment_record'],
		paid_at => ['status_transitions.paid_at'], canceled_at => ['status_transitions.canceled_at'] },
	invoice_item => {
		unit_amount_decimal => [ 'pricing.unit_amount_decimal', 'unit_amount_decimal' ],
		price => [ 'price', 'pricing.price_details.price' ],
		product => [ 'price.product', 'pricing.price_details.product', 'plan.product' ],
		subscription => [ 'subscription', 'parent.subscription_details.subscription' ],
		subscription_item => [ 'subscription_item', 'parent.subscription_details.subscription_item' ],
		period_start => ['period.start'], period_end => ['period.end'] },
	payout => { trace_id_status => ['trace_id.status'], trace_id_value => ['trace_id.value'] },
	application_fee => { fee_source_type => ['fee_source.type'] },
	refund => { destination_details_type => ['destination_details.type'] },
	dispute => {
		network_reason_code => [ 'network_reason_code', 'payment_method_details.card.network_reason_code' ],
		evidence_details_due_by => ['evidence_details.due_by'],
		evidence_details_has_evidence => ['evidence_details.has_evidence'] },
	payment_intent => {
		latest_charge => [ 'latest_charge', 'charges.data.0' ],
		last_payment_error_code => ['last_payment_error.code'],
		last_payment_error_decline_code => ['last_payment_error.decline_code'],
		next_action_type => ['next_action.type'] },
	payment_method => {
		(map { ("card_$_" => ["card.$_"]) } qw(brand exp_month exp_year country funding fingerprint last4)),
		billing_details_email => ['billing_details.email'], billing_details_name => ['billing_details.name'] },
	setup_intent => { last_setup_error_code => ['last_setup_error.code'], next_action_type => ['next_action.type'] },
	tax_id => { customer => [ 'customer', 'owner.customer' ], owner_type => ['owner.type'],
		verification_status => ['verification.status'] },
	tax_rate => { flat_amount => ['flat_amount.amount'], flat_amount_currency => ['flat_amount.currency'] });

my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref->allow_bignum;

# compare_mirror(port => SIMULATOR, account => ID or undef, schema => NAME, query => sub { SQL -> lines },
# kinds => [...], since => UNIX SECONDS or undef: only objects created then or later were copied, but of
# children everything; gone => [ids that Stripe has deleted since they were copied]; columns_only => 1 does
# not compare _raw, which keeps the shape of the version it was written in): a hash of objects, fields,
# differences (a list of texts).
sub compare_mirror
{
	my (%args) = @_;
	my %seen = (objects => 0, fields => 0, differences => [], columns_only => $args{columns_only});
	for my $kind (@{ $args{kinds} // \@default_kinds })
	{
		my $stripe = _stripe_objects($args{port}, $args{account}, $kind);
		my $mirror = _mirror_rows($args{query}, $args{schema}, "${kind}s");
		if (defined $args{since})
		{
			delete @$stripe{ grep { ($stripe->{$_}{created} // $args{since}) < $args{since} } keys %$stripe };
		}
		delete @$mirror{ @{ $args{gone} // [] } };
		_compare_kind(\%seen, $kind, $stripe, $mirror);
	}
	return \%seen;
}

sub _stripe_objects
{
	my ($port, $account, $kind) = @_;
	my $answer = HTTP::Tiny->new(timeout => 120)->get(
		"http://127.0.0.1:$port/_sim/objects/$kind?parents=1" . ($account ? "&account=$account" : ''));
	die "$kind: $answer->{status} $answer->{content}" unless $answer->{success};
	my %object;
	for my $line (split /\n/, $answer->{content})
	{
		my $one = $json->decode($line);
		$object{ $one->{object}{id} } = $one->{object};
		$one->{object}{_parent} = $one->{parent} if $parent_column{$kind};
	}
	return \%object;
}

# Times as unix seconds; everything else as the server turns it into JSON, one row a line.
sub _mirror_rows
{
	my ($query, $schema, $table) = @_;
	my @columns = map { [ split /\|/ ] } $query->("SELECT attname, format_type(atttypid, atttypmod)
		FROM pg_attribute WHERE attrelid = '\"$schema\".$table'::regclass AND attnum > 0 AND NOT attisdropped");
	my $list = join ', ', map {
		my ($name, $type) = @$_;
		$type eq 'timestamp with time zone' && $name !~ /^_/ ? qq{extract(epoch FROM "$name")::bigint AS "$name"}
		  : qq{"$name"} } @columns;
	# What only the server can tell of a row's own columns.
	$list .= q{, sha256(convert_to(regexp_replace(_raw::text, '("(?:[^"\\\\]|\\\\.)*")|[ \n\r\t]+', '\\1', 'g'), 'UTF8')) = _digest AND _as_of <= _as_of_end
		AND _synced_at IS NOT NULL AND _api_version IS NOT NULL AS _sound};
	my %row;
	# Base64, because _raw keeps Stripe's line breaks and a row must stay on its line.
	for my $line ($query->(qq{SELECT translate(encode(convert_to(row_to_json(t)::text, 'UTF8'), 'base64'), E'\\n', '')
		FROM (SELECT $list FROM "$schema".$table) AS t}))
	{
		my $one = $json->decode(decode_base64($line));
		$one->{_types} = { map { @$_ } @columns };
		$row{ $one->{id} } = $one;
	}
	return \%row;
}

sub _compare_kind
{
	my ($seen, $kind, $stripe, $mirror) = @_;
	my $differences = $seen->{differences};
	for my $id (sort keys %$stripe)
	{
		$seen->{objects}++;
		my $row = delete $mirror->{$id};
		if (!$row) { push @$differences, "$kind $id: missing"; next; }
		push @$differences, "$kind $id: marked deleted" if defined $row->{_deleted_at};
		_compare_object($seen, $kind, $stripe->{$id}, $row);
	}
	for my $id (sort keys %$mirror)
	{
		push @$differences, "$kind $id: not at Stripe" unless defined $mirror->{$id}{_deleted_at};
	}
	return;
}

sub _compare_object
{
	my ($seen, $kind, $object, $row) = @_;
	my $name = "$kind $object->{id}";
	_expect($seen, "$name: digest, window and version", 1, $row->{_sound} ? 1 : 0);
	my $parent = delete $object->{_parent};
	_expect($seen, "$name._raw", $json->encode($object), $json->encode($row->{_raw})) if !$seen->{columns_only};
	$object->{ $parent_column{$kind} } = $parent if $parent_column{$kind};
	for my $column (sort grep { !/^_/ } keys %$row)
	{
		my $expected;
		for my $path (@{ $moved{$kind}{$column} // [$column] })
		{
			$expected = _at($object, $path);
			last if defined $expected;
		}
		$expected = $expected->{id} if ref $expected eq 'HASH' && $column ne 'metadata';
		my $got = $row->{$column};
		# Booleans of both sides, numbers of any notation, and nested metadata, as canonical JSON.
		_expect($seen, "$name.$column", _canonical($expected, $row->{_types}{$column}),
			_canonical($got, $row->{_types}{$column}));
	}
	return;
}

sub _canonical
{
	my ($value, $type) = @_;
	return 'null' unless defined $value;
	$value = _without_nul($value);
	return $value ? 'true' : 'false' if $type eq 'boolean';
	return "$value" if $type =~ /^(bigint|numeric|text)/ || !ref $value;
	return $json->encode($value);
}

# The server's text cannot hold U+0000; U+FFFD stands for it in columns, not in _raw.
sub _without_nul
{
	my ($value) = @_;
	return { map { _without_nul($_) } %$value } if ref $value eq 'HASH';
	return ref $value ? $value : $value =~ s/\0/\x{FFFD}/gr;
}

sub _expect
{
	my ($seen, $what, $expected, $got) = @_;
	$seen->{fields}++;
	push @{ $seen->{differences} }, "$what: Stripe has $expected, the mirror $got" if $expected ne $got;
	return;
}

sub _at
{
	my ($value, $path) = @_;
	for my $step (split /\./, $path)
	{
		if (ref $value eq 'HASH') { $value = $value->{$step}; }
		elsif (ref $value eq 'ARRAY' && $step =~ /^\d+$/) { $value = $value->[$step]; }
		else { return undef; }
	}
	return $value;
}

1;
