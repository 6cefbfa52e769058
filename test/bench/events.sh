#!/bin/bash
# The inbox's figures; nothing here passes or fails. What is measured and how stands in docs/benchmark.md.
# Usage: events.sh [PARTS]    PARTS: letters of a (drain) b (inserts) c (latency) d (ledger) e (snapshot)
. "$(dirname "$0")/../env/common.sh"

parts=${1:-abcde}
here=$top/test/bench
dir=$build/bench-events
programs=$build/cmake/test/bench
key=sk_test_benchmarkaccount000
one_at_a_time bench-events

finish() {
    stop_simulator "$dir" # first: its number is in the folder
    "$top/test/env/cluster.sh" destroy "$dir"
}
trap finish EXIT
finish
server_dir "$dir"

sql() {
    as_server "$(server_bin)/psql" -h "$host" -U postgres -d postgres \
        -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

port=$(start_simulator "$dir" --seed 11 --key "$key" --customers 4000 --products 20 --prices 60 \
    --subscriptions 3000 --invoices 6000 --charges 6000)
printf "billstack.api_base = 'http://127.0.0.1:%s'\n" "$port" >"$dir/stripe.conf"
"$top/test/env/cluster.sh" start "$dir" "$here/server.conf" "$dir/stripe.conf"
host=$("$top/test/env/cluster.sh" host "$dir")
conninfo="host=$host user=postgres dbname=postgres"

ask() { # ask PATH NAME: posts NAME.json, the answer goes to NAME.out
    as_server perl "$here/post.pl" "$port" "$1" "$dir/$2.json" "$dir/$2.out"
}

next=1 # the first event not yet delivered
make_deliveries() { # make_deliveries COUNT DUPLICATES
    sql -c "SELECT bench.changes($1)" | as_server tee "$dir/changes.json" >/dev/null
    ask /_sim/changes changes
    sql -c "SELECT bench.delivery_script($next, $2)" | as_server tee "$dir/deliveries.json" >/dev/null
    ask /_sim/deliveries deliveries
    next=$(sql -c "SELECT bench.load('$dir/deliveries.out')")
}

worker_pid() { sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'billstack%' AND datname = 'postgres'"; }
worker_cpu() { awk '{ print $14 + $15 }' "/proc/$(worker_pid)/stat"; } # ticks, as a rule 10 ms

note_rate() { # note_rate WHAT EVENTS SECONDS [CPU-SECONDS]
    sql -c "INSERT INTO bench.figure VALUES ('$1', $2 / $3::numeric, ${4:-NULL} * 1e6 / $2)"
}
drain() { # drain WHAT
    local cpu
    sql -c CHECKPOINT
    cpu=$(worker_cpu)
    sql -c "CALL bench.drain('$1')"
    cpu=$(($(worker_cpu) - cpu))
    sql -c "SELECT bench.note_cpu('$1', $cpu / $(getconf CLK_TCK).0)" >/dev/null
}

loop() { # loop WHAT SCHEMA SYNCHRONOUS_COMMIT
    local events seconds cpu
    sql -c CHECKPOINT
    read -r events seconds cpu < <(PGOPTIONS="-c synchronous_commit=$3" as_server "$programs/event_loop" "$conninfo" "$2")
    note_rate "$1" "$events" "$seconds" "$cpu"
}

part_a() {
    echo "(a) Events applied a second; 20 % of the deliveries are copies:"
    sql -c "CALL bench.copy_mirror('bench_loop')" -c "CALL bench.copy_mirror('bench_durable')"
    local round
    for round in 1 2 3; do
        make_deliveries 6000 0.2
        if ((round % 2)); then drain "billstack"; fi
        loop "loop" bench_loop off
        loop "loop, durable commits" bench_durable on
        if ((round % 2 == 0)); then drain "billstack"; fi
    done
    sql -c "SELECT bench.line('billstack', 'loop', ' aim 2')" \
        -c "SELECT bench.line('billstack', 'loop, durable commits')" \
        -c "SELECT format('  rows that differ from the loop''s: %s', count(*)) FROM
            (SELECT id, _raw::text FROM stripe_team_bench.invoices WHERE _source <> 'read'
             EXCEPT SELECT id, _raw::text FROM bench_loop.invoices) AS d"
}

worker() { as_server kill "-$1" "$(worker_pid)"; }

inserts() { # inserts WHAT inbox|plain ROWS
    local events seconds
    sql -c 'TRUNCATE bench.plain, billstack_internal.inbox, billstack_internal.event' -c CHECKPOINT
    read -r events seconds < <(as_server "$programs/event_clients" "$conninfo" inserts "$2" 8 "$3")
    note_rate "$1" "$events" "$seconds"
}

part_b() {
    echo "(b) Rows inserted a second by 8 clients, billstack.webhook_inbox beside a plain table:"
    make_deliveries 8000 0
    local round
    worker STOP
    for round in 1 2 3; do
        inserts "plain, 1 a commit" plain 1
        inserts "inbox, 1 a commit" inbox 1
        inserts "plain, 100 a commit" plain 100
        inserts "inbox, 100 a commit" inbox 100
    done
    sql -c 'TRUNCATE billstack_internal.inbox, billstack_internal.event'
    worker CONT
    for round in 1 2 3; do
        inserts "inbox, 1 a commit, worker applying" inbox 1
        inserts "inbox, 100 a commit, worker applying" inbox 100
    done
    wait_until_drained
    sql -c "SELECT bench.line('inbox, 1 a commit', 'plain, 1 a commit', ' aim 0.8')" \
        -c "SELECT bench.line('inbox, 100 a commit', 'plain, 100 a commit', ' aim 0.4')" \
        -c "SELECT bench.line('inbox, 1 a commit, worker applying', 'plain, 1 a commit')" \
        -c "SELECT bench.line('inbox, 100 a commit, worker applying', 'plain, 100 a commit')"
}

wait_until_drained() {
    while [ "$(sql -c 'SELECT EXISTS (SELECT FROM billstack_internal.inbox)')" = t ]; do sleep 0.1; done
}

part_c() {
    echo "(c) From the commit of an insert to the mirrored row being seen, idle otherwise:"
    make_deliveries 600 0
    as_server "$programs/event_clients" "$conninfo" latency 20 | as_server tee "$dir/latency" >/dev/null
    sql -c "SELECT format('  %s events: p50 %s ms, p99 %s ms (aim 10), most %s ms', count(*),
        round(percentile_cont(0.5) WITHIN GROUP (ORDER BY us)::numeric / 1000, 2),
        round(percentile_cont(0.99) WITHIN GROUP (ORDER BY us)::numeric / 1000, 2), round(max(us) / 1000, 2))
        FROM (SELECT us::numeric FROM regexp_split_to_table(rtrim(pg_read_file('$dir/latency'), E'\\n'), E'\\n') AS us) AS l"
}

bursts() { # bursts WHAT COUNT
    local i
    for ((i = 0; i < $2; i++)); do
        make_deliveries 4000 0
        drain "$1"
    done
}

part_d() {
    echo "(d) Events applied a second, by done events in the ledger:"
    sql -c 'TRUNCATE billstack_internal.event'
    make_deliveries 2000 0
    sql -c 'CALL bench.fill_ledger(10000)'
    bursts "after the filling" 1
    bursts "10 thousand done" 3
    sql -c 'CALL bench.fill_ledger(2000000)' -c 'VACUUM (FREEZE, ANALYZE) billstack_internal.event'
    bursts "after the filling" 1
    bursts "2 million done" 4
    sql -c 'TRUNCATE billstack_internal.event' -c 'CALL bench.fill_ledger(10000)'
    bursts "10 thousand done" 2
    sql -c "SELECT bench.line('2 million done', '10 thousand done', ' aim 0.9')"
}

part_e() {
    echo "(e) Events applied a second while another session holds a snapshot 60 s and older:"
    bursts "no snapshot" 3
    local start=$SECONDS
    sql -c "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM bench.figure; SELECT pg_sleep(600)" >/dev/null 2>&1 3>&- &
    while ((SECONDS - start < 60)); do bursts "snapshot younger than 60 s" 1; done
    bursts "snapshot of 60 s" 4
    sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN ISOLATION%'" >/dev/null
    wait || true
    bursts "no snapshot" 2
    sql -c "SELECT bench.line('snapshot of 60 s', 'no snapshot', ' aim 0.8')"
}

sql -c 'CREATE EXTENSION billstack' -f "$here/events.sql"
sql -c "SELECT billstack.connect('bench', '$key')" \
    -c "SELECT billstack.set_webhook_secret('bench', 'whsec_' || repeat('k', 32))" \
    -c 'SET client_min_messages = warning' -c "CALL billstack.run_backfill('bench')" \
    -c "SELECT setval('bench.second', extract(epoch FROM now())::bigint + 60)" -c 'VACUUM ANALYZE' >/dev/null
for ((i = 0; i < ${#parts}; i++)); do "part_${parts:i:1}"; done
