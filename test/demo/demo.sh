#!/bin/bash
# From a bare machine to a mirrored Stripe account: what "make demo" runs. Everything it makes is under
# build/, apart from Debian packages.
# Usage: demo.sh             build, start a private server, connect, backfill, look
#        demo.sh --clean     stop the server and the simulator, remove their files
# Environment: STRIPE_SECRET_KEY=sk_test_... takes real Stripe instead of the simulator (test keys only)
#              DEMO_CUSTOMERS=n  size of the simulated account (1000)
. "$(dirname "$0")/../env/common.sh"

here=$top/test/demo
env_dir=$top/test/env
dir=$build/demo
customers=${DEMO_CUSTOMERS:-1000}

clean() {
    local copy
    copy=$(cat "$build/elsewhere" 2>/dev/null || true)
    if [ -x "$copy/test/demo/demo.sh" ]; then "$copy/test/demo/demo.sh" --clean --quiet; fi
    if [ -d "$dir" ]; then
        "$env_dir/cluster.sh" stop "$dir"
        stop_simulator "$dir"
        "$env_dir/cluster.sh" destroy "$dir"
    fi
    [ "${1:-}" = --quiet ] || echo "The demo is gone."
}

# --- speaking ---------------------------------------------------------------------------------------

bold='' dim='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi
section() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

now_ms() { date +%s%3N; }
seconds_since() { awk -v ms=$(($(now_ms) - $1)) 'BEGIN { printf "%.1f s", ms / 1000 }'; }

# doing TEXT COMMAND...: one line for a step, its output only if it fails.
doing() {
    local text=$1 start
    shift
    start=$(now_ms)
    printf '  %-52s' "$text"
    if ! "$@" >"$build/demo-step.log" 2>&1; then
        printf 'failed\n\n'
        tail -n 30 "$build/demo-step.log"
        exit 1
    fi
    printf '%s%8s%s\n' "$dim" "$(seconds_since "$start")" "$plain"
}

# --- steps ------------------------------------------------------------------------------------------

build_simulator() {
    cmake -S "$top" -B "$build/cmake" && cmake --build "$build/cmake" --target stripe_sim -j "$jobs"
}

start_stripe() {
    if [ -n "$real" ]; then
        : >"$dir/stripe.conf"
    else
        local port
        # Each answer takes as long as a quick one of Stripe's, so that there is progress to watch.
        port=$(start_simulator "$dir" --seed 42 --key "$STRIPE_SECRET_KEY" --latency-ms 60 --customers "$customers" \
            --products 20 --prices 60 --subscriptions $((customers * 6 / 5)) \
            --invoices $((customers * 6)) --charges $((customers * 6))) || exit 1
        printf "billstack.api_base = 'http://127.0.0.1:%s'\nbillstack.rate_limit = 0\n" "$port" >"$dir/stripe.conf"
    fi
}

start_server() { "$env_dir/cluster.sh" start "$dir" "$here/demo.conf" "$dir/stripe.conf"; }

psql_command() { printf '%s -h %s -U postgres %s' "$1" "$("$env_dir/cluster.sh" host "$dir")" "$2"; }

# psql reads its commands from stdin; the key reaches it through the environment, never as an argument.
sql() {
    # shellcheck disable=SC2046 # words wanted
    as_server $(psql_command "$(server_bin)/psql" "${database:-demo}") -X -q -v ON_ERROR_STOP=1 \
        -P pager=off -P linestyle=unicode -P border=1 -P footer=off
}

make_database() { echo 'CREATE DATABASE demo' | database=postgres sql && echo 'CREATE EXTENSION billstack' | sql; }

indent() { sed -u 's/^/  /'; }
progress() { sed -u -e 's/^NOTICE: */  /' -e 's/^psql:<stdin>:[0-9]*: NOTICE: */  /'; }

# --- the demo ---------------------------------------------------------------------------------------

case ${1:-} in
--clean) shift; one_at_a_time demo; clean "$@"; exit ;;
--help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit ;;
esac

real=${STRIPE_SECRET_KEY:-}
case $real in
'' | sk_test_* | rk_test_*) ;;
*) die "STRIPE_SECRET_KEY is not a test key (sk_test_... or rk_test_...); the demo takes no live keys" ;;
esac

"$env_dir/install_deps.sh" demo
continue_where_the_server_can_read test/demo/demo.sh
one_at_a_time demo
cd "$top"
# Only now: started anew on a copy, this script must not take the simulator's key for a real one.
export STRIPE_SECRET_KEY=${real:-sk_test_simulatedaccount}

section 'Preparing'
doing 'build the extension' make -j "$jobs" all
if [ -z "$real" ]; then doing 'build the Stripe simulator' build_simulator; fi
doing 'copy the PostgreSQL server, install the extension' "$env_dir/server_tree.sh"
clean --quiet
server_dir "$dir"
if [ -n "$real" ]; then
    start_stripe
else
    doing "simulate a Stripe account of $customers customers" start_stripe
fi
doing 'start a private server' start_server
doing 'create database demo, CREATE EXTENSION billstack' make_database

section "Connecting  SELECT billstack.connect('acme', 'sk_test_...')"
start=$(now_ms)
sql <"$here/connect.sql" 2>&1 | sed '/^$/d' | indent
printf '  %s%s%s\n' "$dim" "$(seconds_since "$start")" "$plain"

section "Copying the account  CALL billstack.run_backfill('acme')"
start=$(now_ms)
sql <"$here/backfill.sql" 2>&1 | progress
printf '  %s%s%s\n' "$dim" "$(seconds_since "$start")" "$plain"

sql <"$here/look.sql" 2>&1 | sed -u "s/^## \(.*\)/$bold\1$plain/; t; s/^/  /"

psql=psql
command -v psql >/dev/null || psql=$(server_bin)/psql
section 'Yours'
printf '  look around   %s\n' "$(psql_command "$psql" demo)"
printf '  remove it     make demo-clean\n'
