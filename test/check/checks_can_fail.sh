#!/bin/bash
# Rule: each check of this folder can fail. Into a small made-up checkout, which all checks pass, one
# violation at a time is planted, and the check that guards the rule has to complain.
# Why: a check that cannot fail looks exactly like a rule that is kept.
# shellcheck disable=SC2016 # planted commands are expanded later
cd "$(dirname "$0")/../.." || exit 1
scratch=$(mktemp -d) failures=0
trap 'rm -rf "$scratch"' EXIT

fresh() {
    rm -rf "${scratch:?}"/*
    mkdir -p "$scratch"/{src/{core,http,stripe,pg/bridge},sql/install,expected,docs,test}
    cp -r test/check .clang-format "$scratch/" && mv "$scratch/check" "$scratch/test/"
    cd "$scratch" || exit 1
    printf '#pragma once\n' >src/core/pure.hpp
    printf '#pragma once\n#include "core/pure.hpp"\nvoid f();\n' >src/core/f.hpp
    printf '#include "core/f.hpp"\n\n#include <string>\n\nvoid f() {}\n' >src/core/f.cpp
    printf 'const char *names[] = {"billstack.api_base", "billstack.ca_file"};\n' >src/pg/config.cpp
    printf '| `api_base` | a |\n| `billstack.ca_file` | b |\n' >docs/settings.md
    printf '# A heading\n\nbillstack.status(team), see [settings](settings.md) and [above](#a-heading)\n' >docs/sql-reference.md
    printf 'test: one\n' >test/regress.schedule
    touch sql/one.sql expected/one.out
    cat >sql/install/10.sql <<'END'
CREATE FUNCTION billstack.status(team text) RETURNS jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'billstack_status';
REVOKE ALL ON FUNCTION billstack.status(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.status(text) IS 'state; of an integration';
CREATE TABLE billstack_internal.team (team text PRIMARY KEY);
REVOKE ALL ON billstack_internal.team FROM PUBLIC;
COMMENT ON TABLE billstack_internal.team IS 'teams';
END
}

# planted CHECK TEXT COMMAND: after COMMAND the check must fail, before it must pass.
planted() {
    local check=test/check/$1.sh out
    (
        fresh
        if ! out=$("$check" 2>&1); then echo "$1 fails on a clean checkout: $out"; exit 1; fi
        case $out in skipped*) exit 0 ;; esac
        bash -c "$3"
        if "$check" >/dev/null 2>&1; then echo "$1 does not notice: $2"; exit 1; fi
    ) || failures=$((failures + 1))
}

planted layering 'core includes stripe' 'sed -i "1i #include \"stripe/client.hpp\"" src/core/f.cpp'
planted layering 'a library header in a foreign folder' 'sed -i "1i #include <curl/curl.h>" src/core/f.cpp'
planted layering 'a library header in a header of its folder' 'printf "#include \"core/pure.hpp\"\n#include <curl/curl.h>\n" >src/http/c.hpp'
planted layering 'a bridge that knows a service' 'echo "#include \"pg/worker/wake.hpp\"" >>src/pg/bridge/guard.cpp'
planted layering 'a server header outside server.hpp' 'echo "#include \"utils/guc.h\"" >>src/pg/config.cpp'
planted layering 'a pure header without pure.hpp' 'echo "#include <string>" >src/http/c.hpp'
planted bridge_rules 'a bridge without its rules' 'touch src/pg/bridge/guard.hpp'
planted lone_ereport 'ereport over two lines' 'printf "void g() { ereport(\n ERROR, (errmsg(\"x\"))); }\n" >>src/pg/config.cpp'
planted lone_ereport 'elog(FATAL)' 'echo "void g() { elog(FATAL, \"x\"); }" >>src/pg/config.cpp'
planted sql_text 'a statement in a pure file' 'echo "auto q = \"SELECT id FROM x\";" >>src/core/f.cpp'
planted sql_text 'a raw string in a shim' 'printf "auto q = R\"(\n  DELETE FROM x)\";" >>src/pg/config.cpp'
planted schedule 'an input not in the schedule' 'touch sql/two.sql expected/two.out'
planted schedule 'no expected result' 'rm expected/one.out'
planted schedule 'an expected result without input' 'touch expected/three.out'
planted schedule 'a scheduled test that does not exist' 'echo "test: four" >>test/regress.schedule'
planted operator_precedence 'a sum before a product' 'echo "SELECT 1 OPERATOR(pg_catalog.+) 2 OPERATOR(pg_catalog.*) 3;" >>sql/install/10.sql'
planted sql_parts 'OR REPLACE' 'sed -i "s/CREATE FUNCTION/CREATE OR REPLACE FUNCTION/" sql/install/10.sql'
planted sql_parts 'IF NOT EXISTS' 'sed -i "s/CREATE TABLE/CREATE TABLE IF NOT EXISTS/" sql/install/10.sql'
planted sql_parts 'no search_path' 'sed -i "s/SET search_path = pg_catalog, pg_temp//" sql/install/10.sql'
planted sql_parts 'no REVOKE' 'sed -i "/REVOKE ALL ON billstack_internal/d" sql/install/10.sql'
planted sql_parts 'no COMMENT' 'sed -i "/COMMENT ON FUNCTION/d" sql/install/10.sql'
planted guc_docs 'wrong order' 'sed -i "s/api_base\"/zz\"/" src/pg/config.cpp; sed -i s/api_base/zz/ docs/settings.md'
planted guc_docs 'an undocumented setting' 'sed -i 1d docs/settings.md'
planted guc_docs 'a documented setting that does not exist' 'echo "| \`workers\` | c |" >>docs/settings.md'
planted function_docs 'an undocumented function' 'sed -i "s/billstack.status(team)//" docs/sql-reference.md'
planted function_docs 'a documented function that does not exist' 'echo "billstack.verify()" >>docs/sql-reference.md'
planted function_length 'a function of 61 lines' '{ echo "int g(int x) {"; yes "    x++;" | head -59; echo "}"; } >>src/core/f.cpp'
planted function_length 'one inside a class in a namespace' '{ printf "namespace a {\nclass B : C {\n  B() : x_{1} {\n"; yes "    x++;" | head -59; echo "} };}"; } >>src/core/f.cpp'
planted function_length 'a file of 601 lines' 'yes "// x" | head -601 >src/core/g.cpp'
planted no_machine_paths 'a home folder' 'echo "see /""home/someone/x" >docs/a.md'
planted no_secrets 'a key' 'echo "sk_""live_4eC39HqLyjWDarjtT1zdp7dcA9" >docs/a.md'
planted std_string_secret 'a secret in a string' 'echo "void g(const std::string &secret_key);" >>src/core/f.hpp'
planted docs_links 'a lost file' 'echo "[x](nowhere.md)" >docs/a.md'
planted docs_links 'a lost heading' 'echo "[x](settings.md#none)" >docs/a.md'
planted format 'tabs and braces' 'printf "void  g( )\n{\n}\n" >src/core/g.cpp'
planted shell_scripts 'an unquoted expansion' 'printf "#!/bin/bash\nrm -rf \$1\n" >test/check/x.sh'

if [ "$failures" = 0 ]; then exit 0; fi
echo "What to do: mend the check; it must fail on what it was written against."
exit 1
