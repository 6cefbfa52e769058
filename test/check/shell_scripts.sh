#!/bin/bash
# Rule: shell scripts are free of shellcheck's warnings. Skipped where shellcheck is not installed.
# Why: quoting mistakes in scripts that run as root are expensive.
cd "$(dirname "$0")/../.." || exit 1
command -v shellcheck >/dev/null || { echo "skipped: shellcheck is not installed"; exit 0; }
mapfile -d '' files < <(find . \( -name node_modules -o -name .git -o -path ./build \) -prune -o \( -name '*.sh' -o -path ./.ci/run \) -print0)
shellcheck -x -P test/env -P test/demo -S info "${files[@]}" && exit 0
echo "What to do: mend the lines, or say beside them why not (# shellcheck disable=...)"
exit 1
