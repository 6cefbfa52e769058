// The part of mirror_schema.hpp that reads columns out of _raw in SQL: what extract_columns() does
// in C++, for rows that were written before the column was known.
#include "sync/mirror_schema.hpp"

namespace billstack::sync {

namespace {

using stripe::Column;
using stripe::ColumnType;

// PostgreSQL's -> and #> refuse a document with \u0000 or a lone surrogate anywhere in it. The
// bytes stay as they are; what is read from them has U+FFFD in those places. (?<!\\)((\\\\)*) is an
// even number of backslashes, so that an escaped backslash before u0000 is left alone.
constexpr std::string_view readable_raw_of_t = R"(CASE
        WHEN pg_catalog.strpos(t._raw::pg_catalog.text, '\u') OPERATOR(pg_catalog.=) 0 THEN t._raw
        ELSE pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.regexp_replace(
            t._raw::pg_catalog.text,
            '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g'),
            '(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])', '\1\\ufffd', 'g'),
            '(?<!\\)(?<!\\u[dD][89abAB][0-9a-fA-F]{2})((?:\\\\)*)\\u[dD][c-fC-F][0-9a-fA-F]{2}',
            '\1\\ufffd', 'g')::pg_catalog.json
        END)";

std::string path_literal(std::string_view dotted_path) {
    std::string steps;
    for (char byte : dotted_path)
        steps += byte == '.' ? ',' : byte;
    return quote_literal("{" + steps + "}");
}

std::string type_of(const std::string &value) {
    return "pg_catalog.json_typeof(" + value + ")";
}

std::string text_of(const std::string &value) {
    return "(" + value + " OPERATOR(pg_catalog.#>>) '{}')";
}

std::string matches(const std::string &text, std::string_view pattern) {
    return text + " OPERATOR(pg_catalog.~) " + quote_literal(pattern);
}

std::string when_type(const std::string &value, std::string_view type, const std::string &result) {
    return "CASE " + type_of(value) + " WHEN '" + std::string(type) + "' THEN " + result + " END";
}

// Integers between the two bounds; the comparison is in numeric, which takes any 19 digits.
std::string integer_expression(const std::string &value, std::string_view low,
                               std::string_view high) {
    std::string text = text_of(value);
    return when_type(value, "number",
                     "CASE WHEN " + matches(text, "^-?[0-9]{1,19}$") + " THEN CASE WHEN " + text +
                         "::numeric OPERATOR(pg_catalog.>=) '" + std::string(low) +
                         "'::numeric AND " + text + "::numeric OPERATOR(pg_catalog.<=) '" +
                         std::string(high) + "'::numeric THEN " + text + "::bigint END END");
}

std::string jsonb_expression(const std::string &value) {
    std::string text = value + "::pg_catalog.text";
    // With its strings emptied, a long number or exponent is one of the value itself.
    std::string bare = "pg_catalog.regexp_replace(" + text + ", " +
                       quote_literal(R"("(?:\\.|[^"\\])*")") + ", '\"\"', 'g')";
    return "CASE WHEN " + type_of(value) + " OPERATOR(pg_catalog.=) 'object' OR " + type_of(value) +
           " OPERATOR(pg_catalog.=) 'array' THEN CASE WHEN pg_catalog.octet_length(" + text +
           ") OPERATOR(pg_catalog.<=) 1048576 AND NOT " +
           matches(
               "(" + bare + ")",
               "[-+.eE0-9]{101}|[eE][-+]?0*(?:10[1-9]|1[1-9][0-9]|[2-9][0-9]{2}|[1-9][0-9]{3})") +
           " THEN " + text + "::pg_catalog.jsonb END END";
}

std::string value_expression(ColumnType type, const std::string &value) {
    std::string text = text_of(value);
    switch (type) {
    case ColumnType::text:
        return when_type(value, "string", text);
    case ColumnType::reference: {
        std::string id = "(" + value + " OPERATOR(pg_catalog.#>) '{id}')";
        return "CASE " + type_of(value) + " WHEN 'string' THEN " + text + " WHEN 'object' THEN " +
               when_type(id, "string", text_of(id)) + " END";
    }
    case ColumnType::bigint:
        return integer_expression(value, "-9223372036854775808", "9223372036854775807");
    case ColumnType::timestamp:
        return "pg_catalog.to_timestamp((" +
               integer_expression(value, "-210866803200", "9224318015999") + ")::double precision)";
    case ColumnType::numeric:
        return when_type(value, "number",
                         "CASE WHEN pg_catalog.length(" + text +
                             ") OPERATOR(pg_catalog.<=) 100 AND " +
                             matches(text, "^[^eE]*(?:[eE][-+]?0*(?:[0-9]{1,2}|100))?$") +
                             " THEN " + text + "::numeric END");
    case ColumnType::boolean:
        return when_type(value, "boolean", text + "::boolean");
    case ColumnType::jsonb:
        return jsonb_expression(value);
    }
    return "NULL";
}

} // namespace

std::string readable_raw(std::string_view alias) {
    constexpr std::string_view column = "t._raw";
    std::string sql(readable_raw_of_t);
    for (std::size_t at = 0; (at = sql.find(column, at)) != std::string::npos;
         at += alias.size() + 5) {
        sql.replace(at, 1, alias);
    }
    return sql;
}

std::string fill_column_statement(std::string_view schema, const stripe::Kind &kind,
                                  const Column &column) {
    std::string table = quote_identifier(schema) + "." + quote_identifier(kind.table);
    std::string name = quote_identifier(column.name);
    std::string cases;
    for (std::string_view path : column.paths) {
        std::string place = path_literal(path);
        cases += "\n        WHEN (r.doc OPERATOR(pg_catalog.#>>) " + place + ") IS NOT NULL THEN " +
                 value_expression(column.type, "(r.doc OPERATOR(pg_catalog.#>) " + place + ")");
    }
    // OFFSET 0 keeps the planner from cleaning the document once per use.
    return "UPDATE " + table + " AS m SET " + name + " = v.value FROM (\n    SELECT t.id, CASE" +
           cases + "\n        END AS value\n    FROM " + table + " AS t, LATERAL (SELECT " +
           readable_raw("t") + " AS doc OFFSET 0) AS r\n" +
           ") AS v WHERE v.id OPERATOR(pg_catalog.=) m.id AND v.value IS NOT NULL";
}

} // namespace billstack::sync
