// The SQL text: quoting, shape, and the order of parameters. That a server accepts it and what it
// does there is tested where there is a server.
#include "sync/mirror_schema.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

std::size_t count(const std::string &text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++found;
    return found;
}

TEST(MirrorSchema, quoting) {
    EXPECT_EQ(quote_identifier("order"), "\"order\"");
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal("a\\b'"), "E'a\\\\b'''");
}

TEST(MirrorSchema, tables_of_a_kind_and_its_children) {
    std::vector<std::string> statements =
        create_table_statements("stripe_team_a", *stripe::find_kind("invoice"));
    ASSERT_EQ(statements.size(), 6u);
    EXPECT_TRUE(statements[0].starts_with("CREATE TABLE \"stripe_team_a\".\"invoices\" ("));
    EXPECT_NE(statements[0].find("\"id\" pg_catalog.text PRIMARY KEY"), std::string::npos);
    EXPECT_NE(statements[0].find("\"_raw\" pg_catalog.json COMPRESSION lz4 NOT NULL"),
              std::string::npos);
    EXPECT_NE(statements[0].find("\"total\" bigint"), std::string::npos);
    EXPECT_TRUE(statements[1].starts_with("COMMENT ON TABLE"));
    EXPECT_TRUE(statements[2].starts_with("CREATE INDEX \"invoices_customer_idx\" ON "
                                          "\"stripe_team_a\".\"invoices\" (\"customer\")"));
    EXPECT_TRUE(
        statements[3].starts_with("CREATE TABLE \"stripe_team_a\".\"invoice_line_items\" ("));
    std::string without = create_table_statements("s", *stripe::find_kind("charge"), false).at(0);
    EXPECT_EQ(without.find("lz4"), std::string::npos);
    EXPECT_NE(without.find("\"order\" pg_catalog.text"), std::string::npos);
}

TEST(MirrorSchema, meta_columns_follow_the_catalogue) {
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        std::vector<MirrorColumn> columns = mirror_columns(*kind);
        std::vector<std::string> names;
        for (std::size_t i = kind->columns.size(); i < columns.size(); ++i)
            names.push_back(columns[i].name);
        EXPECT_EQ(names,
                  (std::vector<std::string>{"_raw", "_as_of", "_as_of_end", "_source", "_digest",
                                            "_synced_at", "_deleted_at", "_api_version"}));
        EXPECT_EQ(columns[0].options, "PRIMARY KEY");
    }
}

TEST(MirrorSchema, index_statements_are_ours_by_name) {
    std::vector<MirrorIndex> indexes = mirror_indexes("s", *stripe::find_kind("customer"));
    auto email = std::find_if(indexes.begin(), indexes.end(),
                              [](const MirrorIndex &i) { return i.name == "customers_email_idx"; });
    ASSERT_NE(email, indexes.end());
    EXPECT_EQ(email->statement, "CREATE INDEX \"customers_email_idx\" ON \"s\".\"customers\" "
                                "(pg_catalog.lower(email))");
}

TEST(MirrorSchema, upsert_has_one_parameter_for_each_type) {
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        std::string statement = upsert_statement("s", *kind);
        std::vector<std::string_view> types = upsert_parameter_types(*kind);
        ASSERT_EQ(types.size(), kind->columns.size() + 8);
        for (std::size_t i = 1; i <= types.size(); ++i) {
            std::string name = "$" + std::to_string(i);
            std::size_t uses = count(statement, name + ")") + count(statement, name + ",");
            EXPECT_EQ(uses, 1u) << name << " in " << kind->name;
        }
        EXPECT_EQ(statement.find("$" + std::to_string(types.size() + 1)), std::string::npos);
        EXPECT_EQ(count(statement, "unnest("), kind->columns.size() + 7);
        EXPECT_EQ(types[kind->columns.size()], "json[]");
        EXPECT_EQ(types[kind->columns.size() + 1], "bytea[]");
    }
}

TEST(MirrorSchema, later_columns_may_be_added_to_a_full_table) {
    const stripe::Kind &kind = *stripe::find_kind("charge");
    EXPECT_EQ(add_column_statement("s", kind, {"_x", "timestamp with time zone", "NOT NULL"}),
              "ALTER TABLE \"s\".\"charges\" ADD COLUMN \"_x\" timestamp with time zone");
    EXPECT_EQ(add_column_statement("s", kind, {"x", "text", ""}),
              "ALTER TABLE \"s\".\"charges\" ADD COLUMN \"x\" pg_catalog.text");
}

} // namespace
} // namespace billstack::sync
