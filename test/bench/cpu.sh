#!/bin/bash
# CPU ticks (getconf CLK_TCK) that processes have used so far, user and system.
# Usage: cpu.sh PID...         of these
#        cpu.sh --server PID   of that postmaster and all its children, ended ones included
set -euo pipefail
server=
if [ "$1" = --server ]; then server=$2; shift; fi
ticks=0
add() { # the fields after the name in parentheses, which may hold blanks; state is the first
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    read -ra fields <<<"${stat##*) }"
    if [ -n "$server" ] && [ "$1" != "$server" ] && [ "${fields[1]}" != "$server" ]; then return 0; fi
    ticks=$((ticks + fields[11] + fields[12]))
    if [ "$1" = "$server" ]; then ticks=$((ticks + fields[13] + fields[14])); fi
}
if [ -n "$server" ]; then
    for process in "$server" $(cat "/proc/$server/task/$server/children" 2>/dev/null || ps -o pid= --ppid "$server"); do add "$process"; done
else
    for process in "$@"; do add "$process"; done
fi
echo "$ticks"
