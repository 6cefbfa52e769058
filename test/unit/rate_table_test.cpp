// Accounts and endpoints together: whose token is taken, and what a refusal slows.
#include "stripe/rate_table.hpp"

#include <gtest/gtest.h>
#include <memory>

namespace billstack::stripe {
namespace {

constexpr std::int64_t second = 1000000;
constexpr std::int64_t start = 5000 * second;

class RateTableTest : public testing::Test {
  protected:
    std::unique_ptr<RateTable> table = std::make_unique<RateTable>();
    RateLimits limits{100, 25};
    std::int64_t now = start;

    std::int64_t ask(const RateKey &key, Priority priority = Priority::background) {
        return admit(*table, names_of(key), limits, priority, {}, now);
    }
    // Sends of each endpoint within so long, each as fast as it may.
    std::vector<int> run(const std::vector<RateKey> &keys, std::int64_t length) {
        std::vector<int> sent(keys.size(), 0);
        for (const std::int64_t until = now + length; now < until; now += 500)
            for (std::size_t i = 0; i < keys.size(); ++i)
                sent[i] += ask(keys[i]) == 0 ? 1 : 0;
        return sent;
    }
    void refuse(const RateKey &key, LimitReason reason, int in_flight = 10) {
        note_refusal(*table, names_of(key), limits, {reason, 0, now, {in_flight, in_flight}}, now);
    }
};

const RateKey charges{"acct_1/live", "GET /v1/charges"};
const RateKey invoices{"acct_1/live", "GET /v1/invoices"};

TEST_F(RateTableTest, an_endpoint_at_its_limit_holds_up_no_other) {
    const auto sent = run({charges, invoices}, 10 * second);
    EXPECT_NEAR(sent[0], 247, 5);
    EXPECT_NEAR(sent[1], 247, 5);
}

TEST_F(RateTableTest, all_endpoints_together_keep_to_the_accounts_limit) {
    std::vector<RateKey> keys;
    for (int i = 0; i < 8; ++i)
        keys.push_back({"acct_1/live", "GET /v1/kind" + std::to_string(i)});
    int all = 0;
    for (const int each : run(keys, 10 * second))
        all += each;
    EXPECT_NEAR(all, 988, 12);
}

TEST_F(RateTableTest, another_account_and_the_other_mode_have_their_own) {
    const auto sent =
        run({charges, {"acct_2/live", charges.endpoint}, {"acct_1/test", charges.endpoint}},
            10 * second);
    for (const int each : sent)
        EXPECT_NEAR(each, 247, 5);
}

TEST_F(RateTableTest, a_refusal_slows_what_it_names_and_nothing_else) {
    refuse(charges, LimitReason::endpoint_rate);
    auto sent = run({charges, invoices}, second);
    EXPECT_LE(sent[0], 19);
    EXPECT_GE(sent[1], 24);
    now += 30 * second;
    for (const auto reason : {LimitReason::none, LimitReason::resource_specific}) {
        refuse(charges, reason);
        EXPECT_GE(run({charges}, second)[0], 24);
        now += 30 * second;
    }
    refuse(charges, LimitReason::endpoint_concurrency, 2);
    EXPECT_GT(admit(*table, names_of(charges), limits, Priority::background, {1, 1}, now), 0);
    EXPECT_EQ(admit(*table, names_of(invoices), limits, Priority::background, {1, 1}, now), 0);
    now += 400 * second;
    refuse(charges, LimitReason::global_concurrency, 2);
    EXPECT_GT(admit(*table, names_of(invoices), limits, Priority::background, {1, 1}, now), 0);
}

TEST_F(RateTableTest, a_global_refusal_slows_the_account) {
    std::vector<RateKey> keys;
    for (int i = 0; i < 8; ++i)
        keys.push_back({"acct_1/live", "GET /v1/kind" + std::to_string(i)});
    refuse(keys[0], LimitReason::global_rate);
    int all = 0;
    for (const int each : run(keys, second))
        all += each;
    EXPECT_LE(all, 76);
}

TEST_F(RateTableTest, a_user_is_next_whatever_waits) {
    limits = {25, 25};
    (void)run({charges, invoices}, second + 7000);
    const RateKey checkout{"acct_1/live", "POST /v1/checkout/sessions"};
    std::int64_t waited = 0;
    while (ask(checkout, Priority::user) != 0) {
        EXPECT_NE(ask(charges), 0); // asks as often, and does not get it
        now += 500;
        waited += 500;
    }
    EXPECT_LE(waited, 200000);
}

TEST_F(RateTableTest, with_more_names_than_places_some_share) {
    int refused = 0;
    for (int i = 0; i < 5000; ++i) {
        const RateKey key{"acct_" + std::to_string(i) + "/live", "GET /v1/charges"};
        refused += ask(key) != 0 ? 1 : 0;
        now += 20000;
    }
    EXPECT_EQ(refused, 0); // slow enough for a bucket that all of them share
    // What has not been used for long gives its place up.
    now += 120 * second;
    EXPECT_NEAR(run({charges}, 10 * second)[0], 247, 5);
}

TEST_F(RateTableTest, limits_follow_mode_and_operation) {
    EXPECT_EQ(limits_of(charges, -1, -1).account, 100);
    EXPECT_EQ(limits_of({"acct_1/test", "GET /v1/charges"}, -1, -1).account, 25);
    EXPECT_EQ(limits_of(charges, -1, -1).endpoint, 25);
    EXPECT_EQ(limits_of({"a/live", "GET /v1/invoices/search"}, -1, -1).endpoint, 20);
    EXPECT_EQ(limits_of(charges, 7, 3).account, 7);
    EXPECT_EQ(limits_of(charges, 7, 3).endpoint, 3);
    EXPECT_EQ(limits_of(charges, 0, 0).account, 0);
}

TEST_F(RateTableTest, knows_stripes_reasons) {
    EXPECT_EQ(limit_reason_of("global-rate"), LimitReason::global_rate);
    EXPECT_EQ(limit_reason_of("endpoint-rate"), LimitReason::endpoint_rate);
    EXPECT_EQ(limit_reason_of("global-concurrency"), LimitReason::global_concurrency);
    EXPECT_EQ(limit_reason_of("endpoint-concurrency"), LimitReason::endpoint_concurrency);
    EXPECT_EQ(limit_reason_of("resource-specific"), LimitReason::resource_specific);
    EXPECT_EQ(limit_reason_of("something-new"), LimitReason::resource_specific);
    EXPECT_EQ(limit_reason_of(""), LimitReason::none);
}

} // namespace
} // namespace billstack::stripe
