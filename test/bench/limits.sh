#!/bin/bash
# How near the copy of an account comes to what Stripe's limits allow; nothing here passes or fails. What
# is measured and how stands in docs/benchmark.md. BILLSTACK_SIZE=10 takes an account ten times as large.
# Usage: limits.sh [live|test|sim]    default all three; sim: what the simulator itself can serve
. "$(dirname "$0")/../env/common.sh"

modes=${1:-sim live test}
size=$((10000 * ${BILLSTACK_SIZE:-1}))
latency=150
here=$top/test/bench
dir=$build/bench-limits
one_at_a_time bench-limits

finish() {
    stop_simulator "$dir" # first: its number is in the folder
    "$top/test/env/cluster.sh" destroy "$dir"
}
trap finish EXIT

sql() {
    as_server "$(server_bin)/psql" -h "$("$top/test/env/cluster.sh" host "$dir")" -U postgres -d postgres \
        -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

measure() { # measure MODE REQUESTS/S REQUESTS/S-OF-AN-OPERATION
    local key="sk_$1_benchmarkaccount000" port
    finish
    server_dir "$dir"
    port=$(start_simulator "$dir" --seed 11 --key "$key" --customers "$size" --products 20 --prices 60 \
        --subscriptions $((size * 8 / 10)) --invoices $((size * 3)) --charges $((size * 4)) \
        --latency-ms "$latency" --rate-limit "$2" --endpoint-rate-limit "$3")
    # The settings are those that a user has: Stripe's limits by the key's mode.
    printf "billstack.api_base = 'http://127.0.0.1:%s'\nbillstack.rate_limit = -1\nbillstack.endpoint_rate_limit = -1\n%s\n" \
        "$port" "${BILLSTACK_CONF:-}" >"$dir/stripe.conf"
    "$top/test/env/cluster.sh" start "$dir" "$here/server.conf" "$dir/stripe.conf"
    sql -v key="$key" >/dev/null <<'SQL'
CREATE EXTENSION billstack;
SELECT billstack.connect('bench', :'key');
SQL
    as_server perl "$here/limits.pl" reset "$port"
    sql -c "CALL billstack.run_backfill('bench')" >/dev/null 2>&1 || die "the copy failed"
    sql -c "SELECT object || ' ' || synced FROM billstack.sync_progress WHERE team = 'bench'" >"$dir/objects"
    as_server perl "$here/limits.pl" report "$port" "$dir/objects" "$2" "$3"
}

measure_simulator() {
    local port
    finish
    server_dir "$dir"
    port=$(start_simulator "$dir" --seed 11 --key sk_test_benchmarkaccount000 --customers 10000 --invoices 30000)
    as_server "$build/cmake/test/bench/sim_pages" "$port" sk_test_benchmarkaccount000 "$(cat "$dir/sim.pid")"
}

for mode in $modes; do
    case $mode in
    sim) measure_simulator ;;
    live) measure live 100 25 ;;
    test) measure test 25 25 ;;
    *) sed -n '4s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
