#include "core/error.hpp"
#include "stripe/price_rules.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

std::string refusal(const PriceTerms &terms) {
    try {
        check_price(terms);
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::bad_argument);
        return error.message;
    }
    return "";
}

TEST(PriceRules, amounts_and_currencies) {
    EXPECT_EQ(refusal({0, "usd", std::nullopt, 1}), "");
    EXPECT_EQ(refusal({-1, "usd", std::nullopt, 1}),
              "argument \"unit_amount\" must not be negative");
    for (const char *currency : {"", "us", "USD", "us1", "usdt", "us\u00e9"})
        EXPECT_EQ(refusal({1, currency, std::nullopt, 1}), "argument \"currency\" is no currency")
            << currency;
}

TEST(PriceRules, intervals_reach_three_years) {
    const std::pair<const char *, int> most[] = {
        {"day", 1095}, {"week", 156}, {"month", 36}, {"year", 3}};
    for (auto [interval, count] : most) {
        EXPECT_EQ(refusal({1, "usd", interval, 1}), "");
        EXPECT_EQ(refusal({1, "usd", interval, count}), "");
        EXPECT_NE(refusal({1, "usd", interval, count + 1}), "");
        EXPECT_NE(refusal({1, "usd", interval, 0}), "");
    }
    for (const char *interval : {"", "Month", "quarter"})
        EXPECT_EQ(refusal({1, "usd", interval, 1}),
                  "argument \"recurring_interval\" is no interval");
    EXPECT_EQ(refusal({1, "usd", std::nullopt, 2}),
              "argument \"interval_count\" needs \"recurring_interval\"");
}

} // namespace
} // namespace billstack::stripe
