# What an API key reaches: kinds of keys x functions, compared with 057_scopes.expected, and 20 teams, each asking
# for every other's. Functions are found in the catalogue: one that has no call here fails the test.
# BILLSTACK_WRITE_EXPECTED=1 writes the expected file anew.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Billstack::Session;

my $node = PostgreSQL::Test::Cluster->new('scopes');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'billstack'\nmax_worker_processes = 16");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION billstack');

# Arguments behind the project: such that nothing but the right is refused before the project's state is looked at.
my $urls = "'https://shop.example/a', 'https://shop.example/b'";
my %call = (
	adopt_product => "'prod_none'", analytics => '', assign_customers => "ARRAY['cus_none']", cancel_subscription => "'ps_none'",
	create_checkout => "'pc_none', 'pri_none', $urls", create_customer => "'new\@example.com'", create_portal_session => "'pc_none', 'https://shop.example/'",
	create_price => "'pp_none', 100, 'usd'", create_product => "'product'", create_refund => "'ppay_none'",
	create_setup_checkout => "'pc_none', $urls", delete_customer => "'pc_none'", get_customer => "'pc_none'", get_price => "'pri_none'",
	get_product => "'pp_none'", get_subscription => "'ps_none'", has_active_subscription => "'pc_live_' || right(%s, 1)", has_feature => "'pc_live_' || right(%s, 1), 'export'",
	link_project => "'default'", list_customers => '', list_invoices => '', list_payments => '', list_prices => '', list_products => '',
	list_subscriptions => '', relink_project => '', unlink_project => '', update_customer => "'pc_none', 'new\@example.com'",
	update_price => "'pri_none', true", update_product => "'pp_none', 'name'", update_subscription => "'ps_none', true");
my %found = map { $_ => 1 } split /\n/, $node->safe_psql('postgres',
	q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'billstack'::regnamespace AND proargnames[1] = 'project'});
is(join(' ', grep { !defined $call{$_} } sort keys %found), '', 'each function on a project is called here');
my @functions = sort keys %found;

