#!/bin/bash
# The tests of a whole server (test/t/*.pl), run against the copied server as the server's user. Prints as
# its last line how many subtests passed and failed. Logs are left in build/tap/tmp_check/log.
# Usage: tap.sh [FILE...]    default: test/t/*.pl; JOBS=n runs n files at a time
. "$(dirname "$0")/common.sh"

dir=$build/tap
rm -rf "$dir"
server_dir "$dir"

files=()
for file in "${@:-$top/test/t/*.pl}"; do
    # Unquoted on purpose: TESTS may hold patterns.
    for match in $file; do files+=("$(realpath "$match")"); done
done

server_bin=$(server_bin)
pgxs_perl=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl
cd "$dir"
as_server env \
    PATH="$server_bin:$PATH" \
    PERL5LIB="$top/test/perl:$pgxs_perl" \
    PG_REGRESS="$(pg_regress_program)" \
    TESTDIR="$dir" TESTDATADIR="$dir/tmp_check" TESTLOGDIR="$dir/tmp_check/log" top_builddir="$dir" \
    BILLSTACK_SOURCE="$top" BILLSTACK_SIM="$simulator" BILLSTACK_LONG="${BILLSTACK_LONG:-}" BILLSTACK_WRITE_EXPECTED="${BILLSTACK_WRITE_EXPECTED:-}" \
    PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-120}" \
    perl "$top/test/env/tap.pl" "${JOBS:-1}" "${files[@]}"
