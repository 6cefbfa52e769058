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

// Null in Stripe's example, but an array or object where it is filled: they stay in _raw.
const std::set<std::string> not_scalar = {
    "checkout_session.discounts",
    "credit_note.total_taxes",
    "credit_note_line_item.taxes",
    "invoice.account_tax_ids",
    "invoice.custom_fields",
    "invoice.total_pretax_credit_amounts",
    "invoice.total_taxes",
    "invoice_line_item.pretax_credit_amounts",
    "invoice_line_item.taxes",
    "payment_intent.excluded_payment_method_types",
    "payment_link.payment_method_types",
    "setup_intent.excluded_payment_method_types",
    "setup_intent.flow_directions",
};

// An integer in the example, but Stripe's type is a number with decimals.
const std::set<std::string> decimal = {"tax_rate.percentage"};

// What Stripe fills with 1234567890 or any later time is a time; credit_grant.updated is earlier.
bool fits_integer(const Column &column, const std::string &name, json_int_t value) {
    if (decimal.contains(name))
        return column.type == ColumnType::numeric;
    if (value == 1234567890)
        return column.type == ColumnType::timestamp;
    bool may_be_time = value > 900000000 || name == "credit_grant.updated";
    return column.type == ColumnType::bigint ||
           (may_be_time && column.type == ColumnType::timestamp);
}

bool fits_value(const Column &column, const std::string &name, json_t *value) {
    switch (json_typeof(value)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return column.type == ColumnType::boolean;
    case JSON_INTEGER:
        return fits_integer(column, name, json_integer_value(value));
    case JSON_REAL:
        return column.type == ColumnType::numeric;
    case JSON_STRING:
        return column.type == ColumnType::text || column.type == ColumnType::reference;
    default:
        return true;
    }
}

TEST(ObjectCatalog, every_scalar_member_of_stripes_examples_has_a_column) {
    JsonPtr objects = load_objects();
    std::set<std::string> left_out;
    for (const Kind *kind : all_kinds()) {
        json_t *object = json_object_get(objects.get(), std::string(kind->name).c_str());
        ASSERT_NE(object, nullptr) << kind->name;
        EXPECT_EQ(json_string_value(json_object_get(object, "object")), kind->object);
        const char *member;
        json_t *value;
        json_object_foreach(object, member, value) {
            std::string name = std::string(kind->name) + "." + member;
            if (json_is_object(value) || json_is_array(value))
                continue;
            if (not_scalar.contains(name)) {
                EXPECT_EQ(find_column(*kind, member), nullptr) << name;
                left_out.insert(name);
                continue;
            }
            EXPECT_TRUE(is_read(*kind, member)) << name;
            const Column *column = find_column(*kind, member);
            ASSERT_NE(column, nullptr) << name;
            EXPECT_TRUE(fits_value(*column, name, value)) << name;
        }
    }
    EXPECT_EQ(left_out, not_scalar);
}

// Stored as text by one engine, but an object at Stripe: they stay in _raw.
const std::set<std::string> objects_as_text = {
    "payment_intents.automatic_payment_methods",
    "payment_intents.last_payment_error",
    "payment_intents.next_action",
    "payment_intents.processing",
    "plans.transform_usage",
    "reviews.session",
};

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
        bool nested = type == "jsonb" || objects_as_text.contains(table + "." + column);
        EXPECT_TRUE(exists || nested) << line;
        ++checked;
    }
    EXPECT_GT(checked, 900);
}

TEST(ObjectCatalog, columns_have_unique_names_that_are_not_ours) {
    JsonPtr objects = load_objects();
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
        json_t *object = json_object_get(objects.get(), std::string(kind->name).c_str());
        bool has_metadata = json_object_get(object, "metadata") != nullptr;
        EXPECT_EQ(names.contains("metadata"), has_metadata) << kind->name;
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
            EXPECT_NE(list.more_path.find("{id}") != std::string_view::npos,
                      !list.more_param.empty());
        }
}

TEST(ObjectCatalog, kinds_are_found_by_stripes_object_name) {
    for (const Kind *kind : all_kinds())
        EXPECT_EQ(find_kind_by_object(kind->object), kind) << kind->object;
    EXPECT_EQ(find_kind_by_object("line_item"), find_kind("invoice_line_item"));
    EXPECT_EQ(find_kind_by_object("item"), find_kind("checkout_session_line_item"));
    EXPECT_EQ(find_kind_by_object("billing.meter"), find_kind("billing_meter"));
    EXPECT_EQ(find_kind_by_object("issuing.card"), nullptr);
    EXPECT_EQ(find_kind_by_object(""), nullptr);
}

TEST(ObjectCatalog, every_object_can_be_read_somewhere) {
    std::set<const Kind *> children;
    for (const Kind *kind : all_kinds())
        for (const ChildList &list : kind->children)
            children.insert(list.kind);
    for (const Kind *kind : all_kinds()) {
        EXPECT_EQ(kind->list_path.empty(), children.contains(kind)) << kind->name;
        if (children.contains(kind)) {
            EXPECT_EQ(kind->retrieve_path, "") << kind->name;
            continue;
        }
        EXPECT_TRUE(kind->list_path.starts_with("/v1/")) << kind->name;
        bool has_place = kind->retrieve_path.ends_with("/{id}");
        bool only_listed = kind->name == "customer_balance_transaction" ||
                           kind->name == "active_entitlement"; // does not say whose it is
        EXPECT_EQ(has_place, !only_listed) << kind->name;
    }
}

TEST(ObjectCatalog, lists_that_hang_on_a_parent_say_whose_they_are) {
    int found = 0;
    for (const Kind *kind : all_kinds()) {
        bool by_path = kind->list_path.find("{id}") != std::string_view::npos;
        bool by_param = !kind->list_parent_param.empty();
        EXPECT_EQ(kind->list_parent != nullptr, by_path != by_param) << kind->name;
        const ChildList *list = parent_list(*kind);
        EXPECT_EQ(list != nullptr, kind->list_parent != nullptr) << kind->name;
        if (kind->list_parent == nullptr)
            continue;
        ++found;
        EXPECT_EQ(list->kind, kind);
        EXPECT_EQ(list->parent_column, "customer");
        EXPECT_EQ(list->more_path, kind->list_path);
        EXPECT_EQ(list->more_param, kind->list_parent_param);
        EXPECT_FALSE(list->embedded);
        EXPECT_NE(find_column(*kind, kind->list_parent->name), nullptr) << kind->name;
        EXPECT_EQ(kind->list_parent->list_parent, nullptr) << "one level is all the walker knows";
        EXPECT_FALSE(kind->filters_by_created) << "the range is one over the parents";
        EXPECT_TRUE(kind->children.empty());
    }
    EXPECT_EQ(found, 4);
}

TEST(ObjectCatalog, late_members_are_columns) {
    for (const Kind *kind : all_kinds())
        if (!kind->late_member.empty())
            EXPECT_NE(find_column(*kind, kind->late_member), nullptr) << kind->name;
    EXPECT_EQ(find_kind("charge")->late_member, "balance_transaction");
}

} // namespace
} // namespace billstack::stripe