$node->safe_psql('postgres', q{
CREATE TABLE public.call (function text, arguments text);
CREATE TABLE public.kind (place serial, name text, key text);
CREATE TABLE public.crossing (what text, asked_by text, function text, project text, answer text);
-- How a statement ends, as far as rights go.
CREATE FUNCTION public.outcome(statement text, project text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text; message text; detail text; hint text;
BEGIN
    BEGIN
        EXECUTE statement INTO answer;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN CASE WHEN answer IN ('true', 'false') THEN answer ELSE 'yes' END;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN CASE WHEN SQLSTATE = '42501' AND message LIKE 'the API key lacks the scope%' THEN 'scope'
                    WHEN SQLSTATE = '42501' AND message LIKE 'an API key does not reach functions on teams' THEN 'team'
                    WHEN SQLSTATE = '42704' AND message = format('project "%s" does not exist', project)
                         AND detail || hint = 'There is no such project, or you have no access to it.Check the id, or ask the team''s owner for access.' THEN 'unknown'
                    WHEN SQLSTATE = '42501' THEN 'role: ' || message
                    ELSE 'yes' END;
    END;
END $$;
CREATE FUNCTION public.tried(function text, arguments text, project text) RETURNS text LANGUAGE sql AS $$
SELECT public.outcome(format('SELECT billstack.%I(%L%s)::text', function, project, CASE WHEN arguments <> '' THEN ', ' || format(arguments, quote_literal(project)) ELSE '' END), project) $$;
-- All functions for one key, in one transaction.
CREATE FUNCTION public.matrix(key text, project text) RETURNS TABLE (function text, answer text) LANGUAGE plpgsql AS $$
BEGIN
    IF key IS NOT NULL THEN
        BEGIN
            PERFORM billstack.authenticate(key);
        EXCEPTION WHEN SQLSTATE '28000' THEN
            RETURN QUERY SELECT c.function, 'invalid' FROM public.call AS c;
            RETURN;
        END;
    END IF;
    RETURN QUERY SELECT c.function, public.tried(c.function, c.arguments, matrix.project) FROM public.call AS c ORDER BY 1;
END $$;
GRANT SELECT ON public.call TO PUBLIC;
GRANT INSERT ON public.crossing TO PUBLIC;});
for my $function (@functions)
{
	my $arguments = $call{$function} // next;
	$arguments =~ s/'/''/g;
	$node->safe_psql('postgres', "INSERT INTO public.call VALUES ('$function', '$arguments')");
}

# --- the matrix -----------------------------------------------------------------------------------------

$node->safe_psql('postgres', q{
CREATE ROLE regular;
INSERT INTO billstack_internal.team (team, owner_name) VALUES ('one', 'postgres'), ('two', 'postgres');
INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode, key_restricted, key_masked, mirror_version, system_identifier, database_oid)
SELECT 'one', 'default', 'postgres', 'stripe_team_one', 0, false, false, 'sk_test_...', 0, c.system_identifier, 0 FROM pg_control_system() AS c;
INSERT INTO billstack_internal.project (id, team, name, integration_id) SELECT p, t, p, i.id
  FROM (VALUES ('proj_a', 'one'), ('proj_b', 'one'), ('proj_c', 'two')) AS v (p, t) LEFT JOIN billstack_internal.integration AS i ON i.team = v.t;
INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link)
SELECT 'pc_live_' || k, 'proj_' || k, k || '@example.com', 'cus_' || k, 'created' FROM unnest('{a,b,c}'::text[]) AS k;
INSERT INTO billstack_internal.project_subscription (id, integration_id, stripe_subscription_id, project_id, customer_id, status, created_at)
SELECT 'ps_' || k, 1, 'sub_' || k, 'proj_' || k, 'pc_live_' || k, 'active', now() FROM unnest('{a,b,c}'::text[]) AS k;
INSERT INTO billstack_internal.project_entitlement SELECT i.id, 'ent_' || k, 'cus_' || k, 'export' FROM unnest('{a,b,c}'::text[]) AS k, billstack_internal.integration AS i;
INSERT INTO public.kind (name) VALUES ('none');
INSERT INTO public.kind (name, key) SELECT 'full', billstack.create_api_key('one', 'full') ->> 'rawKey';
INSERT INTO public.kind (name, key) SELECT s, billstack.create_api_key('one', s, scopes => ARRAY[s]) ->> 'rawKey'
  FROM unnest(ARRAY['customers:read', 'customers:write', 'products:read', 'products:write', 'subscriptions:read',
                    'subscriptions:write', 'referrals:read', 'referrals:write', 'analytics:read']) WITH ORDINALITY AS x (s, n) ORDER BY n;
INSERT INTO public.kind (name, key) SELECT 'of the project', billstack.create_api_key('one', 'x', 'proj_a') ->> 'rawKey';
INSERT INTO public.kind (name, key) SELECT 'of another project', billstack.create_api_key('one', 'x', 'proj_b') ->> 'rawKey';
INSERT INTO public.kind (name, key) SELECT 'of another team', billstack.create_api_key('two', 'x') ->> 'rawKey';
INSERT INTO public.kind (name, key) SELECT 'expired', billstack.create_api_key('one', 'expired', expires_at => now() + interval '1 hour') ->> 'rawKey';
UPDATE billstack_internal.api_key SET expires_at = now() - interval '1 second' WHERE name = 'expired';
WITH made AS (SELECT billstack.create_api_key('one', 'revoked') AS j)
INSERT INTO public.kind (name, key) SELECT 'revoked', j ->> 'rawKey' FROM made;
SELECT billstack.revoke_api_key(id) FROM billstack_internal.api_key WHERE name = 'revoked';});

