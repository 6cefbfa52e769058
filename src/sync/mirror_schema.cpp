// See mirror_schema.hpp. Names are always quoted (a charge has a member "order") and always
// qualified: the text does not depend on search_path.
#include "sync/mirror_schema.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

using stripe::Column;
using stripe::ColumnType;
using stripe::Kind;

// Our own columns, after the catalogue's.
struct MetaColumn {
    std::string_view name;
    std::string_view type;
    std::string_view options;
    std::string_view comment;
};
constexpr MetaColumn meta_columns[] = {
    {"_raw", "json", "NOT NULL", "the exact bytes Stripe sent"},
    {"_as_of", "timestamp with time zone", "NOT NULL",
     "the state is from this second on Stripe's clock at the earliest"},
    {"_as_of_end", "timestamp with time zone", "NOT NULL", "and from this one at the latest"},
    {"_source", "text", "NOT NULL", "where the state came from: backfill, read, event or call"},
    {"_digest", "bytea", "NOT NULL", "SHA-256 of _raw without the white space between its tokens"},
    {"_synced_at", "timestamp with time zone", "NOT NULL DEFAULT pg_catalog.now()",
     "when sync last changed the row, on this server's clock"},
    {"_deleted_at", "timestamp with time zone", "", "set when Stripe no longer has the object"},
    {"_api_version", "text", "", "the Stripe API version _raw is written in"},
};

std::string_view type_name(ColumnType type) {
    switch (type) {
    case ColumnType::bigint:
        return "bigint";
    case ColumnType::numeric:
        return "numeric";
    case ColumnType::boolean:
        return "boolean";
    case ColumnType::timestamp:
        return "timestamp with time zone";
    case ColumnType::jsonb:
        return "jsonb";
    case ColumnType::text:
    case ColumnType::reference:
        break;
    }
    return "text";
}

// The grammar's own type names stand for pg_catalog's; the others must say so.
std::string type_sql(std::string_view type) {
    bool in_grammar = type == "bigint" || type == "numeric" || type == "boolean" ||
                      type == "timestamp with time zone";
    return in_grammar ? std::string(type) : "pg_catalog." + std::string(type);
}

std::string table_name(std::string_view schema, const Kind &kind) {
    return quote_identifier(schema) + "." + quote_identifier(kind.table);
}

void append(std::string &text, std::string_view separator, std::string_view item) {
    if (!text.empty())
        text += separator;
    text += item;
}

std::string column_definition(const MirrorColumn &column) {
    std::string text = quote_identifier(column.name) + " " + type_sql(column.type);
    if (!column.options.empty())
        text += " " + column.options;
    return text;
}

std::string comment_on_column(const std::string &table, std::string_view column,
                              std::string_view comment) {
    return "COMMENT ON COLUMN " + table + "." + quote_identifier(column) + " IS " +
           quote_literal(comment);
}

// Where a value comes from is said only where the name does not say it: a comment costs 0.1 ms.
std::string comments(std::string_view schema, const Kind &kind) {
    std::string table = table_name(schema, kind);
    std::string text = "COMMENT ON TABLE " + table + " IS " +
                       quote_literal("mirror of Stripe's " + std::string(kind.name) +
                                     " objects, kept by billstack; written by sync only");
    for (const Column &column : kind.columns) {
        if (column.paths.size() == 1 && column.paths[0] == column.name)
            continue;
        std::string places;
        for (std::string_view path : column.paths)
            append(places, ", else ", path);
        append(text, ";\n", comment_on_column(table, column.name, "Stripe: " + places));
    }
    for (const MetaColumn &column : meta_columns)
        append(text, ";\n", comment_on_column(table, column.name, column.comment));
    return text;
}

void append_table(std::vector<std::string> &statements, std::string_view schema, const Kind &kind,
                  bool with_lz4) {
    std::string definitions;
    for (const MirrorColumn &column : mirror_columns(kind, with_lz4))
        append(definitions, ",\n    ", column_definition(column));
    statements.push_back("CREATE TABLE " + table_name(schema, kind) + " (\n    " + definitions +
                         "\n)");
    statements.push_back(comments(schema, kind));
    std::string indexes;
    for (const MirrorIndex &index : mirror_indexes(schema, kind))
        append(indexes, ";\n", index.statement);
    if (!indexes.empty())
        statements.push_back(std::move(indexes));
}

// How a column travels: numeric and jsonb as text, cast in the statement.
std::string_view parameter_type(ColumnType type) {
    switch (type) {
    case ColumnType::bigint:
        return "bigint[]";
    case ColumnType::boolean:
        return "boolean[]";
    case ColumnType::timestamp:
        return "timestamptz[]";
    default:
        return "text[]";
    }
}

