// The Caller and its gate: what is asked when, what overtakes what, and what the gate is told.
#include "fake_transport.hpp"
#include "stripe/caller.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

using core::Milliseconds;
using test::answered;

// Tokens by endpoint; without an entry a call goes.
class FakeGate final : public RateGate {
  public:
    std::optional<Milliseconds> admit(const RateKey &key, Priority) override {
        ++asked;
        const auto found = waits.find(key.endpoint);
        if (found != waits.end())
            return found->second;
        ++open;
        keys.push_back(key);
        return std::nullopt;
    }
    void answered(const RateKey &, const Answer &answer) override {
        --open;
        statuses.push_back(answer.http_status);
        reasons.emplace_back(answer.limited_reason);
        retry_after = answer.retry_after;
        latency = answer.latency;
    }
    std::map<std::string, Milliseconds> waits;
    int asked = 0;
    int open = 0;
    std::vector<RateKey> keys;
    std::vector<int> statuses;
    std::vector<std::string> reasons;
    Milliseconds retry_after{0};
    Milliseconds latency{0};
};

class CallerGateTest : public testing::Test {
  protected:
    test::FakeTransport transport;
    test::TestClock clock;
    FakeGate gate;
    std::unique_ptr<Caller> caller =
        std::make_unique<Caller>(transport, clock, CallerOptions{"", 3, &gate}, 42);
    std::vector<CallResult> results;

    CallId submit(const std::string &path, Priority priority = Priority::background) {
        Call call;
        call.path = path;
        call.account = "acct_1/live";
        call.key = std::make_shared<const core::SecretBytes>(
            core::SecretBytes::copy_of("sk_test_abcdefghij"));
        call.priority = priority;
        return caller->submit(std::move(call));
    }
    void pass(Milliseconds time) {
        clock.passed += time;
        caller->step(results);
    }
    std::vector<std::string> sent_paths() const {
        std::vector<std::string> paths;
        for (const http::Request &request : transport.requests)
            paths.push_back(request.target);
        return paths;
    }
};

TEST_F(CallerGateTest, asks_by_account_and_operation) {
    submit("/v1/customers/cus_1");
    pass(Milliseconds(0));
    ASSERT_EQ(gate.keys.size(), 1U);
    EXPECT_EQ(gate.keys[0].account, "acct_1/live");
    EXPECT_EQ(gate.keys[0].endpoint, "GET /v1/customers/{id}");
}

TEST_F(CallerGateTest, a_call_without_account_goes_by_its_key) {
    Call call;
    call.path = "/v1/account";
    call.key =
        std::make_shared<const core::SecretBytes>(core::SecretBytes::copy_of("sk_live_abcdefghij"));
    caller->submit(std::move(call));
    pass(Milliseconds(0));
    EXPECT_EQ(gate.keys.at(0).account, rate_account("", true, "sk_live_abcdefghij"));
}

TEST_F(CallerGateTest, a_lane_that_waits_is_overtaken_and_asked_again_in_time) {
    gate.waits["GET /v1/invoices"] = Milliseconds(40);
    const CallId waiting = submit("/v1/invoices");
    submit("/v1/invoices");
    submit("/v1/charges");
    pass(Milliseconds(0));
    EXPECT_EQ(sent_paths(), (std::vector<std::string>{"/v1/charges"}));
    EXPECT_STREQ(caller->phase(waiting), "queued");
    EXPECT_EQ(caller->next_timeout(), Milliseconds(40));
    const int asked = gate.asked;
    pass(Milliseconds(39));
    EXPECT_EQ(gate.asked, asked); // not before its time
    gate.waits.clear();
    pass(Milliseconds(1));
    EXPECT_EQ(transport.requests.size(), 3U);
}

TEST_F(CallerGateTest, a_waiting_user_does_not_hold_up_background_calls_of_others) {
    gate.waits["GET /v1/account"] = Milliseconds(100);
    submit("/v1/account", Priority::user);
    submit("/v1/charges");
    pass(Milliseconds(0));
    EXPECT_EQ(sent_paths(), (std::vector<std::string>{"/v1/charges"}));
}

TEST_F(CallerGateTest, the_gate_hears_of_every_admitted_call_once) {
    submit("/v1/charges");
    const CallId dropped = submit("/v1/invoices");
    submit("/v1/refunds");
    pass(Milliseconds(0));
    EXPECT_EQ(gate.open, 3);
    clock.passed += Milliseconds(70);
    transport.answer(1, answered(200));
    pass(Milliseconds(0));
    EXPECT_EQ(gate.latency, Milliseconds(70));
    caller->cancel(dropped);
    EXPECT_EQ(gate.open, 1);
    caller.reset();
    EXPECT_EQ(gate.open, 0);
    EXPECT_EQ(gate.statuses, (std::vector<int>{200, 0, 0}));
}

TEST_F(CallerGateTest, a_refusal_tells_its_reason) {
    for (int i = 0; i < 3; ++i)
        submit("/v1/charges");
    pass(Milliseconds(0));
    transport.answer(
        1, answered(429, "{}",
                    {{"stripe-rate-limited-reason", "endpoint-rate"}, {"retry-after", "2"}}));
    pass(Milliseconds(0));
    EXPECT_EQ(gate.retry_after, Milliseconds(2000));
    transport.answer(2, answered(429, test::error_of("lock_timeout")));
    pass(Milliseconds(0));
    transport.answer(3, answered(429, test::error_of("rate_limit")));
    pass(Milliseconds(0));
    EXPECT_EQ(gate.reasons, (std::vector<std::string>{"endpoint-rate", "", "global-rate"}));
}

TEST_F(CallerGateTest, a_call_that_backs_off_asks_again) {
    submit("/v1/charges");
    pass(Milliseconds(0));
    transport.answer(1, answered(500));
    pass(Milliseconds(0));
    EXPECT_EQ(gate.open, 0);
    pass(Milliseconds(6000));
    EXPECT_EQ(gate.open, 1);
    EXPECT_EQ(gate.keys.size(), 2U);
}

TEST_F(CallerGateTest, a_users_call_that_never_gets_a_token_ends) {
    gate.waits["GET /v1/account"] = Milliseconds(500);
    submit("/v1/account", Priority::user);
    for (int i = 0; i < 200; ++i)
        pass(Milliseconds(500));
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].status, CallStatus::unreachable);
}

} // namespace
} // namespace billstack::stripe
