#!/bin/bash
# A private cluster of the copied server (server_tree.sh). It listens only on a socket in a folder that its
# user alone may enter, so it disturbs no other cluster and needs no free port.
# Usage: cluster.sh start DIR [CONFIGURATION-FILE...]   makes it if need be, (re)starts it
#        cluster.sh stop DIR | destroy DIR
#        cluster.sh host DIR                            prints what psql -h needs
. "$(dirname "$0")/common.sh"

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
act=$1 dir=$(mkdir -p "$2" && cd "$2" && pwd -P)
shift 2
bin=$(server_bin)

host() { cat "$dir/host"; }

make_cluster() {
    server_dir "$dir"
    as_server "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
        >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; die "initdb failed"; }
    local socket=$dir/socket
    # A socket's path has 107 bytes at most.
    if [ ${#socket} -gt 85 ]; then socket=$(mktemp -d /tmp/billstack.XXXXXX); fi
    server_dir "$socket"
    chmod 700 "$socket"
    echo "$socket" >"$dir/host"
    echo "include_if_exists = '../server.conf'" >>"$dir/data/postgresql.conf"
}

start_cluster() {
    [ -x "$bin/postgres" ] || die "there is no copied server; run test/env/server_tree.sh"
    [ -f "$dir/data/PG_VERSION" ] || make_cluster
    stop_cluster
    { printf "listen_addresses = ''\nunix_socket_directories = '%s'\nport = 5432\n" "$(host)"
      printf "log_line_prefix = '%%m %%b[%%p] %%d '\n"
      if [ $# -gt 0 ]; then cat "$@"; fi
    } >"$dir/server.conf"
    as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start </dev/null >"$dir/start.log" 2>&1 3>&- || {
        tail -n 20 "$dir/log" >&2
        die "the private server did not start"
    }
}

stop_cluster() {
    [ -f "$dir/data/postmaster.pid" ] || return 0
    as_server "$bin/pg_ctl" -D "$dir/data" -w -t 30 -m fast stop >/dev/null 2>&1 ||
        as_server "$bin/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null 2>&1 || true
}

case $act in
start) start_cluster "$@" ;;
stop) stop_cluster ;;
host) host ;;
destroy)
    stop_cluster
    socket=$(cat "$dir/host" 2>/dev/null || true)
    if [[ $socket == /tmp/billstack.* ]]; then rm -rf "$socket"; fi
    rm -rf "$dir" ;;
*) usage ;;
esac