std::string parameter(std::size_t number) {
    return "$" + std::to_string(number);
}

} // namespace

std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (char byte : name) {
        quoted += byte;
        if (byte == '"')
            quoted += byte;
    }
    return quoted + '"';
}

std::string quote_literal(std::string_view text) {
    bool has_backslash = text.find('\\') != std::string_view::npos;
    std::string quoted = has_backslash ? "E'" : "'";
    for (char byte : text) {
        quoted += byte;
        if (byte == '\'' || byte == '\\')
            quoted += byte;
    }
    return quoted + '\'';
}

std::vector<MirrorColumn> mirror_columns(const Kind &kind, bool with_lz4) {
    std::vector<MirrorColumn> columns;
    for (const Column &column : kind.columns)
        columns.push_back({std::string(column.name), std::string(type_name(column.type)), ""});
    columns[0].options = "PRIMARY KEY";
    for (const MetaColumn &column : meta_columns) {
        MirrorColumn made{std::string(column.name), std::string(column.type),
                          std::string(column.options)};
        if (with_lz4 && made.type == "json")
            made.options = "COMPRESSION lz4 " + made.options;
        columns.push_back(std::move(made));
    }
    return columns;
}

std::vector<std::string> create_table_statements(std::string_view schema, const Kind &kind,
                                                 bool with_lz4) {
    std::vector<std::string> statements;
    append_table(statements, schema, kind, with_lz4);
    for (const stripe::ChildList &list : kind.children)
        append_table(statements, schema, *list.kind, with_lz4);
    return statements;
}

std::string add_column_statement(std::string_view schema, const Kind &kind,
                                 const MirrorColumn &column) {
    return "ALTER TABLE " + table_name(schema, kind) + " ADD COLUMN " +
           quote_identifier(column.name) + " " + type_sql(column.type);
}

std::vector<MirrorIndex> mirror_indexes(std::string_view schema, const Kind &kind) {
    std::vector<MirrorIndex> indexes;
    for (const stripe::Index &index : kind.indexes) {
        std::string expression(index.expression);
        for (const Column &column : kind.columns)
            if (column.name == index.expression)
                expression = quote_identifier(column.name);
        std::string name = std::string(kind.table) + "_" + std::string(index.suffix) + "_idx";
        std::string statement = "CREATE INDEX " + quote_identifier(name) + " ON " +
                                table_name(schema, kind) + " (" + expression + ")";
        indexes.push_back({std::move(name), std::move(statement)});
    }
    return indexes;
}

std::vector<std::string_view> upsert_parameter_types(const Kind &kind) {
    std::vector<std::string_view> types;
    for (const Column &column : kind.columns)
        types.push_back(parameter_type(column.type));
    types.insert(types.end(), {"json[]", "bytea[]", "timestamptz[]", "timestamptz[]",
                               "timestamptz[]", "text[]", "timestamptz[]", "text"});
    return types;
}

std::string upsert_statement(std::string_view schema, const Kind &kind) {
    std::string names;   // of the row
    std::string columns; // unnested, in parameter order
    std::string selected;
    std::string updates;
    std::size_t next = 1; // parameter
    auto unnest = [&](const std::string &quoted) {
        append(columns, ", ", "pg_catalog.unnest(" + parameter(next++) + ") AS " + quoted);
    };
    auto add = [&](std::string_view name, std::string_view cast) {
        std::string quoted = quote_identifier(name);
        std::string value = "u." + quoted;
        unnest(quoted);
        append(names, ", ", quoted);
        append(selected, ", ", cast.empty() ? value : value + "::" + std::string(cast));
        if (name != "id")
            append(updates, ", ", quoted + " = EXCLUDED." + quoted);
    };
    for (const Column &column : kind.columns)
        add(column.name, column.type == ColumnType::jsonb     ? "pg_catalog.jsonb"
                         : column.type == ColumnType::numeric ? "numeric"
                                                              : "");
    for (std::string_view name :
         {"_raw", "_digest", "_as_of", "_as_of_end", "_deleted_at", "_api_version"})
        add(name, "");
    unnest("\"_replaced\"");
    std::string source = parameter(next++);
    // Unnested in the select list, in step: ROWS FROM would keep each column in a store of its own
    // first. A new row's _synced_at is now. A row that replaces another brings that one's along, so
    // that the conflict's WHERE can tell whether it still is the one that was looked at.
    return "INSERT INTO " + table_name(schema, kind) + " AS m (" + names +
           ", \"_source\", \"_synced_at\")\nSELECT " + selected + ", " + source +
           ", coalesce(u.\"_replaced\", pg_catalog.clock_timestamp())\nFROM (SELECT " + columns +
           ") AS u\n" + "ON CONFLICT (\"id\") DO UPDATE SET " + updates +
           ", \"_source\" = EXCLUDED.\"_source\", \"_synced_at\" = "
           "pg_catalog.clock_timestamp()\nWHERE m._synced_at OPERATOR(pg_catalog.=) "
           "EXCLUDED._synced_at";
}