my $matrix = '';
for my $kind (split /\n/, $node->safe_psql('postgres', 'SELECT name FROM public.kind ORDER BY place'))
{
	my $rows = $node->safe_psql('postgres', "SELECT m.function, m.answer FROM public.kind AS k, public.matrix(k.key, 'proj_a') AS m WHERE k.name = '$kind' ORDER BY 1");
	$matrix .= "$kind\n" . join('', map { sprintf "    %-24s %s\n", split /\|/ } split /\n/, $rows);
}
my $file = "$ENV{BILLSTACK_SOURCE}/test/t/057_scopes.expected";
if ($ENV{BILLSTACK_WRITE_EXPECTED}) { open my $out, '>', $file or die $!; print $out $matrix; close $out; }
my ($cells, @differ) = (0);
my @expected = split /\n/, slurp_file($file);
my @got = split /\n/, $matrix;
my $at = '';
for my $i (0 .. ($#got > $#expected ? $#got : $#expected))
{
	my ($want, $is) = ($expected[$i] // 'nothing', $got[$i] // 'nothing');
	$at = $is unless $is =~ /^ /;
	$cells++ if $is =~ /^ /;
	push @differ, "$at: expected $want, got $is" if $want ne $is;
}
is(join("\n", @differ), '', "$cells answers to " . scalar(@functions) . ' functions are the expected ones');
cmp_ok($cells, '>=', 16 * @functions, 'of every kind of key');

# --- a revocation reaches transactions that have their snapshot -----------------------------------------

my $old = Billstack::Session->new($node, 'postgres');
$old->value('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($old->value('SELECT count(*) FROM billstack_internal.api_key WHERE revoked_at IS NULL AND name = $$full$$'), '1', 'a transaction has its snapshot');
is($old->value(q{SELECT public.outcome('SELECT billstack.authenticate(' || quote_literal(key) || ')', '') FROM public.kind WHERE name = 'full'}), 'yes', 'and may authenticate');
$node->safe_psql('postgres', q{SELECT billstack.revoke_api_key(id) FROM billstack_internal.api_key WHERE name = 'full'});
is($old->value('SELECT count(*) FROM billstack_internal.api_key WHERE revoked_at IS NULL AND name = $$full$$'), '1', 'the key is revoked, which its snapshot does not show');
is($old->value(q{SELECT count(*) FROM public.kind AS k, public.matrix(k.key, 'proj_a') AS m WHERE k.name = 'full' AND m.answer <> 'invalid'}), '0', 'it is refused all the same');
$old->value('ROLLBACK');

# --- last use -------------------------------------------------------------------------------------------

ok($node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM billstack_internal.api_key WHERE last_used_at IS NOT NULL'),
	'the worker has stored last uses');
my $before = $node->safe_psql('postgres', 'SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = $$api_key$$');
$node->safe_psql('postgres', q{DO $$ DECLARE k text; BEGIN SELECT key INTO k FROM public.kind WHERE name = 'of the project';
	FOR i IN 1 .. 2000 LOOP PERFORM billstack.authenticate(k); END LOOP; END $$});
is($node->safe_psql('postgres', q{SELECT count(*) FROM jsonb_array_elements(billstack.list_api_keys('one') -> 'keys') AS k
	WHERE k ->> 'projectId' = 'proj_a' AND (k ->> 'lastUsedAt')::timestamptz > now() - interval '1 minute'}), '1', 'the list knows the use at once');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(n_tup_upd) FROM pg_stat_user_tables WHERE relname = $$api_key$$') - $before, '<=', 20, '2,000 calls write next to nothing');

# --- twenty teams ---------------------------------------------------------------------------------------

my $teams = 20;
$node->safe_psql('postgres', qq{
TRUNCATE public.kind;
DO \$\$ BEGIN FOR i IN 1 .. $teams LOOP
    EXECUTE format('CREATE ROLE role_%s', i);
    INSERT INTO billstack_internal.team (team, owner_name) VALUES ('team_' || i, 'postgres');
    INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid, livemode, key_restricted, key_masked, mirror_version, system_identifier, database_oid)
    SELECT 'team_' || i, 'default', 'postgres', 'stripe_team_team_' || i, 0, false, false, 'sk_test_...', 0, c.system_identifier, 0 FROM pg_control_system() AS c;
    INSERT INTO billstack_internal.project (id, team, name, integration_id) SELECT 'proj_' || i, 'team_' || i, i, id FROM billstack_internal.integration WHERE team = 'team_' || i;
    INSERT INTO billstack_internal.project_customer (id, project_id, email, stripe_customer_id, link) VALUES ('pc_' || i, 'proj_' || i, 'a\@example.com', 'cus_shared', 'created');
    INSERT INTO billstack_internal.project_subscription (id, integration_id, stripe_subscription_id, project_id, customer_id, stripe_customer_id, status, currency, mrr, created_at)
    SELECT 'ps_' || i, id, 'sub_shared', 'proj_' || i, 'pc_' || i, 'cus_shared', 'active', 'usd', i, now() FROM billstack_internal.integration WHERE team = 'team_' || i;
    INSERT INTO billstack_internal.project_entitlement SELECT id, 'ent_shared', 'cus_shared', 'export' FROM billstack_internal.integration WHERE team = 'team_' || i;
    PERFORM billstack.map_account('team_' || i, 'cus_shared', 'account of ' || i);
    PERFORM billstack.grant_access(('role_' || i)::regrole, 'app', 'team_' || i);
    INSERT INTO public.kind (name, key) SELECT i, billstack.create_api_key('team_' || i, 'x') ->> 'rawKey';
END LOOP; END \$\$;
UPDATE public.call SET arguments = replace(arguments, '''pc_live_'' || right(%s, 1)', '''pc_'' || substr(%s, 6)');
GRANT SELECT ON public.kind TO PUBLIC;});
my ($pairs, $own) = (0, 0);
for my $asker (1 .. $teams)
{
	for my $who ("SET LOCAL ROLE role_$asker", "SELECT billstack.authenticate(key) FROM public.kind WHERE name = '$asker'")
	{
		my $what = $who =~ /ROLE/ ? 'role' : 'key';
		$node->safe_psql('postgres', "BEGIN; $who; INSERT INTO public.crossing
			SELECT '$what', 'team $asker', c.function, 'proj_' || t, public.tried(c.function, c.arguments, 'proj_' || t) FROM generate_series(1, $teams) AS t, public.call AS c
			 WHERE c.function NOT IN ('link_project', 'unlink_project', 'relink_project'); COMMIT");
	}
	my $views = $node->safe_psql('postgres', "BEGIN; SET LOCAL ROLE role_$asker; SELECT (SELECT string_agg(DISTINCT team, ' ') FROM billstack.mrr), (SELECT string_agg(team || account_ref, ' ') FROM billstack.billing_health)");
	is($views, "team_$asker|team_${asker}account of $asker", "views show role $asker its team only");
}
is($node->safe_psql('postgres', q{SELECT string_agg(format('%s of %s reaches %s: %s %s', what, asked_by, project, function, answer), E'\n')
	FROM public.crossing WHERE 'proj_' || substr(asked_by, 6) <> project AND answer <> CASE WHEN function LIKE 'has\_%' THEN 'false' ELSE 'unknown' END}), '', 'no crossing');
is($node->safe_psql('postgres', q{SELECT string_agg(format('%s of %s does not reach %s: %s %s', what, asked_by, project, function, answer), E'\n')
	FROM public.crossing WHERE 'proj_' || substr(asked_by, 6) = project AND answer <> CASE WHEN function LIKE 'has\_%' THEN 'true' ELSE 'yes' END}), '', 'each reaches its own');
my $asked = $node->safe_psql('postgres', 'SELECT count(*) FROM public.crossing');
cmp_ok($asked, '>=', 2 * $teams * $teams * (@functions - 3), "$asked calls between $teams teams");

$node->stop;
done_testing();
