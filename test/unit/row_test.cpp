// From an object's bytes to the values of its columns: types, fallbacks, repairs, children.
#include "sync/row.hpp"

#include "core/error.hpp"
#include "test_data.hpp"
#include "json/object_page.hpp"

#include <gtest/gtest.h>
#include <jansson.h>
#include <memory>

namespace billstack::sync {
namespace {

std::string id_of(const std::string &raw) {
    return json::ListPage::parse_object(raw).objects().at(0).id;
}

// One extracted object, with its values by column name.
struct Extracted {
    Extracted(const char *kind, std::string text) : raw(std::move(text)), id(id_of(raw)) {
        batch.kind = stripe::find_kind(kind);
        batch.rows.push_back({id, raw, digest_of(raw)});
        extract_columns(batch);
    }
    const Value &operator[](std::string_view column) const {
        for (std::size_t i = 0; i < batch.kind->columns.size(); ++i)
            if (batch.kind->columns[i].name == column)
                return batch.values.at(i);
        throw std::out_of_range(std::string(column));
    }
    std::string raw;
    std::string id;
    RowBatch batch;
};

TEST(Row, scalars_by_type) {
    Extracted row("subscription", R"({"id":"sub_1","created":1700000000,"livemode":true,
        "cancel_at_period_end":false,"quantity":-3,"application_fee_percent":1.10,
        "status":"act\u0069ve","description":"plain","customer":{"object":"customer","id":"cus_1"},
        "default_source":"card_1","metadata":{"a": "b"},"schedule":null})");
    EXPECT_EQ(row["id"].text, "sub_1");
    EXPECT_EQ(row["created"].number, 1700000000);
    EXPECT_EQ(row["livemode"].number, 1);
    EXPECT_FALSE(row["cancel_at_period_end"].is_null);
    EXPECT_EQ(row["cancel_at_period_end"].number, 0);
    EXPECT_EQ(row["quantity"].number, -3);
    EXPECT_EQ(row["application_fee_percent"].text, "1.10");
    EXPECT_EQ(row["status"].text, "active");
    EXPECT_EQ(row["customer"].text, "cus_1");
    EXPECT_EQ(row["default_source"].text, "card_1");
    EXPECT_EQ(row["metadata"].text, R"({"a": "b"})");
    EXPECT_TRUE(row["schedule"].is_null);
    EXPECT_TRUE(row["trial_end"].is_null);
    // An unescaped string is not copied.
    EXPECT_EQ(row["description"].text.data(), row.raw.data() + row.raw.find("plain"));
}

TEST(Row, a_value_of_another_type_is_null) {
    Extracted row("subscription", R"({"id":"sub_1","created":"1700000000","livemode":1,
        "quantity":"3","application_fee_percent":"1.1","status":7,"customer":{"id":5},
        "default_source":["x"],"plan":{"ID":"p"},"metadata":"m","ended_at":{},"currency":true})");
    for (const char *column :
         {"created", "livemode", "quantity", "application_fee_percent", "status", "customer",
          "default_source", "plan", "metadata", "ended_at", "currency"})
        EXPECT_TRUE(row[column].is_null) << column;
}

TEST(Row, integers_never_pass_through_a_double) {
    Extracted row("invoice", R"({"id":"in_1","total":9007199254740993,
        "subtotal":9223372036854775807,"amount_due":-9223372036854775808,
        "amount_paid":9223372036854775808,"amount_remaining":1.0,"tax":1e3,"ending_balance":-0,
        "created":9224318015999,"due_date":9224318016000,"paid_at":1,"period_end":-210866803200,
        "period_start":-210866803201})");
    EXPECT_EQ(row["total"].number, 9007199254740993);
    EXPECT_EQ(row["subtotal"].number, INT64_MAX);
    EXPECT_EQ(row["amount_due"].number, INT64_MIN);
    EXPECT_FALSE(row["ending_balance"].is_null);
    EXPECT_EQ(row["ending_balance"].number, 0);
    EXPECT_EQ(row["created"].number, 9224318015999);
    EXPECT_EQ(row["period_end"].number, -210866803200);
    for (const char *column :
         {"amount_paid", "amount_remaining", "tax", "due_date", "paid_at", "period_start"})
        EXPECT_TRUE(row[column].is_null) << column;
}

