#!/bin/bash
# Installs the Debian packages that are missing, and only those, saying which and why.
# No database cluster is created, and apt packages are all that changes.
# Usage: install_deps.sh [--check] [demo]
#   demo     only what building and the demo need, without the tests' packages
#   --check  only lists what is missing (exit 1 if anything is)
. "$(dirname "$0")/common.sh"

check=
if [ "${1:-}" = --check ]; then check=yes; shift; fi
purpose=${1:-everything}

command -v dpkg-query >/dev/null ||
    die "this is not a Debian system: install the packages named in $0 by your system's means"

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The server's major version: that of PG_CONFIG if there is one, else the release's default.
find_major() {
    major=$("$PG_CONFIG" --version 2>/dev/null | sed 's/^PostgreSQL \([0-9]*\).*/\1/' || true)
    [ -n "$major" ] || major=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
    [ -n "$major" ] || major=15
}
server_packages() {
    printf '%s|%s\n' \
        "postgresql-$major" "the server that demo and tests copy" \
        "postgresql-server-dev-$major" "headers, PGXS, pg_regress, PostgreSQL::Test"
}

wanted() {
    cat <<'END'
g++|the compiler
cmake|builds the unit tests and the Stripe simulator
pkg-config|finds jansson for CMake
libcurl4-openssl-dev|HTTP
libssl-dev|sealing of keys
libjansson-dev|JSON
libsimdjson-dev|JSON of whole pages
libgtest-dev|C++ unit tests, and CMake asks for it
ca-certificates|certificates to trust when Stripe itself is called
END
    server_packages
    [ "$purpose" != demo ] || return 0
    cat <<'END'
libipc-run-perl|TAP tests
libcpanel-json-xs-perl|compares mirrors with the simulator field by field
END
    if ! command -v node >/dev/null; then echo "nodejs|Stripe's own library tries the simulator"; fi
    if ! command -v npm >/dev/null; then echo "npm|fetches Stripe's own library"; fi
    if [ "${BILLSTACK_LONG:-}" = 1 ]; then
        echo "clang|builds the fuzz targets of make check-long"
        echo "libclang-rt-dev|libFuzzer and the sanitizers of clang"
    fi
}

list_missing() {
    while IFS='|' read -r package why; do
        installed "$package" || printf '%s|%s\n' "$package" "$why"
    done < <(wanted)
}

find_major
missing=$(list_missing)
[ -n "$missing" ] || exit 0
if [ -n "$check" ]; then
    printf '%s\n' "$missing" | sed 's/^\([^|]*\)|/\1: /'
    exit 1
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "packages are missing; run this as root or install sudo:" $'\n'"$missing"
    as_root=(sudo)
fi

"${as_root[@]}" apt-get -qq update || note "apt-get update failed; trying with the lists there are"
find_major      # the lists may only now tell the server's version
missing=$(list_missing)
mkdir -p "$build"
note "Installing the Debian packages that are missing (a few minutes on a bare machine):"
printf '%s\n' "$missing" | awk -F'|' '{ printf "  %-26s %s\n", $1, $2 }' >&2
mapfile -t packages < <(cut -d'|' -f1 <<<"$missing")

# Debian's server package creates and starts a cluster of its own unless told otherwise. It is told by a
# file that is there only during the installation.
no_cluster=
if ! installed "postgresql-$major"; then
    no_cluster=/etc/postgresql-common/createcluster.d/billstack-install.conf
    had_dir=
    if [ -d "${no_cluster%/*}" ]; then had_dir=yes; fi
    undo() {
        "${as_root[@]}" rm -f "$no_cluster"
        [ -n "$had_dir" ] || "${as_root[@]}" rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
    }
    trap undo EXIT
    "${as_root[@]}" mkdir -p "${no_cluster%/*}"
    echo "create_main_cluster = false" | "${as_root[@]}" tee "$no_cluster" >/dev/null
fi

"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${packages[@]}" </dev/null >"$build/apt.log" 2>&1 || {
    tail -n 20 "$build/apt.log" >&2
    die "apt-get could not install the packages (all of its words: $build/apt.log)"
}
note "Installed."
