#!/bin/bash
# What "make bench" runs: builds, makes the private copy of the server and starts test/bench/run.sh (the
# copy of an account), test/bench/limits.sh (the same within Stripe's limits), test/bench/events.sh (the
# inbox) and test/bench/billing.sh (calls), which find both where test/env/common.sh says.
# Usage: bench.sh [ARGUMENT of run.sh...]    BENCH=copy[:large], limits, events[:PARTS] or billing runs one of them
. "$(dirname "$0")/common.sh"

"$top/test/env/install_deps.sh" demo
continue_where_the_server_can_read test/env/bench.sh "$@"
mkdir -p "$build"
{
    make -C "$top" -j "$jobs" all
    "$top/test/env/server_tree.sh"
    cmake -S "$top" -B "$build/cmake"
    cmake --build "$build/cmake" -j "$jobs"
} >"$build/bench-build.log" 2>&1 || { tail -n 30 "$build/bench-build.log" >&2; die "the build failed"; }
case ${BENCH:=all} in all | copy | copy:large | limits | events | events:* | billing) ;; *) die "BENCH is copy[:large], limits, events, events:PARTS or billing" ;; esac
if [ "$BENCH" = all ] || [ "$BENCH" = copy ]; then "$top/test/bench/run.sh" "$@"; fi
if [ "$BENCH" = copy:large ]; then "$top/test/bench/run.sh" --large "$@"; fi
if [ "$BENCH" = all ] || [ "$BENCH" = limits ]; then "$top/test/bench/limits.sh"; fi
if [[ $BENCH == events:* ]]; then
    "$top/test/bench/events.sh" "${BENCH#events:}"
elif [ "$BENCH" = all ] || [ "$BENCH" = events ]; then
    "$top/test/bench/events.sh"
fi
if [ "$BENCH" = all ] || [ "$BENCH" = billing ]; then "$top/test/bench/billing.sh"; fi
