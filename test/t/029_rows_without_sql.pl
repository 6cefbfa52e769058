# Rows that go into heap and indexes without a statement are the rows that the statement writes, and wherever a
# table has something that only the statement obeys, the statement writes them. Which way it was is read from
# the WAL: only the direct way writes several rows with one record.
use strict;
use warnings;
use Billstack::Node;
use Billstack::Session;
use Billstack::Simulator;
use PostgreSQL::Test::Utils;
use Test::More;

my $sim = Billstack::Simulator->new(seed => 29, customers => 250, products => 20, prices => 60, subscriptions => 60,
	invoices => 120, charges => 120);
my $node = Billstack::Node->make('direct', $sim, conf => "wal_level = logical\nwal_keep_size = 1GB\nautovacuum = off\n");
$node->sql(q{CREATE ROLE mirror_owner LOGIN; GRANT CREATE ON SCHEMA public TO mirror_owner;
	GRANT CREATE ON DATABASE postgres TO mirror_owner; SELECT billstack.grant_access('mirror_owner', 'admin')});
my $owner = Billstack::Session->new($node, 'postgres', 'mirror_owner');

# Tables of a team's mirror that got rows in the direct way since an LSN.
sub direct_tables
{
	my ($since, $team) = @_;
	my $end = $node->sql('SELECT pg_current_wal_insert_lsn()');
	$node->sql('CHECKPOINT');
	my ($records, $error) = run_command([ 'pg_waldump', '-p', $node->data_dir . '/pg_wal', '-s', $since, '-e', $end, '-r', 'Heap2' ]);
	my %filled = map { $_ => 1 } $records =~ m{MULTI_INSERT.*rel \d+/\d+/(\d+)}g;
	my %table = map { split /\|/ } split /\n/, $node->sql(qq{SELECT relname, pg_relation_filenode(oid) FROM pg_class
		WHERE relnamespace = 'stripe_team_$team'::regnamespace AND relkind = 'r'});
	return join ' ', sort grep { $filled{ $table{$_} } } keys %table;
}
sub lsn { return $node->sql('SELECT pg_current_wal_insert_lsn()'); }
sub connect_as_owner { return $owner->value("SELECT billstack.connect('$_[0]', '" . $sim->key . "')"); }

# --- every kind, both ways ------------------------------------------------------------------------------------

connect_as_owner($_) for 'direct', 'stated';
$owner->value("SELECT billstack.upgrade_mirror('$_')") for 'direct', 'stated';
my %table = map { split /\|/ } split /\n/, $node->sql(q{SELECT DISTINCT kind, table_name FROM billstack_internal.mirror_table});
my %made_with = map { $_ => 1 } qw(customer product price subscription subscription_item invoice invoice_line_item charge
	credit_note_line_item checkout_session_line_item transfer_reversal);
$sim->make($_, 12) for grep { !$made_with{$_} } sort keys %table;
$sim->put('transfer', 'tr_reversed', { id => 'tr_reversed', object => 'transfer', created => 1700000000, metadata => {},
	reversals => { object => 'list', has_more => \0, url => '/v1/transfers/tr_reversed/reversals',
		data => [ map { { id => "trr_$_", object => 'transfer_reversal', created => 1700000000,
			transfer => 'tr_reversed', amount => $_, metadata => {} } } 11 .. 25 ] } });
