// The list of event types: sorted, each of a mirrored object, and none forgotten that the known
// sync engines apply.
#include "stripe/event_types.hpp"

#include "stripe/object_catalog.hpp"
#include "test_data.hpp"

#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <string>

namespace billstack::stripe {
namespace {

// "customer.subscription.updated" -> "subscription": what data.object is by Stripe's documentation.
std::string object_of(std::string_view type) {
    static const std::map<std::string, std::string> others = {
        {"charge.dispute", "dispute"},
        {"charge.refund", "refund"},
        {"customer.subscription", "subscription"},
        {"customer.tax_id", "tax_id"},
    };
    std::string prefix(type.substr(0, type.rfind('.')));
    auto found = others.find(prefix);
    return found == others.end() ? prefix : found->second;
}

TEST(EventTypes, are_sorted_and_unique) {
    std::span<const EventType> types = event_types();
    for (std::size_t i = 1; i < types.size(); ++i)
        EXPECT_LT(types[i - 1].name, types[i].name);
    EXPECT_GT(types.size(), 100u);
}

TEST(EventTypes, each_is_of_a_mirrored_kind) {
    for (const EventType &type : event_types()) {
        std::string object = object_of(type.name);
        EXPECT_NE(type.effect, Effect::ignored) << type.name;
        EXPECT_EQ(effect_of(type.name, object), type.effect) << type.name;
        if (type.effect == Effect::entitlements) {
            EXPECT_EQ(object, "entitlements.active_entitlement_summary");
            continue;
        }
        const Kind *kind = find_kind_by_object(object);
        ASSERT_NE(kind, nullptr) << type.name;
        EXPECT_FALSE(kind->retrieve_path.empty()) << type.name << ": a tie could not be settled";
    }
}

TEST(EventTypes, only_a_canceled_subscription_outlives_its_deletion) {
    for (const EventType &type : event_types()) {
        bool deleted =
            type.name.ends_with(".deleted") && type.name != "customer.subscription.deleted";
        EXPECT_EQ(type.effect == Effect::deletion, deleted) << type.name;
    }
}

TEST(EventTypes, those_of_known_engines_are_all_there) {
    std::istringstream lines(test::read_test_data("compat_event_types.txt"));
    std::string line;
    int checked = 0;
    while (std::getline(lines, line)) {
        if (line.starts_with("#"))
            continue;
        ++checked;
        bool found = false;
        for (const EventType &type : event_types())
            found = found || type.name == line;
        EXPECT_TRUE(found) << line;
    }
    EXPECT_GT(checked, 85);
}

TEST(EventTypes, others_are_judged_by_their_object) {
    EXPECT_EQ(effect_of("payment_method.card_automatically_updated", "payment_method"),
              Effect::state);
    EXPECT_EQ(effect_of("invoice.surprised", "invoice"), Effect::state);
    EXPECT_EQ(effect_of("promotion_code.deleted", "promotion_code"), Effect::deletion);
    EXPECT_EQ(effect_of("invoice.upcoming", "invoice"), Effect::ignored);
    EXPECT_EQ(effect_of("customer.discount.created", "discount"), Effect::ignored);
    EXPECT_EQ(effect_of("file.created", "file"), Effect::ignored);
    EXPECT_EQ(effect_of("", ""), Effect::ignored);
}

} // namespace
} // namespace billstack::stripe
