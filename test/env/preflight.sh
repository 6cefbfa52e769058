#!/bin/sh
# Says in one message what the build lacks. Usage: PG_CONFIG=... CXX=... preflight.sh
set -u
PG_CONFIG=${PG_CONFIG:-pg_config} CXX=${CXX:-g++}
missing=

pgxs=$("$PG_CONFIG" --pgxs 2>/dev/null)
{ test -n "$pgxs" && test -f "$pgxs"; } ||
    missing="$missing
  the PostgreSQL server's development files ($PG_CONFIG --pgxs names none)"

if command -v "$CXX" >/dev/null; then
    for header in curl/curl.h openssl/evp.h jansson.h simdjson.h; do
        printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$header" |
            "$CXX" -std=c++20 -E -x c++ - >/dev/null 2>&1 ||
            missing="$missing
  the header <$header>"
    done
else
    missing="$missing
  the C++ compiler $CXX"
fi

test -z "$missing" && exit 0
cat >&2 <<END
billstack cannot be built yet. Missing:$missing
"make deps" installs what is missing on Debian; PG_CONFIG=/path/to/pg_config chooses another server.
END
exit 1
