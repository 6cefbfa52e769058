#!/bin/bash
# Copies the server that PG_CONFIG names to build/server, same paths below, and installs billstack into
# the copy: a server's programs find their libraries and share folder relative to themselves, so demo and
# tests have an extension to preload while the system's server stays as it is.
# Usage: server_tree.sh
. "$(dirname "$0")/common.sh"

tree=$build/server
bindir=$("$PG_CONFIG" --bindir) pkglibdir=$("$PG_CONFIG" --pkglibdir) sharedir=$("$PG_CONFIG" --sharedir)
[[ $bindir != /usr/bin && $bindir != /usr/local/bin ]] ||
    die "the server of $PG_CONFIG shares $bindir with other programs; name one with a folder of its own"

made_of="$("$PG_CONFIG" --version) $bindir $(stat -c %Y "$bindir/postgres")"
if [ "$(cat "$tree/made_of" 2>/dev/null || true)" != "$made_of" ]; then
    rm -rf "$tree"
    for dir in "$bindir" "$pkglibdir" "$sharedir"; do
        mkdir -p "$tree$dir"
        # Not the bitcode: it is large and serves only JIT inlining.
        tar -C "$dir" --exclude=./bitcode -cf - . | tar -C "$tree$dir" -xf -
    done
    echo "$made_of" >"$tree/made_of"
fi

rm -f "$tree$sharedir"/extension/billstack*
make -s -C "$top" install DESTDIR="$tree" >"$build/install.log" 2>&1 || {
    tail -n 30 "$build/install.log" >&2
    die "the extension cannot be installed into $tree"
}
