// Object catalogue -> DDL text of one mirror schema. The only file besides the stores that writes
// SQL. Text only: pg/ executes it as the mirror's owner.
#pragma once
#include "stripe/object_catalog.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace billstack::sync {

// Double-quoted identifier, embedded quotes doubled.
std::string quote_identifier(std::string_view name);
std::string quote_literal(std::string_view text);

// CREATE TABLE, COMMENTs and CREATE INDEX statements for the kind and its children, in order: three
// strings a table, the last two of several statements each, joined by ';'. with_lz4: the server was
// built with it (as Debian's and PGDG's are).
std::vector<std::string> create_table_statements(std::string_view schema, const stripe::Kind &kind,
                                                 bool with_lz4 = true);
// A column of the mirror, catalogue columns and the ones that start with '_'.
struct MirrorColumn {
    std::string name;
    std::string type; // as format_type() prints it: "text", "bigint", "timestamp with time zone"...
    std::string options; // "NOT NULL", "COMPRESSION lz4", may be empty
};
std::vector<MirrorColumn> mirror_columns(const stripe::Kind &kind, bool with_lz4 = true);
// For a table that has rows already: without NOT NULL and without a default.
std::string add_column_statement(std::string_view schema, const stripe::Kind &kind,
                                 const MirrorColumn &column);
// _raw of the table of that alias as SQL's own functions can read it: they refuse a whole document
// for one \u0000 or lone surrogate, which are U+FFFD here. Needs standard_conforming_strings.
std::string readable_raw(std::string_view alias);
// UPDATE that fills a catalogue column from _raw, for upgrade_mirror: the values extract_columns()
// would take, but for jsonb nested deeper than 64 and objects with a member twice.
std::string fill_column_statement(std::string_view schema, const stripe::Kind &kind,
                                  const stripe::Column &column);
struct MirrorIndex {
    std::string name;
    std::string statement;
};
std::vector<MirrorIndex> mirror_indexes(std::string_view schema, const stripe::Kind &kind);

// The set-based statements of the store. Parameters are arrays, in this order: catalogue columns
// (text[]/bigint[]/... as upsert_parameter_types() says; numeric and jsonb travel as text[]), then
// _raw json[], _digest bytea[], _as_of, _as_of_end and _deleted_at timestamptz[], _api_version
// text[], the replaced row's _synced_at timestamptz[] (NULL: none), and the scalar _source text.
// Ids are distinct and sorted by the caller. A row is written only where it still is the one that
// was looked at; the number of rows affected tells how many were.
std::string upsert_statement(std::string_view schema, const stripe::Kind &kind);
std::vector<std::string_view> upsert_parameter_types(const stripe::Kind &kind);
// $1 text[] ids -> id, _as_of, _as_of_end, _digest, _deleted_at IS NOT NULL, _source, _synced_at;
// only ids that are stored, in any order.
std::string stored_states_statement(std::string_view schema, const stripe::Kind &kind);
// $1 and $2 timestamptz, the seconds from and to of kinds that have one,
// $3 timestamptz, $4 text -> id of rows of that time that are no tombstones and not certainly newer
// than $3, those after id $4, in the order of ids, at most $5 bigint. Objects of test clocks are
// left out: lists show them only when asked for their clock.
std::string rows_of_span_statement(std::string_view schema, const stripe::Kind &kind);
// Whether the table holds any row.
std::string any_row_statement(std::string_view schema, const stripe::Kind &kind);
// Whether the kind's table has a column of that name.
bool has_column(const stripe::Kind &kind, std::string_view name);
// The column of the second that lists are ordered by, "" where a kind has none. Invoice items call
// it date (docs.stripe.com/api/invoiceitems/object).
std::string_view created_column(const stripe::Kind &kind);
// $1 text id -> _raw as text.
std::string stored_raw_statement(std::string_view schema, const stripe::Kind &kind);
// $1 text[] ids, $2 and $3 timestamptz[] windows, $4 timestamptz[] _synced_at that was looked at,
// $5 text _source: the rows become tombstones and keep their columns.
std::string mark_deleted_statement(std::string_view schema, const stripe::Kind &kind);
// $1 text[] parent ids (complete lists only), $2 and $3 timestamptz[] their windows, $4 text[]
// child ids that exist, $5 text _source: children of those parents that are not in $4 and not newer
// become tombstones, as of the window.
std::string tombstone_missing_statement(std::string_view schema, const stripe::ChildList &list);
// $1 text[] parent ids, $2 timestamptz[] ends of their windows, $3 text[] child ids that are left
// out, $4 the most rows -> id and parent's id of other children that live and are not newer.
std::string missing_children_statement(std::string_view schema, const stripe::ChildList &list);

} // namespace billstack::sync
