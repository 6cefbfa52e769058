// What users may attach as metadata, and what Stripe is sent of it.
#include "core/error.hpp"
#include "stripe/metadata.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

std::string refusal(std::string_view text) {
    try {
        (void)check_metadata(text);
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::bad_argument);
        return error.message;
    }
    return "not refused";
}

std::string object_of(int keys) {
    std::string text = "{";
    for (int i = 0; i < keys; ++i)
        text += (i == 0 ? "\"k" : ", \"k") + std::to_string(i) + "\": \"v\"";
    return text + "}";
}

std::string repeated(std::string_view text, int times) {
    std::string result;
    for (int i = 0; i < times; ++i)
        result += text;
    return result;
}

TEST(Metadata, scalars_become_texts) {
    EXPECT_EQ(check_metadata("{}"), Metadata());
    EXPECT_EQ(check_metadata(" { \"a\" : \"x \\u00e9\\n\", \"b\": 1.50, \"c\":true,\"d\": \"\" } "),
              (Metadata{{"a", "x \u00e9\n"}, {"b", "1.50"}, {"c", "true"}, {"d", ""}}));
}

TEST(Metadata, others_are_refused) {
    EXPECT_EQ(refusal("[]"), "argument \"metadata\" must be a JSON object");
    EXPECT_EQ(refusal("null"), "argument \"metadata\" must be a JSON object");
    EXPECT_EQ(refusal("\"a\""), "argument \"metadata\" must be a JSON object");
    for (const char *value : {"null", "{}", "[1]", "{\"b\": 1}"})
        EXPECT_EQ(refusal(std::string("{\"a\": ") + value + "}"),
                  "the value of metadata key \"a\" is no string, number or boolean");
}

TEST(Metadata, limits_of_stripe_in_characters) {
    EXPECT_EQ(check_metadata(object_of(48)).size(), 48u);
    EXPECT_EQ(refusal(object_of(49)), "argument \"metadata\" has too many keys");
    EXPECT_EQ(refusal("{\"\": 1}"), "a metadata key is empty");
    const std::string wide = "\u00e9";
    EXPECT_EQ(check_metadata("{\"" + repeated(wide, 40) + "\": 1}").size(), 1u);
    EXPECT_EQ(refusal("{\"" + repeated(wide, 41) + "\": 1}"), "a metadata key is too long");
    EXPECT_EQ(check_metadata("{\"a\": \"" + repeated(wide, 500) + "\"}").size(), 1u);
    EXPECT_EQ(refusal("{\"a\": \"" + repeated(wide, 501) + "\"}"),
              "the value of metadata key \"a\" is too long");
    EXPECT_EQ(refusal("{\"a[b]\": 1}"), "metadata key \"a[b]\" has a bracket");
}

TEST(Metadata, card_numbers_are_refused_wherever_they_stand) {
    const std::string message = "argument \"metadata\" holds what looks like a card number";
    EXPECT_EQ(refusal("{\"a\": \"4242424242424242\"}"), message);
    EXPECT_EQ(refusal("{\"a\": 4242424242424242}"), message);
    EXPECT_EQ(refusal("{\"a\": \"card 4242 4242 4242 4242 of Ada\"}"), message);
    EXPECT_EQ(refusal("{\"4242424242424242\": 1}"), message);
    EXPECT_EQ(check_metadata("{\"a\": \"4242424242424241\"}").size(), 1u); // fails Luhn's check
}

TEST(Metadata, routing_keys_are_reserved) {
    EXPECT_EQ(refusal("{\"project_id\": \"x\"}"), "metadata key \"project_id\" is reserved");
    EXPECT_EQ(refusal("{\"billstack_intent\": \"x\"}"),
              "metadata key \"billstack_intent\" is reserved");
    EXPECT_EQ(refusal("{\"project\\u005fid\": \"x\"}"), "metadata key \"project_id\" is reserved");
}

TEST(Metadata, a_change_unsets_what_is_left_out_but_no_system_key) {
    Params params;
    append_metadata_change(params, {{"a", "1"}, {"b", "2"}},
                           metadata_keys(R"({"b": "0", "c": "0", "project_id": "p",
                                             "billstack_intent": "i"})"));
    EXPECT_EQ(params, (Params{{"metadata[a]", "1"}, {"metadata[b]", "2"}, {"metadata[c]", ""}}));
    params.clear();
    append_metadata(params, {{"a", "1"}}, "subscription_data[metadata]");
    EXPECT_EQ(params, (Params{{"subscription_data[metadata][a]", "1"}}));
}

} // namespace
} // namespace billstack::stripe
