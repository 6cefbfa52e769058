#!/bin/bash
# Measures and prints; nothing here passes or fails. What is measured and how stands in docs/benchmark.md.
# Usage: run.sh [--rounds N] [--customers N]    (3 rounds, 10000 customers: 88,080 objects)
. "$(dirname "$0")/../env/common.sh"

rounds=3 customers=10000
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --customers) customers=$2; shift 2 ;;
    *) sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done

here=$top/test/bench
dir=$build/bench
key=sk_test_benchmarkaccount000
one_at_a_time bench

finish() {
    stop_simulator "$dir" # first: its number is in the folder
    "$top/test/env/cluster.sh" destroy "$dir"
}
trap finish EXIT
finish
server_dir "$dir"

sql() {
    as_server "$(server_bin)/psql" -h "$("$top/test/env/cluster.sh" host "$dir")" -U postgres -d postgres \
        -X -q -A -t -v ON_ERROR_STOP=1 -v key="$key" -v dir="$dir" "$@"
}

port=$(start_simulator "$dir" --seed 11 --key "$key" --customers "$customers" --products 20 --prices 60 \
    --subscriptions $((customers * 8 / 10)) --invoices $((customers * 3)) --charges $((customers * 4)))
printf "billstack.api_base = 'http://127.0.0.1:%s'\n" "$port" >"$dir/stripe.conf"
"$top/test/env/cluster.sh" start "$dir" "$here/server.conf" "$dir/stripe.conf"
sql -c 'CREATE EXTENSION billstack' -f "$here/baseline.sql"

echo "Fetching the account's pages for the baseline ..."
server_dir "$dir/pages"
as_server perl "$here/fetch_pages.pl" "$port" "$key" "$dir/pages"
sql -f "$here/load_pages.sql"
sql -c "SELECT format('  %s objects in %s pages, %s MB', sum(objects), count(*), sum(length(body)) / 1000000) FROM bench.page"

echo "Per object, pure C++ (one thread):"
"$build/cmake/test/bench/page_bench" | sed 's/^/  /'

echo "Copying into an empty mirror, no latency, no limits (objects/s):"
for ((round = 1; round <= rounds; round++)); do
    sql -v round="$round" -f "$here/round.sql"
done
sql -f "$here/report.sql"
