#!/bin/bash
# Writes into FILE the most private memory, in kB, that any one billstack process of a server has had
# (RssAnon: anonymous pages and private pages that were written; shared buffers are not in it). Looks ten
# times a second until the server ends.
# Usage: peak_memory.sh POSTMASTER FILE
set -euo pipefail
most=0
while [ -e "/proc/$1" ]; do
    children=()
    read -ra children 2>/dev/null <"/proc/$1/task/$1/children" || true
    for process in "${children[@]}"; do
        title=
        read -r title 2>/dev/null <"/proc/$process/cmdline" || true
        if [[ $title != *billstack* ]]; then continue; fi
        while read -r name value _; do
            if [ "$name" = RssAnon: ] && ((value > most)); then most=$value; echo "$most" >"$2"; fi
        done 2>/dev/null <"/proc/$process/status" || true
    done
    sleep 0.1
done
