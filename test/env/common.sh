# Sourced by the scripts of test/env and test/demo: where things are, who runs servers, how to speak.
# Everything they make stays under build/ of the checkout.
# shellcheck shell=bash disable=SC2034 # variables are for those who source this

set -euo pipefail
umask 022   # the server's user must be able to read what root builds

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
build=$top/build
export PG_CONFIG=${PG_CONFIG:-pg_config}
jobs=${JOBS:-$(nproc)}
unset MAKEFLAGS MFLAGS MAKELEVEL
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGDATA

note() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root: then servers and tests run as the packages' user postgres.
server_user=$(id -un) as_server=(env)
if [ "$(id -u)" = 0 ]; then
    server_user=postgres
    as_server=(env HOME=/var/lib/postgresql setpriv --reuid=postgres --regid=postgres --init-groups --)
fi
as_server() { "${as_server[@]}" "$@"; }

# one_at_a_time NAME: two runs of the same thing in one checkout would tread on each other. The lock ends
# with this shell; what lives longer must not inherit it and is started with 3>&-.
one_at_a_time() {
    mkdir -p "$build"
    exec 3>"$build/$1.lock"
    flock -n 3 && return
    note "Waiting for another make $1 of this checkout to end ..."
    flock 3
}

# A folder that the server's user may write, parents included being root's.
server_dir() {
    mkdir -p "$1"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$1"; fi
}

# The server's programs in the private copy made by server_tree.sh.
server_bin() { printf '%s%s\n' "$build/server" "$("$PG_CONFIG" --bindir)"; }

pg_regress_program() { printf '%s/../test/regress/pg_regress\n' "$(dirname "$("$PG_CONFIG" --pgxs)")"; }

simulator=$build/cmake/test/stripe_sim/stripe_sim

# start_simulator DIR FLAG...: starts it in DIR and waits for its port, which is printed.
start_simulator() {
    local dir=$1 i
    shift
    [ -x "$simulator" ] || die "the Stripe simulator is not built ($simulator)"
    stop_simulator "$dir"
    rm -f "$dir/sim.port"
    # Not the function: $! has to be the simulator itself.
    "${as_server[@]}" "$simulator" --port 0 --port-file "$dir/sim.port" "$@" \
        </dev/null >"$dir/sim.log" 2>&1 3>&- &
    echo $! >"$dir/sim.pid"
    for ((i = 0; i < 600; i++)); do
        if [ -s "$dir/sim.port" ]; then
            cat "$dir/sim.port"
            return
        fi
        kill -0 "$(cat "$dir/sim.pid")" 2>/dev/null || break
        sleep 0.1
    done
    cat "$dir/sim.log" >&2
    die "the Stripe simulator did not start"
}

stop_simulator() {
    local pid
    pid=$(cat "$1/sim.pid" 2>/dev/null) || return 0
    # Only if the number still belongs to a simulator.
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = stripe_sim ]; then
        kill "$pid" 2>/dev/null || true
        while [ -e "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do sleep 0.05; done
    fi
    rm -f "$1/sim.pid"
}

# continue_where_the_server_can_read SCRIPT ARG...: a checkout under a closed folder such as /root cannot
# be entered by the user postgres; then SCRIPT is started anew on a copy, remembered in build/elsewhere.
continue_where_the_server_can_read() {
    local script=$1 copy
    shift
    if as_server test -r "$top/billstack.control" -a -x "$top/test/env"; then
        mkdir -p "$build"
        chmod a+rx "$build"
        return
    fi
    copy=$(cat "$build/elsewhere" 2>/dev/null || true)
    if [ -z "$copy" ] || [ ! -O "$copy" ]; then
        copy=$(mktemp -d /var/tmp/billstack.XXXXXX)
        chmod 755 "$copy"
        mkdir -p "$build"
        echo "$copy" >"$build/elsewhere"
    fi
    note "The user postgres cannot enter $top: working on a copy in $copy (make clean removes it)."
    find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    tar -C "$top" --exclude=./build --exclude=./.git --mode=a+rX -cf - . | tar -C "$copy" --no-same-owner -xf -
    cd "$copy"
    exec "$copy/$script" "$@"
}
