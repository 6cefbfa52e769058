#!/bin/bash
# Rule: C++ sources are formatted as .clang-format says, by clang-format 14 (Debian 12's).
# Why: nobody should have to talk about style. Skipped where clang-format 14 is not installed.
cd "$(dirname "$0")/../.." || exit 1
tool=
for candidate in clang-format-14 clang-format; do
    if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then tool=$candidate; break; fi
done
if [ -z "$tool" ]; then
    echo "skipped: clang-format 14 is not installed"
    exit 0
fi
mapfile -d '' files < <(find src test -name node_modules -prune -o -name '*.[ch]pp' -print0)
[ ${#files[@]} -gt 0 ] || exit 0
if ! "$tool" --dry-run --Werror "${files[@]}" 2>&1 | grep -m 20 'error:'; then exit 0; fi
echo "What to do: make format"
exit 1
