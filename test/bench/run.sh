#!/bin/bash
# Measures and prints; nothing here passes or fails. What is measured and how stands in docs/benchmark.md.
# Usage: run.sh [--rounds N] [--customers N] [--workers N] [--large]
#        3 rounds; 10000 customers: 88,080 objects; billstack.workers: 1;
#        --large: afterwards an account ten times as large, copied once
. "$(dirname "$0")/../env/common.sh"

rounds=3 customers=10000 workers=1 large=
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --customers) customers=$2; shift 2 ;;
    --workers) workers=$2; shift 2 ;;
    --large) large=yes; shift ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2 ;;
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

sql() {
    as_server "$(server_bin)/psql" -h "$("$top/test/env/cluster.sh" host "$dir")" -U postgres -d postgres \
        -X -q -A -t -v ON_ERROR_STOP=1 -v key="$key" -v dir="$dir" -v cpu="$here/cpu.sh" \
        -v postmaster="${postmaster-}" -v ticks="$(getconf CLK_TCK)" "$@"
}

start() { # start CUSTOMERS: simulator and server, anew
    finish
    server_dir "$dir"
    port=$(start_simulator "$dir" --seed 11 --key "$key" --customers "$1" --products 20 --prices 60 \
        --subscriptions $(($1 * 8 / 10)) --invoices $(($1 * 3)) --charges $(($1 * 4)))
    printf "billstack.api_base = 'http://127.0.0.1:%s'\nbillstack.workers = %s\n" "$port" "$workers" >"$dir/stripe.conf"
    "$top/test/env/cluster.sh" start "$dir" "$here/server.conf" "$dir/stripe.conf"
    sql -c 'CREATE EXTENSION billstack' -f "$here/baseline.sql"
    postmaster=$(as_server head -n 1 "$dir/data/postmaster.pid")
    "$here/peak_memory.sh" "$postmaster" "$dir/peak_memory" </dev/null >/dev/null 2>&1 3>&- &
}

copy() { # copy ROUND: into an empty mirror, and once more
    sql -c 'SET client_min_messages = warning' \
        -c "SELECT billstack.disconnect('bench') WHERE EXISTS (SELECT FROM billstack.integrations WHERE team = 'bench')" \
        -c "SELECT billstack.connect('bench', '$key')" -c CHECKPOINT >/dev/null
    sql -v round="$1" -v what='billstack, first copy' -f "$here/copy.sql"
    sql -v round="$1" -v what='billstack, unchanged account' -f "$here/copy.sql"
}

print_memory() { printf '  peak private memory of the worker: %s MiB\n' $((($(cat "$dir/peak_memory") + 512) / 1024)); }

start "$customers"
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
    copy "$round"
    sql -c "SELECT format('  round %s: %s', round, string_agg(format('%s %s', what, round(objects / seconds)), ' | ' ORDER BY what DESC))
              FROM bench.figure WHERE round = $round GROUP BY round"
done
sql -f "$here/report.sql"
print_memory

if [ -n "$large" ]; then
    echo "An account ten times as large:"
    start $((customers * 10))
    copy 1
    sql -c "SELECT format('  %s objects', max(objects)) FROM bench.figure" -f "$here/report.sql"
    print_memory
fi