TEST(Row, numbers_that_would_grow_are_null) {
    for (const char *number : {"1e101", "1e131071", "1e-101"})
        EXPECT_TRUE(
            Extracted("subscription", std::string(R"({"id":"s","application_fee_percent":)") +
                                          number + "}")["application_fee_percent"]
                .is_null)
            << number;
    Extracted row("subscription", R"({"id":"s","metadata":{"a":1e131071}})");
    EXPECT_TRUE(row["metadata"].is_null);
    std::string deep(65, '[');
    Extracted nested("subscription",
                     "{\"id\":\"s\",\"metadata\":{\"a\":" + deep + std::string(65, ']') + "}}");
    EXPECT_TRUE(nested["metadata"].is_null);
}

TEST(Row, text_that_postgresql_cannot_hold_is_repaired) {
    Extracted row("customer", R"({"id":"cus_1","name":"a\u0000b","description":"\ud800",
        "email":"\ud83d\ude00\"\\","metadata":{"k\u0000":"\udc00 ok"}})");
    EXPECT_EQ(row["name"].text, "a\ufffdb");
    EXPECT_EQ(row["description"].text, "\ufffd");
    EXPECT_EQ(row["email"].text, "😀\"\\");
    EXPECT_EQ(row["metadata"].text, R"({"k\ufffd":"\ufffd ok"})");
}

TEST(Row, moved_members_are_read_from_both_places) {
    Extracted old_form("subscription", R"({"id":"s","current_period_end":5,
        "items":{"data":[{"current_period_end":7}]}})");
    EXPECT_EQ(old_form["current_period_end"].number, 5);
    Extracted new_form("subscription",
                       R"({"id":"s","items":{"object":"list","data":[{"current_period_end":7,
        "current_period_start":6},{"current_period_end":9}]},"current_period_start":null})");
    EXPECT_EQ(new_form["current_period_end"].number, 7);
    EXPECT_EQ(new_form["current_period_start"].number, 6);
    Extracted invoice("invoice",
                      R"({"parent":{"subscription_details":{"subscription":"sub_9"}},"id":"in_1",
        "subscription":null,"payments":{"data":[{"payment":{"payment_intent":"pi_1"}}]},
        "status_transitions":{"paid_at":11}})");
    EXPECT_EQ(invoice["subscription"].text, "sub_9");
    EXPECT_EQ(invoice["payment_intent"].text, "pi_1");
    EXPECT_EQ(invoice["paid_at"].number, 11);
    Extracted line("invoice_line_item", R"({"id":"il_1","period":{"start":1,"end":2},
        "parent":{"subscription_item_details":{"subscription_item":"si_1","proration":true}},
        "pricing":{"price_details":{"price":"price_1","product":"prod_1"}}})");
    EXPECT_EQ(line["price"].text, "price_1");
    EXPECT_EQ(line["product"].text, "prod_1");
    EXPECT_EQ(line["subscription_item"].text, "si_1");
    EXPECT_EQ(line["proration"].number, 1);
    EXPECT_EQ(line["period_end"].number, 2);
    Extracted item("subscription_item",
                   R"({"id":"si_1","price":{"product":{"id":"prod_2"},"id":"price_2"}})");
    EXPECT_EQ(item["price"].text, "price_2");
    EXPECT_EQ(item["product"].text, "prod_2");
}

TEST(Row, refuses_objects_that_are_not_json_or_not_theirs) {
    for (const char *raw : {"", "[]", R"({"id":"a")", R"({"id":"b"})", R"({"name":"a"})",
                            R"({"id":"a","x":tru})", R"({"id":"a","id":"b"})", R"({"id":7})"}) {
        RowBatch batch;
        batch.kind = stripe::find_kind("customer");
        batch.rows.push_back({"a", raw, digest_of(raw)});
        EXPECT_THROW(extract_columns(batch), core::Error) << raw;
    }
}

TEST(Row, a_child_belongs_to_the_parent_it_was_listed_in) {
    RowBatch batch;
    batch.kind = stripe::find_kind("invoice_line_item");
    std::string raw = R"({"id":"il_1","invoice":"in_other"})";
    std::string none = R"({"id":"il_2"})";
    batch.rows = {{"il_1", raw, digest_of(raw)}, {"il_2", none, digest_of(none)}};
    batch.parents = {"in_1", "in_2"};
    extract_columns(batch);
    std::size_t width = batch.kind->columns.size();
    std::size_t column = 0;
    while (batch.kind->columns[column].name != "invoice")
        ++column;
    EXPECT_EQ(batch.values[column].text, "in_1");
    EXPECT_EQ(batch.values[width + column].text, "in_2");
    batch.parents.clear();
    extract_columns(batch);
    EXPECT_EQ(batch.values[column].text, "in_other");
    EXPECT_TRUE(batch.values[width + column].is_null);
}

