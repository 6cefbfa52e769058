#include "pg/mirror/mirror_admin_store.hpp"

#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_table{
    "SELECT c.oid, c.relowner, c.relkind::text, EXISTS ("
    "  SELECT FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_attribute AS a"
    "    ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"
    "   WHERE x.indrelid = c.oid AND x.indisprimary AND x.indnkeyatts = 1 AND a.attname = 'id')"
    " FROM pg_catalog.pg_class AS c WHERE c.relnamespace = $1 AND c.relname = $2"};

constinit Statement select_columns{
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)"
    " FROM pg_catalog.pg_attribute AS a"
    " WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped"};

constinit Statement select_indexes{"SELECT c.relname FROM pg_catalog.pg_class AS c"
                                   " WHERE c.relnamespace = $1 AND c.relkind = 'i'"};

constinit Statement select_schema_owner{
    "SELECT n.nspowner FROM pg_catalog.pg_namespace AS n WHERE n.oid = $1"};

// Direct dependents of the schema, of our tables and of their row types, less what each of our
// tables brings along: its row type and array, toast, primary key, not-null constraints, defaults,
// our indexes. Added columns have no entry of their own in pg_depend. A view is told by its
// relation, not by its rule.
constinit Statement select_foreign{
    "WITH ours AS ("
    "  SELECT c.oid, c.relname, c.reltype, t.typarray FROM pg_catalog.pg_class AS c"
    "    LEFT JOIN pg_catalog.pg_type AS t ON t.oid = c.reltype"
    "   WHERE c.relnamespace = $1 AND c.relkind = 'r' AND c.relname::text = ANY ($2)"
    "), dependent AS ("
    "  SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend AS d"
    "   WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = $1"
    "  UNION SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend AS d"
    "   WHERE d.refclassid = 'pg_catalog.pg_class'::regclass"
    "     AND d.refobjid IN (SELECT o.oid FROM ours AS o)"
    "  UNION SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend AS d"
    "   WHERE d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN"
    "     (SELECT o.reltype FROM ours AS o UNION ALL SELECT o.typarray FROM ours AS o)"
    "), strange AS ("
    "  SELECT d.classid, d.objid, d.objsubid FROM dependent AS d"
    "   WHERE NOT (d.classid = 'pg_catalog.pg_class'::regclass AND ("
    "           d.objid IN (SELECT o.oid FROM ours AS o)"
    "        OR EXISTS (SELECT FROM pg_catalog.pg_class AS c"
    "                    WHERE c.oid = d.objid AND c.relkind = 't')"
    "        OR EXISTS (SELECT FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS c"
    "                    ON c.oid = x.indexrelid WHERE x.indexrelid = d.objid"
    "                    AND x.indrelid IN (SELECT o.oid FROM ours AS o)"
    "                    AND c.relname::text = ANY ($3))))"
    "     AND NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid IN"
    "       (SELECT o.reltype FROM ours AS o UNION ALL SELECT o.typarray FROM ours AS o))"
    "     AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND EXISTS ("
    "       SELECT FROM pg_catalog.pg_constraint AS k WHERE k.oid = d.objid"
    "          AND k.conrelid IN (SELECT o.oid FROM ours AS o) AND k.contype IN ('p', 'n')))"
    "     AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS ("
    "       SELECT FROM pg_catalog.pg_attrdef AS f WHERE f.oid = d.objid"
    "          AND f.adrelid IN (SELECT o.oid FROM ours AS o)))"
    "     AND NOT (d.classid = 'pg_catalog.pg_trigger'::regclass AND EXISTS ("
    "       SELECT FROM pg_catalog.pg_trigger AS g WHERE g.oid = d.objid AND g.tgisinternal))"
    "     AND d.classid <> 'pg_catalog.pg_default_acl'::regclass"
    "), told AS ("
    "  SELECT s.classid, s.objid, s.objsubid FROM strange AS s"
    "   WHERE s.classid <> 'pg_catalog.pg_rewrite'::regclass"
    "  UNION SELECT CASE WHEN w.ev_class IN (SELECT o.oid FROM ours AS o) THEN s.classid"
    "           ELSE 'pg_catalog.pg_class'::regclass END,"
    "         CASE WHEN w.ev_class IN (SELECT o.oid FROM ours AS o) THEN s.objid"
    "           ELSE w.ev_class END, 0"
    "    FROM strange AS s JOIN pg_catalog.pg_rewrite AS w ON w.oid = s.objid"
    "   WHERE s.classid = 'pg_catalog.pg_rewrite'::regclass"
    "  UNION SELECT 'pg_catalog.pg_class'::regclass, a.attrelid, a.attnum"
    "    FROM ours AS o JOIN pg_catalog.pg_attribute AS a ON a.attrelid = o.oid"
    "   WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT EXISTS ("
    "     SELECT FROM unnest($4::text[], $5::text[]) AS e (table_name, column_name)"
    "      WHERE e.table_name = o.relname AND e.column_name = a.attname))"
    " SELECT pg_catalog.pg_describe_object(t.classid, t.objid, t.objsubid) COLLATE \"C\" FROM told "
    "AS t"
    " ORDER BY 1"};

std::string quoted(const std::string &name) {
    return sync::quote_identifier(name);
}

std::vector<std::string> first_column(const Rows &rows) {
    std::vector<std::string> items;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        items.push_back(rows.text(row, 1));
    }
    return items;
}

} // namespace

std::optional<TableState> table_state(Oid schema, const std::string &table) {
    Rows rows = select_table.run({param_oid(schema), param(table)});
    if (rows.empty()) {
        return std::nullopt;
    }
    return TableState{rows.oid(0, 1), rows.oid(0, 2), rows.text(0, 3).at(0), rows.boolean(0, 4)};
}

std::map<std::string, std::string> column_types(Oid table) {
    Rows rows = select_columns.run({param_oid(table)});
    std::map<std::string, std::string> types;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        types[rows.text(row, 1)] = rows.text(row, 2);
    }
    return types;
}

std::set<std::string> index_names(Oid schema) {
    std::vector<std::string> names = first_column(select_indexes.run({param_oid(schema)}));
    return std::set<std::string>(names.begin(), names.end());
}

Oid schema_owner(Oid schema) {
    Rows rows = select_schema_owner.run({param_oid(schema)});
    return rows.empty() ? InvalidOid : rows.oid(0, 1);
}

std::vector<std::string> foreign_objects(Oid schema, const MirrorInventory &inventory) {
    return first_column(select_foreign.run(
        {param_oid(schema), param_text_array(inventory.tables), param_text_array(inventory.indexes),
         param_text_array(inventory.column_tables), param_text_array(inventory.columns)}));
}

void create_schema(const std::string &schema) {
    run_ddl("CREATE SCHEMA " + quoted(schema));
}

void drop_schema_cascade(const std::string &schema) {
    run_ddl("DROP SCHEMA " + quoted(schema) + " CASCADE");
}

void set_schema_owner(const std::string &schema, const std::string &role) {
    run_ddl("ALTER SCHEMA " + quoted(schema) + " OWNER TO " + quoted(role));
}

void set_table_owner(const std::string &schema, const std::string &table, const std::string &role) {
    run_ddl("ALTER TABLE " + quoted(schema) + "." + quoted(table) + " OWNER TO " + quoted(role));
}

void run_ddl(const std::string &statement) {
    (void)run_once(statement);
}

} // namespace billstack::pg
