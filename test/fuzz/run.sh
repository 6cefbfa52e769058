#!/bin/bash
# Builds the fuzz targets with clang and sanitizers and runs each for a time, from the corpora kept here.
# What is found goes to build/fuzz; with --merge what adds coverage is then taken into the corpora.
# Usage: run.sh [--merge] [TARGET...]    BILLSTACK_FUZZ_SECONDS=60 each; last line "N passed, N failed"
. "$(dirname "$0")/../env/common.sh"

merge=
if [ "${1:-}" = --merge ]; then merge=yes; shift; fi
targets=("$@")
[ $# -gt 0 ] || targets=(signature event response)
seconds=${BILLSTACK_FUZZ_SECONDS:-60}
dir=$build/fuzz
passed=0 failed=0
mkdir -p "$dir"

if ! command -v clang++ >/dev/null; then
    echo "clang++ is missing: BILLSTACK_LONG=1 make deps installs it"
    echo "0 passed, ${#targets[@]} failed"
    exit 1
fi
build_targets() {
    CXX=clang++ cmake -S "$top" -B "$build/cmake-fuzz" -DBILLSTACK_FUZZ=ON &&
        cmake --build "$build/cmake-fuzz" -j "$jobs" --target "${targets[@]/%/_fuzz}"
}
if ! build_targets >"$dir/build.log" 2>&1; then
    tail -n 30 "$dir/build.log"
    echo "0 passed, ${#targets[@]} failed"
    exit 1
fi

fuzz() {    # fuzz TARGET FLAG... FOLDER...: libFuzzer in the target's own folder
    local target=$1
    shift
    (cd "$dir/$target" && "$build/cmake-fuzz/test/fuzz/${target}_fuzz" -dict="$top/test/fuzz/$target.dict" \
        -max_len=4096 -timeout=10 -rss_limit_mb=1024 "$@")
}
for target in "${targets[@]}"; do
    mkdir -p "$dir/$target/found"
    if fuzz "$target" -max_total_time="$seconds" -print_final_stats=1 found "$top/test/fuzz/corpus/$target" \
        >"$dir/$target.log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok    %s: %s inputs in %s s\n' "$target" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$target.log")" "$seconds"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s: the input is in %s\n' "$target" "$dir/$target"
        grep -v '^#' "$dir/$target.log" | tail -n 40
    fi
    # edges only and short inputs: the corpora are to stay small
    [ -z "$merge" ] || fuzz "$target" -merge=1 -use_counters=0 -max_len=600 "$top/test/fuzz/corpus/$target" found \
        >>"$dir/$target.log" 2>&1
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
