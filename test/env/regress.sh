#!/bin/bash
# pg_regress in a private cluster that preloads billstack and talks to the simulator. Prints as its last
# line how many tests passed and failed. Differences are left in build/regress/regression.diffs.
# Usage: regress.sh [TOPIC...]    default: all of test/regress.schedule
. "$(dirname "$0")/common.sh"

dir=$build/regress
cluster=$top/test/env/cluster.sh
"$cluster" destroy "$dir"
server_dir "$dir"
trap '"$cluster" stop "$dir"; stop_simulator "$dir"' EXIT

port=$(start_simulator "$dir" --seed 7 --customers 25 --config "$top/test/regress_sim.json")
echo "billstack.api_base = 'http://127.0.0.1:$port'" >"$dir/api_base.conf"
"$cluster" start "$dir" "$top/test/regress.conf" "$dir/api_base.conf"

tests=("$@")
if [ $# -eq 0 ]; then tests=(--schedule="$top/test/regress.schedule"); fi
as_server env BILLSTACK_SIM_PORT="$port" "$(pg_regress_program)" --bindir="$(server_bin)" \
    --inputdir="$top" --outputdir="$dir" --host="$("$cluster" host "$dir")" --port=5432 --user=postgres \
    --dbname=contrib_regression "${tests[@]}" 2>&1 | tee "$dir/regress.out" || true
if [ -s "$dir/regression.diffs" ]; then head -n 200 "$dir/regression.diffs"; fi

# PostgreSQL 15 prints "test name ... ok", later ones TAP.
passed=$(grep -cE '^(test .*|     [^ ].*)\.\.\. ok|^ok ' "$dir/regress.out" || true)
failed=$(grep -cE '\.\.\. FAILED|^not ok ' "$dir/regress.out" || true)
if [ "$((passed + failed))" = 0 ]; then failed=1; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