std::string stored_states_statement(std::string_view schema, const Kind &kind) {
    return "SELECT m.id, m._as_of, m._as_of_end, m._digest, m._deleted_at IS NOT NULL, m._source, "
           "m._synced_at FROM " +
           table_name(schema, kind) + " AS m WHERE m.id OPERATOR(pg_catalog.=) ANY ($1)";
}

bool has_column(const Kind &kind, std::string_view name) {
    return std::any_of(kind.columns.begin(), kind.columns.end(),
                       [&](const stripe::Column &column) { return column.name == name; });
}

std::string_view created_column(const Kind &kind) {
    if (has_column(kind, "created")) {
        return "created";
    }
    return kind.filters_by_created && has_column(kind, "date") ? "date" : "";
}

// The inner query is planned by itself, by the index over created: its rows are few.
std::string rows_of_span_statement(std::string_view schema, const Kind &kind) {
    std::string rows = "WITH s AS MATERIALIZED (SELECT m.id FROM " + table_name(schema, kind) +
                       " AS m WHERE m._deleted_at IS NULL AND m._as_of OPERATOR(pg_catalog.<=) $3";
    if (const std::string created(created_column(kind)); !created.empty()) {
        rows += " AND m." + created + " OPERATOR(pg_catalog.>=) $1 AND m." + created +
                " OPERATOR(pg_catalog.<=) $2";
    }
    if (has_column(kind, "test_clock")) {
        rows += " AND m.test_clock IS NULL";
    }
    return rows +
           ") SELECT s.id FROM s WHERE s.id COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.>) $4 "
           "ORDER BY s.id COLLATE pg_catalog.\"C\" LIMIT $5";
}

std::string any_row_statement(std::string_view schema, const Kind &kind) {
    return "SELECT EXISTS (SELECT FROM " + table_name(schema, kind) + ")";
}

std::string stored_raw_statement(std::string_view schema, const Kind &kind) {
    return "SELECT m._raw::pg_catalog.text FROM " + table_name(schema, kind) +
           " AS m WHERE m.id OPERATOR(pg_catalog.=) $1";
}

std::string mark_deleted_statement(std::string_view schema, const Kind &kind) {
    return "UPDATE " + table_name(schema, kind) +
           " AS m SET _deleted_at = d.window_end, _as_of = d.window_start, "
           "_as_of_end = d.window_end, _source = $5, _synced_at = pg_catalog.clock_timestamp() "
           "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
           "pg_catalog.unnest($4)) AS d (id, window_start, window_end, replaced) "
           "WHERE m.id OPERATOR(pg_catalog.=) d.id AND m._synced_at OPERATOR(pg_catalog.=) "
           "d.replaced";
}

std::string tombstone_missing_statement(std::string_view schema, const stripe::ChildList &list) {
    return "UPDATE " + table_name(schema, *list.kind) +
           " AS m SET _deleted_at = p.window_end, _as_of = p.window_start, "
           "_as_of_end = p.window_end, _source = $5, _synced_at = pg_catalog.clock_timestamp() "
           "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) "
           "AS p (id, window_start, window_end) WHERE m." +
           quote_identifier(list.parent_column) +
           " OPERATOR(pg_catalog.=) p.id AND m._deleted_at IS NULL AND NOT EXISTS "
           "(SELECT FROM pg_catalog.unnest($4) AS kept (id) WHERE kept.id "
           "OPERATOR(pg_catalog.=) m.id) AND m._as_of OPERATOR(pg_catalog.<=) p.window_end";
}

std::string missing_children_statement(std::string_view schema, const stripe::ChildList &list) {
    return "SELECT m.id, p.id FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) "
           "AS p (id, window_end) JOIN " +
           table_name(schema, *list.kind) + " AS m ON m." + quote_identifier(list.parent_column) +
           " OPERATOR(pg_catalog.=) p.id WHERE m._deleted_at IS NULL AND NOT EXISTS "
           "(SELECT FROM pg_catalog.unnest($3) AS kept (id) WHERE kept.id "
           "OPERATOR(pg_catalog.=) m.id) AND m._as_of OPERATOR(pg_catalog.<=) p.window_end "
           "LIMIT $4";
}

} // namespace billstack::sync
