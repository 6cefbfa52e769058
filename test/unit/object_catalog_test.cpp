// The catalogue against Stripe's own example objects and against the column names of two known sync
// engines: nothing scalar is forgotten, and what is left out is left out on purpose.
#include "stripe/object_catalog.hpp"

#include "test_data.hpp"

#include <gtest/gtest.h>
#include <jansson.h>
#include <map>
#include <memory>
#include <set>
#include <sstream>

namespace billstack::stripe {
namespace {

using JsonPtr = std::unique_ptr<json_t, decltype(&json_decref)>;

JsonPtr load_objects() {
    std::string text = test::read_test_data("stripe_objects.json");
    json_error_t error;
    JsonPtr objects(json_loadb(text.data(), text.size(), 0, &error), json_decref);
    EXPECT_NE(objects, nullptr) << error.text;
    return objects;
}

const Kind *kind_of_table(const std::string &table) {
    for (const Kind *kind : all_kinds())
        if (kind->table == table)
            return kind;
    return nullptr;
}

const Column *find_column(const Kind &kind, std::string_view name) {
    for (const Column &column : kind.columns)
        if (column.name == name)
            return &column;
    return nullptr;
}

bool is_read(const Kind &kind, std::string_view member) {
    for (const Column &column : kind.columns)
        for (std::string_view path : column.paths)
            if (path == member)
                return true;
    return false;
}

// Null in Stripe's example, but an array or object where it is filled.
const std::set<std::string> not_scalar = {
    "invoice.account_tax_ids",
    "invoice.custom_fields",
    "invoice.total_pretax_credit_amounts",
    "invoice.total_taxes",
    "invoice_line_item.pretax_credit_amounts",
    "invoice_line_item.taxes",
};

TEST(ObjectCatalog, every_scalar_member_of_stripes_examples_has_a_column) {
    JsonPtr objects = load_objects();
    for (const Kind *kind : all_kinds()) {
        json_t *object = json_object_get(objects.get(), std::string(kind->name).c_str());
        ASSERT_NE(object, nullptr) << kind->name;
        const char *member;
        json_t *value;
        json_object_foreach(object, member, value) {
            std::string name = std::string(kind->name) + "." + member;
            if (json_is_object(value) || json_is_array(value) || not_scalar.contains(name))
                continue;
            EXPECT_TRUE(is_read(*kind, member)) << name;
            const Column *column = find_column(*kind, member);
            ASSERT_NE(column, nullptr) << name;
            if (json_is_boolean(value)) {
                EXPECT_EQ(column->type, ColumnType::boolean) << name;
            } else if (json_is_integer(value)) {
                bool is_time = json_integer_value(value) == 1234567890 ||
                               (json_integer_value(value) > 900000000 &&
                                column->type == ColumnType::timestamp);
                EXPECT_EQ(column->type, is_time ? ColumnType::timestamp : ColumnType::bigint)
                    << name;
            } else if (json_is_string(value)) {
                EXPECT_TRUE(column->type == ColumnType::text ||
                            column->type == ColumnType::reference)
                    << name;
            }
        }
    }
}

// Compared by name; jsonb columns of those engines are nested values, which stay in _raw.
TEST(ObjectCatalog, every_scalar_column_of_known_engines_exists) {
    // Their own bookkeeping, which ours replaces: _synced_at, _raw, a schema per account.
    const std::set<std::string> bookkeeping = {"_account_id", "_last_synced_at", "_raw_data",
                                               "_updated_at", "last_synced_at",  "updated_at"};
    std::istringstream lines(test::read_test_data("compat_columns.txt"));
    std::string line;
    int checked = 0;
    while (std::getline(lines, line)) {
        if (line.starts_with("#"))
            continue;
        std::istringstream words(line);
        std::string version, table, column, type;
        words >> version >> table >> column >> type;
        if (bookkeeping.contains(column))
            continue;
        const Kind *kind = kind_of_table(table);
        ASSERT_NE(kind, nullptr) << table;
        // 0.48 has trial_start as jsonb; price of an item is an id there and jsonb in 1.0.
        bool exists = find_column(*kind, column) != nullptr;
        EXPECT_TRUE(exists || type == "jsonb") << line;
        ++checked;
    }
    EXPECT_GT(checked, 300);
}

TEST(ObjectCatalog, columns_have_unique_names_that_are_not_ours) {
    for (const Kind *kind : all_kinds()) {
        std::set<std::string_view> names;
        ASSERT_FALSE(kind->columns.empty());
        EXPECT_EQ(kind->columns[0].name, "id");
        for (const Column &column : kind->columns) {
            EXPECT_TRUE(names.insert(column.name).second) << kind->name << "." << column.name;
            EXPECT_FALSE(column.name.starts_with("_")) << column.name;
            EXPECT_LE(column.name.size(), 63u);
            EXPECT_FALSE(column.paths.empty()) << column.name;
        }
        EXPECT_TRUE(names.contains("metadata")) << kind->name;
    }
}

TEST(ObjectCatalog, indexes_name_columns_that_exist) {
    for (const Kind *kind : all_kinds()) {
        std::set<std::string_view> suffixes;
        for (const Index &index : kind->indexes) {
            EXPECT_TRUE(suffixes.insert(index.suffix).second) << index.suffix;
            std::string name(index.expression);
            if (std::size_t open = name.find('('); open != std::string::npos)
                name = name.substr(open + 1, name.size() - open - 2);
            EXPECT_NE(find_column(*kind, name), nullptr) << kind->name << ": " << index.expression;
        }
    }
}

TEST(ObjectCatalog, kinds_are_found_by_name_parents_first) {
    std::map<const Kind *, std::size_t> position;
    int defaults = 0;
    for (const Kind *kind : all_kinds()) {
        EXPECT_EQ(find_kind(kind->name), kind);
        EXPECT_EQ(kind_of_table(std::string(kind->table)), kind);
        position[kind] = position.size();
        defaults += kind->is_default ? 1 : 0;
    }
    EXPECT_EQ(defaults, 6);
    EXPECT_EQ(find_kind("customers"), nullptr);
    EXPECT_EQ(find_kind(""), nullptr);
    for (const Kind *kind : all_kinds())
        for (const ChildList &list : kind->children) {
            ASSERT_TRUE(position.contains(list.kind));
            EXPECT_LT(position[kind], position[list.kind]);
            EXPECT_NE(find_column(*list.kind, list.parent_column), nullptr);
            EXPECT_TRUE(list.kind->list_path.empty());
        }
}

} // namespace
} // namespace billstack::stripe
