#!/bin/bash
# What a call to Stripe costs beside Stripe's own time; nothing here passes or fails. What is measured and
# how stands in docs/benchmark.md.
# Usage: billing.sh [CALLS]    default 300
. "$(dirname "$0")/../env/common.sh"

calls=${1:-300}
latency=20
here=$top/test/bench
dir=$build/bench-billing
key=sk_test_benchmarkaccount000
one_at_a_time bench-billing

finish() {
    stop_simulator "$dir" # first: its number is in the folder
    "$top/test/env/cluster.sh" destroy "$dir"
}
trap finish EXIT
finish
server_dir "$dir"

sql() {
    as_server "$(server_bin)/psql" -h "$host" -U postgres -d postgres -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

# About 100,000 objects: a copy that takes longer than the calls beside it.
port=$(start_simulator "$dir" --seed 11 --key "$key" --customers 20000 --products 20 --prices 60 \
    --subscriptions 16000 --invoices 30000 --charges 30000)
printf "billstack.api_base = 'http://127.0.0.1:%s'\n" "$port" >"$dir/stripe.conf"
"$top/test/env/cluster.sh" start "$dir" "$here/server.conf" "$dir/stripe.conf"
host=$("$top/test/env/cluster.sh" host "$dir")
sql -v key="$key" >/dev/null <<'SQL'
CREATE EXTENSION billstack;
SELECT billstack.connect('bench', :'key');
SELECT billstack.create_project('bench', 'Bench', id => 'proj_bench');
CREATE TABLE public.shop AS
SELECT c #>> '{customer,id}' AS customer, c #>> '{customer,stripeCustomerId}' AS stripe_customer,
       billstack.create_product('proj_bench', 'Gold') #>> '{product,id}' AS product, NULL::text AS price, NULL::text AS stripe_price
  FROM billstack.create_customer('proj_bench', 'buyer@example.com') AS c;
CREATE TABLE public.written (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
UPDATE public.shop SET price = p #>> '{price,id}', stripe_price = p #>> '{price,stripePriceId}'
  FROM (SELECT billstack.create_price('proj_bench', product, 2000, 'usd', 'month') AS p FROM public.shop) AS made;
SQL
read -r customer stripe_customer price stripe_price <<<"$(sql -F ' ' -c 'SELECT customer, stripe_customer, price, stripe_price FROM public.shop')"
cat >"$dir/checkout.sql" <<SQL
SELECT billstack.create_checkout('proj_bench', '$customer', '$price', 'https://x.example/{CHECKOUT_SESSION_ID}', 'https://x.example');
SQL
echo 'INSERT INTO public.written DEFAULT VALUES;' >"$dir/commit.sql"
chmod a+r "$dir"/*.sql
latency_file=$dir/latency.json
echo "{\"ms\": $latency}" >"$latency_file"
as_server perl "$here/post.pl" "$port" /_sim/latency "$latency_file" "$dir/latency.out"

percentiles() { # percentiles < MICROSECONDS: "p50 p95" in ms
    sort -n | awk '{ v[NR] = $1 } END { printf "%.2f %.2f\n", v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.95 + 0.5)] / 1000 }'
}
# Client-seen times of single-statement transactions over one connection.
client_times() { # client_times FILE COUNT
    rm -f "$dir"/log.*
    (cd "$dir" && as_server "$(server_bin)/pgbench" -h "$host" -U postgres -n -c 1 -t "$2" -l --log-prefix="$dir/log" \
        -f "$dir/$1.sql" postgres >"$dir/pgbench.out" 2>&1) || die "pgbench failed: $(tail -n 3 "$dir/pgbench.out")"
    awk '{ print $3 }' "$dir"/log.* | percentiles
}
stripe_times() { as_server perl "$here/post_times.pl" "$port" "$key" "$calls" "$stripe_customer" "$stripe_price" | percentiles; }
report() { # report WHAT P50 P95 [STRIPE-P50 STRIPE-P95]
    awk -v what="$1" -v p50="$2" -v p95="$3" -v s50="${4:-}" -v s95="${5:-}" 'BEGIN {
        printf "  %-44s p50 %6.2f ms, p95 %6.2f ms", what, p50, p95
        if (s50 != "") printf "; on top of Stripe p50 %6.2f ms, p95 %6.2f ms", p50 - s50, p95 - s95
        print "" }'
}

echo "create_checkout, $calls calls over one connection, Stripe simulated with $latency ms:"
client_times checkout 20 >/dev/null # connections are open, plans are made
read -r p50 p95 <<<"$(client_times commit "$calls")"
report 'one row inserted and committed, by itself' "$p50" "$p95"
read -r stripe50 stripe95 <<<"$(stripe_times)"
report 'a POST to Stripe by itself' "$stripe50" "$stripe95"
read -r p50 p95 <<<"$(client_times checkout "$calls")"
report 'create_checkout' "$p50" "$p95" "$stripe50" "$stripe95"
# What Stripe takes while it is read from is Stripe's time too.
sql -c "SELECT billstack.backfill('bench')" >/dev/null
read -r stripe50 stripe95 <<<"$(stripe_times)"
report 'a POST to Stripe while a backfill runs' "$stripe50" "$stripe95"
read -r p50 p95 <<<"$(client_times checkout "$calls")"
report 'create_checkout while a backfill runs' "$p50" "$p95" "$stripe50" "$stripe95"
if [ "$(sql -c "SELECT billstack.status('bench') ->> 'syncStatus'")" != syncing ]; then
    echo '  (the backfill ended before the calls: take fewer calls)'
fi

subscriptions=${BILLSTACK_SUBSCRIPTIONS:-1000000}
echo "A team of $subscriptions subscriptions, medians of five:"
sql -c 'CREATE DATABASE figures'
sql -d figures -c 'CREATE EXTENSION billstack' -v n="$subscriptions" -f "$here/billing_load.sql"
sql -d figures -f "$here/billing_analytics.sql" 2>&1 | sed -n 's/^.*NOTICE: *//p' | sed 's/^/  /'
sql -d figures -f "$here/billing_plans.sql" >"$build/bench-billing-plans.txt"
echo "  plans are in build/bench-billing-plans.txt"