# What is NULL or changed on the way: times beyond the calendar, U+0000, numbers of many digits, empty texts.
my %odd = (early => '-99999999999', late => '253402300800', beyond => '9224318015999', none => 'null');
$sim->put('customer', "cus_odd_$_", qq({"id": "cus_odd_$_", "object": "customer", "created": $odd{$_},)
	  . ' "balance": 9223372036854775807, "name": "a\u0000b \u00e9 \"q\"", "email": "", "phone": 12,'
	  . ' "metadata": {"x": "\u0000", "": "e", "n": 1.10, "long": "' . 'x' x 5000 . '"}}') for sort keys %odd;
$sim->put('price', "price_odd_$_->[0]", qq({"id": "price_odd_$_->[0]", "object": "price", "created": 1700000000,)
	  . qq( "unit_amount": $_->[1], "unit_amount_decimal": $_->[2], "metadata": {}, "recurring": {"interval": "month"}}))
  for [ 1, '9223372036854775807', '1.100000000000000000001' ], [ 2, '1.0', '"0.5"' ], [ 3, 'null', '1e-20' ], [ 4, '-5', '123456789012345.678901234567890' ];
$owner->value('CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$');
$owner->value("CREATE TRIGGER nothing AFTER INSERT ON stripe_team_stated.$_ FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()")
  for sort values %table;

my $before = lsn();
is($node->run_backfill($_, objects => ['all'])->{syncStatus}, 'ready', "$_: all kinds are copied") for 'direct', 'stated';
is(direct_tables($before, 'direct'), join(' ', sort values %table), 'as made: every table is filled without statements');
is(direct_tables($before, 'stated'), '', 'with a trigger: none is');
for my $name (sort values %table)
{
	my $columns = $node->sql(qq{SELECT string_agg(CASE WHEN attname = '_raw' THEN '_raw::text' ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = 'stripe_team_direct.$name'::regclass AND attnum > 0 AND NOT attisdropped
		AND attname NOT IN ('_as_of', '_as_of_end', '_synced_at')});
	my ($one, $other) = map { "SELECT $columns FROM stripe_team_$_.$name" } 'direct', 'stated';
	is($node->sql("SELECT (SELECT count(*) FROM stripe_team_direct.$name) > 0,
		(SELECT count(*) FROM ($one EXCEPT ALL $other) AS d), (SELECT count(*) FROM ($other EXCEPT ALL $one) AS d)"),
		't|0|0', "$name: the same rows in all columns");
	is($node->sql("SELECT count(*) FROM stripe_team_direct.$name WHERE _as_of > _as_of_end OR _as_of_end > now() + interval '1 minute'
		OR _synced_at NOT BETWEEN now() - interval '10 minutes' AND now()"), 0, "$name: windows and times make sense");
}
is($node->sql(q{SELECT string_agg(coalesce(created::text, 'NULL'), ' ' ORDER BY id) FROM stripe_team_direct.customers WHERE id LIKE 'cus\_odd\_%'}),
	'NULL NULL NULL NULL', 'times beyond the calendar are NULL');
# Indexes hold every row.
$node->sql('CREATE EXTENSION amcheck');
for my $index (split /\n/, $node->sql(q{SELECT i.indrelid::regclass || '|' || i.indexrelid::regclass FROM pg_index AS i
	JOIN pg_class AS c ON c.oid = i.indrelid WHERE c.relnamespace = 'stripe_team_direct'::regnamespace AND c.relkind = 'r'}))
{
	my ($relation, $name) = split /\|/, $index;
	$node->sql("SELECT bt_index_check('$name', true)") eq '' or fail("$name is not whole");
}
pass('indexes are whole');
# The comparison reads what is odd otherwise; the statement's rows were compared with it above.
my @odd = ((map { [ 'customer', "cus_odd_$_" ] } keys %odd), map { [ 'price', "price_odd_$_" ] } 1 .. 4);
$sim->remove(@$_) for @odd;
$node->equals_stripe($sim, 'stripe_team_direct', 'direct rows', gone => [ map { $_->[1] } @odd ]);

# --- what only the statement obeys ------------------------------------------------------------------------------

my %case = (
	before => [ 'a BEFORE trigger', q{CREATE FUNCTION public.mark() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN NEW.phone := 'marked'; RETURN NEW; END $$; CREATE TRIGGER mark BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.mark()},
		q{SELECT bool_and(phone = 'marked') FROM %s} ],
	noted => [ 'an AFTER trigger', q{CREATE TABLE public.noted (id text); CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO public.noted VALUES (NEW.id); RETURN NULL; END $$;
		CREATE TRIGGER note AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION public.note()},
		q{SELECT (SELECT count(*) FROM public.noted) = count(*) FROM %s} ],
	guarded => [ 'forced row security', q{ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$s FORCE ROW LEVEL SECURITY;
		CREATE POLICY all_of_it ON %1$s USING (true)}, q{SELECT count(*) > 200 FROM %s} ],
	checked => [ 'a constraint', q{ALTER TABLE %s ADD CHECK (id <> 'cus_none')}, q{SELECT count(*) > 200 FROM %s} ],
	defaulted => [ 'a column with NOT NULL and a default', q{ALTER TABLE %s ADD COLUMN team text NOT NULL DEFAULT 'mine'},
		q{SELECT bool_and(team = 'mine') FROM %s} ],
	generated => [ 'a generated column', q{ALTER TABLE %s ADD COLUMN twice bigint GENERATED ALWAYS AS (balance / 2) STORED},
		q{SELECT bool_and(twice IS NOT DISTINCT FROM balance / 2) FROM %s} ],
	required => [ 'NOT NULL on a column of ours', q{ALTER TABLE %s ALTER COLUMN object SET NOT NULL}, q{SELECT count(*) > 200 FROM %s} ],
	excluded => [ 'an exclusion constraint', q{ALTER TABLE %s ADD EXCLUDE USING btree (id WITH =)}, q{SELECT count(*) > 200 FROM %s} ],
	part => [ 'a partition', q{CREATE TABLE public.all_customers (LIKE %1$s) PARTITION BY LIST (id);
		ALTER TABLE public.all_customers ATTACH PARTITION %1$s DEFAULT}, q{SELECT count(*) > 200 FROM public.all_customers} ]);
for my $team (sort keys %case)
{
	my ($what, $change, $check) = @{ $case{$team} };
	connect_as_owner($team);
	my $table = "stripe_team_$team.customers";
	$owner->value($_) for split /;(?=\s*(?:CREATE|ALTER))/, sprintf($change, $table);
	my $since = lsn();
	is($node->run_ends($node->start_backfill($team, objects => ['customer'])), 'done', "$what: the run ends done");
	is(direct_tables($since, $team), '', "$what: written by statements");
	is($node->sql(sprintf $check, $table), 't', "$what: obeyed");
}

# A rule is refused by ON CONFLICT: it was so before, and is not passed over.
connect_as_owner('ruled');
$owner->value('CREATE RULE also AS ON INSERT TO stripe_team_ruled.customers DO ALSO SELECT 1');
my $ruled = $node->start_backfill('ruled', objects => ['customer']);
$node->comes_true(q{SELECT error LIKE '%rules%' FROM billstack.sync_progress WHERE team = 'ruled'}, 'a rule: the refusal of the statement is told');
is($node->sql('SELECT count(*) FROM stripe_team_ruled.customers'), 0, 'a rule: nothing is written');
$owner->value('DROP RULE also ON stripe_team_ruled.customers');
is($node->run_ends($ruled), 'done', 'a rule: without it the run goes on');

# --- what the direct way takes along ------------------------------------------------------------------------------

connect_as_owner('published');
$owner->value('ALTER TABLE stripe_team_published.customers ADD COLUMN note text');
$owner->value(q{CREATE INDEX by_case ON stripe_team_published.customers (upper(name)) WHERE email IS NOT NULL});
$node->sql('CREATE PUBLICATION customers FOR TABLE stripe_team_published.customers');
$node->sql(q{SELECT pg_create_logical_replication_slot('customers', 'pgoutput')});
my $since = lsn();
is($node->run_backfill('published', objects => ['customer'])->{syncStatus}, 'pending', 'published: copied');
is(direct_tables($since, 'published'), 'customers', 'published, with a column and an index of the user\'s: without statements');
is($node->sql(q{SELECT count(*) = (SELECT count(*) FROM stripe_team_published.customers) FROM pg_logical_slot_get_binary_changes('customers',
	NULL, NULL, 'proto_version', '1', 'publication_names', 'customers') WHERE get_byte(data, 0) = ascii('I')}), 't', 'each row is decoded as inserted');
$node->sql(q{SELECT pg_drop_replication_slot('customers'); SET enable_seqscan = off});
is($node->sql(q{SET enable_seqscan = off; SELECT bt_index_check('stripe_team_published.by_case', true)}), '', 'the user\'s index is filled');

# --- others who insert the same -----------------------------------------------------------------------------------

connect_as_owner('raced');
my ($raced) = $sim->objects('customer');
my $rival = Billstack::Session->new($node, 'postgres', 'mirror_owner');
$rival->value('BEGIN');
$rival->start(qq{INSERT INTO stripe_team_raced.customers (id, _raw, _as_of, _as_of_end, _source, _digest)
	VALUES ('$raced->{id}', '{}', '2020-01-01', '2020-01-01', 'read', '')});
$rival->answer;
my $run = $node->start_backfill('raced', objects => ['customer']);
$node->comes_true(q{SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
	WHERE NOT l.granted AND a.backend_type LIKE 'billstack%'}, 'raced: the worker waits for a session that inserts the same');
$rival->start('COMMIT');
$rival->answer;
is($node->run_ends($run), 'done', 'raced: the run ends done');
$node->equals_stripe($sim, 'stripe_team_raced', 'raced', kinds => ['customer']);

# A unique index of the user's: the page waits with the index's own error, and nothing of it is seen.
connect_as_owner('unique');
$owner->value('CREATE UNIQUE INDEX one_currency ON stripe_team_unique.customers (livemode)');
$run = $node->start_backfill('unique', objects => ['customer']);
$node->comes_true(q{SELECT error LIKE '%one_currency%' FROM billstack.sync_progress WHERE team = 'unique'}, 'unique: told');
is($node->sql('SELECT count(*) FROM stripe_team_unique.customers'), 0, 'unique: nothing of the page is there');
$owner->value('DROP INDEX stripe_team_unique.one_currency');
is($node->run_ends($run), 'done', 'unique: without the index the run goes on');

done_testing();
