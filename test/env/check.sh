#!/bin/bash
# Runs stages of the tests and adds up their results; a stage that fails does not hide the others.
# Usage: check.sh [--long] STAGE...
#   deps         install missing packages     regress   pg_regress in a private cluster
#   house        test/check/*.sh              tap       test/t/*.pl
#   build        extension, copied server, unit tests, simulator (build-cmake: the last two)
#   unit         ctest                        sanitize  ctest again under ASan and UBSan
#   fuzz         test/fuzz/run.sh
# TESTS='...' narrows the one stage it is used with.
. "$(dirname "$0")/common.sh"

if [ "${1:-}" = --long ]; then
    export BILLSTACK_LONG=1
    shift
fi
passed=0 failed=0 failed_stages=
logs=$build/check

heading() { printf '\n== %s ==\n' "$*"; }
count() { passed=$((passed + $1)) failed=$((failed + $2)); }

# A step that is either right or wrong: run it, show its output only if it fails.
step() {
    local name=$1 start=$SECONDS
    shift
    if "$@" >"$logs/$name.log" 2>&1; then
        printf 'ok    %s (%d s)\n' "$name" $((SECONDS - start))
        count 1 0
    else
        printf 'FAIL  %s (%d s), last lines of %s:\n' "$name" $((SECONDS - start)) "$logs/$name.log"
        tail -n 40 "$logs/$name.log"
        count 0 1
    fi
}

# Runs a script whose last line is "N passed, M failed".
counted() {
    local name=$1 last
    shift
    "$@" 2>&1 | tee "$logs/$name.log" || true
    last=$(tail -n 1 "$logs/$name.log")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    else
        echo "FAIL  $name ended without a result"
        count 0 1
    fi
}

build_cmake() {     # build_cmake DIR FLAG...
    local dir=$1
    shift
    cmake -S "$top" -B "$dir" "$@" && cmake --build "$dir" -j "$jobs" -- -k
}

run_ctest() {       # run_ctest DIR: ctest's summary as a line of ours
    local dir=$1 summary failures cases
    ctest --test-dir "$dir" --output-on-failure -j "$jobs" ${TESTS:+-R "$TESTS"} >"$dir/ctest.log" 2>&1 || true
    summary=$(sed -n 's/.* \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$dir/ctest.log")
    grep -vE '^ *(Start|[0-9]+/[0-9]+ Test .*Passed)' "$dir/ctest.log" || true
    read -r failures cases <<<"${summary:-1 1}"
    echo "$((cases - failures)) passed, $failures failed"
}

# Not a step: what is installed, and why, is worth reading.
stage_deps() {
    if "$top/test/env/install_deps.sh"; then count 1 0; else count 0 1; fi
}

stage_house() {
    local check
    for check in "$top"/test/check/*.sh; do
        # shellcheck disable=SC2053 # a pattern
        if [[ -n ${TESTS:-} && $(basename "$check" .sh) != $TESTS ]]; then continue; fi
        step "$(basename "$check" .sh)" "$check"
    done
}

stage_build-cmake() { step cmake build_cmake "$build/cmake"; }

stage_build() {
    step extension make -C "$top" -j "$jobs" all
    step bridge-module make -C "$top" -j "$jobs" -f test/bridge/module.mk
    step server-copy "$top/test/env/server_tree.sh"
    stage_build-cmake
    if [ "$(id -u)" = 0 ]; then chmod -R a+rX "$build/cmake" "$build/server"; fi
}

stage_unit() { counted unit run_ctest "$build/cmake"; }

stage_sanitize() {
    step cmake-sanitize build_cmake "$build/cmake-sanitize" -DBILLSTACK_SANITIZE=ON
    counted sanitize run_ctest "$build/cmake-sanitize"
}

stage_fuzz() { counted fuzz "$top/test/fuzz/run.sh"; }

# shellcheck disable=SC2086 # TESTS is a list of words
stage_regress() { counted regress "$top/test/env/regress.sh" ${TESTS:-}; }

# shellcheck disable=SC2086
stage_tap() { counted tap "$top/test/env/tap.sh" ${TESTS:-}; }

[ $# -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
arguments=("$@")
if [ "${BILLSTACK_LONG:-}" = 1 ]; then arguments=(--long "$@"); fi
# Packages first: they bring the user that servers run as.
if [ "$1" = deps ] && ! getent passwd "$server_user" >/dev/null; then "$top/test/env/install_deps.sh"; fi
case " $* " in
*" regress "* | *" tap "*) continue_where_the_server_can_read test/env/check.sh "${arguments[@]}" ;;
esac

one_at_a_time check
mkdir -p "$logs"
cd "$top"
for stage in "$@"; do
    before=$failed start=$SECONDS
    heading "$stage"
    "stage_$stage" 3>&-
    if [ "$failed" != "$before" ]; then failed_stages="$failed_stages $stage"; fi
    printf -- '-- %s: %d s\n' "$stage" $((SECONDS - start))
done

if [ -n "$failed_stages" ]; then printf '\nFailed:%s (logs in %s)\n' "$failed_stages" "$logs"; fi
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