TEST(Row, children_are_found_with_their_bytes) {
    const stripe::Kind &kind = *stripe::find_kind("invoice");
    std::string raw = R"({"id":"in_1","lines":{"object":"list", "data":[ {"id":"il_1"} ,
        {"id":"il_\u0032","n":[1]}],"has_more":true}})";
    std::vector<ChildRows> lists = read_children(kind, "in_1", raw);
    ASSERT_EQ(lists.size(), 1u);
    EXPECT_EQ(lists[0].list->field, "lines");
    EXPECT_EQ(lists[0].parent_id, "in_1");
    EXPECT_TRUE(lists[0].present);
    EXPECT_TRUE(lists[0].has_more);
    ASSERT_EQ(lists[0].rows.size(), 2u);
    EXPECT_EQ(lists[0].rows[0].raw, R"({"id":"il_1"})");
    EXPECT_EQ(lists[0].rows[1].id, "il_2");
    EXPECT_EQ(lists[0].rows[1].raw, R"({"id":"il_\u0032","n":[1]})");
    for (const char *without : {R"({"id":"in_1"})", R"({"lines":null})", R"({"lines":[]})",
                                R"({"lines":{"object":"list"}})", R"({"lines":"x"})"})
        EXPECT_FALSE(read_children(kind, "in_1", without).at(0).present) << without;
    EXPECT_TRUE(read_children(*stripe::find_kind("charge"), "ch_1", "{}").empty());
    EXPECT_THROW(read_children(kind, "in_1", R"({"lines":)"), core::Error);
}

TEST(Row, a_list_that_is_not_embedded_is_still_to_be_read) {
    const stripe::Kind &kind = *stripe::find_kind("checkout_session");
    for (const char *raw : {R"({"id":"cs_1"})", R"({"id":"cs_1","line_items":null})",
                            R"({"line_items":{"data":[{"id":"li_1"}],"has_more":false}})"}) {
        std::vector<ChildRows> lists = read_children(kind, "cs_1", raw);
        ASSERT_EQ(lists.size(), 1u);
        EXPECT_TRUE(lists[0].present);
        EXPECT_TRUE(lists[0].has_more);
        EXPECT_TRUE(lists[0].rows.empty());
    }
}

TEST(Row, an_object_of_a_parents_list_gets_the_parents_id) {
    RowBatch batch;
    batch.kind = stripe::find_kind("active_entitlement");
    std::string raw = R"({"id":"ent_1","feature":{"id":"feat_1"}})";
    batch.rows = {{"ent_1", raw, digest_of(raw)}};
    batch.parents = {"cus_1"};
    extract_columns(batch);
    std::size_t column = 0;
    while (batch.kind->columns[column].name != "customer")
        ++column;
    EXPECT_EQ(batch.values[column].text, "cus_1");
    EXPECT_EQ(batch.values[column + 1].text, "feat_1");
}

TEST(Row, stripes_examples_fill_their_columns) {
    std::string text = test::read_test_data("stripe_objects.json");
    std::unique_ptr<json_t, decltype(&json_decref)> objects(
        json_loadb(text.data(), text.size(), 0, nullptr), json_decref);
    ASSERT_NE(objects, nullptr);
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        json_t *object = json_object_get(objects.get(), std::string(kind->name).c_str());
        std::unique_ptr<char, decltype(&free)> dumped(json_dumps(object, JSON_INDENT(2)), free);
        Extracted row(std::string(kind->name).c_str(), dumped.get());
        for (const stripe::Column &column : kind->columns) {
            json_t *value = json_object_get(object, std::string(column.name).c_str());
            if (value == nullptr || json_is_null(value))
                continue;
            EXPECT_FALSE(row[column.name].is_null) << kind->name << "." << column.name;
        }
        EXPECT_EQ(row["id"].text, json_string_value(json_object_get(object, "id")));
    }
}

} // namespace
} // namespace billstack::sync
