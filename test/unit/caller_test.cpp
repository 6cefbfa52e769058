// The Caller with a transport and a clock that the test owns; every row of the retry table.
#include "core/error.hpp"
#include "fake_transport.hpp"
#include "stripe/caller.hpp"

#include <gtest/gtest.h>
#include <map>

namespace billstack::stripe {
namespace {

using core::Milliseconds;
using http::Failure;
using http::Response;
using test::answered;
using test::failed;
using test::FakeTransport;
using test::TestClock;

Call call_of(const std::string &method = "GET", Priority priority = Priority::background) {
    Call call;
    call.method = method;
    call.path = "/v1/customers";
    call.key =
        std::make_shared<const core::SecretBytes>(core::SecretBytes::copy_of("sk_test_abcdefghij"));
    call.priority = priority;
    if (method == "POST")
        call.idempotency_key = "idem-1";
    return call;
}

class CallerTest : public testing::Test {
  protected:
    FakeTransport transport;
    TestClock clock;
    Caller caller{transport, clock, {"2025-03-31.basil", 2}, 42};
    std::vector<CallResult> results;

    void step() { caller.step(results); }
    void pass(Milliseconds time) {
        clock.passed += time;
        step();
    }
    // Answers the newest request and says whether another attempt was planned.
    bool retried_after(Call call, Response response) {
        results.clear();
        const CallId id = caller.submit(std::move(call));
        step();
        transport.answer(transport.requests.size(), std::move(response));
        step();
        const bool retried = std::string(caller.phase(id)) == "backing off";
        EXPECT_NE(retried, results.size() == 1);
        caller.cancel(id);
        return retried;
    }
};

TEST_F(CallerTest, sends_what_stripe_expects) {
    Call get = call_of();
    get.params = {{"limit", "100"}, {"created[gte]", "1 & 2"}};
    caller.submit(get);
    Call post = call_of("POST");
    post.params = {{"name", "J\xC3\xB6rg=x"}};
    caller.submit(post);
    step();
    ASSERT_EQ(transport.requests.size(), 2U);
    const http::Request &first = transport.requests[0];
    EXPECT_EQ(first.method, "GET");
    EXPECT_EQ(first.target, "/v1/customers?limit=100&created%5Bgte%5D=1%20%26%202");
    EXPECT_EQ(first.bearer->view(), "sk_test_abcdefghij");
    EXPECT_EQ(first.timeout, Milliseconds(30000));
    std::map<std::string, std::string> headers(first.headers.begin(), first.headers.end());
    EXPECT_EQ(headers["Accept"], "application/json");
    EXPECT_EQ(headers["Stripe-Version"], "2025-03-31.basil");
    EXPECT_TRUE(headers["User-Agent"].starts_with("billstack/"));
    EXPECT_FALSE(headers.contains("Content-Type"));
    EXPECT_FALSE(headers.contains("Authorization"));
    const http::Request &second = transport.requests[1];
    EXPECT_EQ(second.target, "/v1/customers");
    EXPECT_EQ(second.body, "name=J%C3%B6rg%3Dx");
    headers = {second.headers.begin(), second.headers.end()};
    EXPECT_EQ(headers["Idempotency-Key"], "idem-1");
    EXPECT_EQ(headers["Content-Type"], "application/x-www-form-urlencoded");
}

TEST_F(CallerTest, refuses_calls_that_may_not_be_sent) {
    std::vector<Call> bad;
    bad.push_back(call_of("POST"));
    bad.back().idempotency_key.clear();
    for (const char *key : {"a\r\nX: y", "a b", "\x80"}) {
        bad.push_back(call_of("POST"));
        bad.back().idempotency_key = key;
    }
    bad.push_back(call_of("POST"));
    bad.back().idempotency_key = std::string(256, 'k');
    bad.push_back(call_of("PATCH"));
    bad.push_back(call_of());
    bad.back().key = nullptr;
    for (const char *path : {"", "v1", "/v1/a?b", "/v1/a#b", "/v1/../x", "/v1//x", "/v1/x/..",
                             "/v1/a b", "/v1/x/", "/v1/./x", "/v1/a\\b", "/v1/\r\n"}) {
        bad.push_back(call_of());
        bad.back().path = path;
    }
    for (const Call &call : bad)
        try {
            caller.submit(call);
            ADD_FAILURE() << call.method << " " << call.path;
        } catch (const core::Error &error) {
            EXPECT_EQ(error.code, core::Code::bad_argument);
        }
    EXPECT_EQ(caller.pending(), 0U);
}

TEST_F(CallerTest, retry_table) {
    struct Row {
        const char *name;
        const char *method;
        Response response;
        bool retried;
    };
    const Row rows[] = {
        {"no answer: dns", "GET", failed(Failure::dns), true},
        {"no answer: connect", "GET", failed(Failure::connect), true},
        {"no answer: tls", "GET", failed(Failure::tls), true},
        {"no answer: timeout", "GET", failed(Failure::timeout), true},
        {"no answer: cut", "GET", failed(Failure::connection), true},
        {"no answer: not HTTP", "GET", failed(Failure::bad_response), true},
        {"no answer, POST", "POST", failed(Failure::timeout), true},
        {"no answer, DELETE", "DELETE", failed(Failure::timeout), true},
        {"too large", "GET", failed(Failure::too_large), false},
        {"refused here", "GET", failed(Failure::refused_here), false},
        {"200", "GET", answered(200), false},
        {"200 garbage", "GET", answered(200, "<html>"), true},
        {"200 garbage, POST", "POST", answered(200, "<html>"), false},
        {"302", "GET", answered(302), false},
        {"400", "GET", answered(400), false},
        {"401", "GET", answered(401), false},
        {"400, cut on the way", "GET", answered(400, "{\"error\":{"), true},
        {"402", "GET", answered(402), false},
        {"403", "GET", answered(403), false},
        {"404", "GET", answered(404), false},
        {"409", "GET", answered(409), true},
        {"409, POST", "POST", answered(409), true},
        {"409, told not to", "GET", answered(409, "{}", {{"stripe-should-retry", "false"}}), false},
        {"429", "GET", answered(429), true},
        {"429, told not to", "GET", answered(429, "{}", {{"stripe-should-retry", "false"}}), false},
        {"500", "GET", answered(500), true},
        {"503, DELETE", "DELETE", answered(503), true},
        {"500, told not to", "GET", answered(500, "{}", {{"stripe-should-retry", "false"}}), false},
        {"400, told to", "POST", answered(400, "{}", {{"stripe-should-retry", "true"}}), true},
        {"500, told nonsense", "GET", answered(500, "{}", {{"stripe-should-retry", "maybe"}}),
         true},
    };
    for (const Row &row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(retried_after(call_of(row.method), row.response), row.retried);
    }
    Call patient = call_of();
    patient.retry.retry_rate_limited = false;
    EXPECT_FALSE(retried_after(patient, answered(429)));
    EXPECT_TRUE(retried_after(patient, answered(429, "{}", {{"stripe-should-retry", "true"}})));
    Call once = call_of();
    once.retry.max_attempts = 1;
    EXPECT_FALSE(retried_after(once, answered(500)));
    EXPECT_FALSE(retried_after(once, failed(Failure::timeout)));
    EXPECT_FALSE(retried_after(once, answered(500, "{}", {{"stripe-should-retry", "true"}})));
    EXPECT_TRUE(retried_after(once, failed(Failure::connection)));
}

TEST_F(CallerTest, repeats_the_same_request_and_counts) {
    const CallId id = caller.submit(call_of("POST"));
    step();
    transport.answer(1, answered(500));
    step();
    EXPECT_STREQ(caller.phase(id), "backing off");
    EXPECT_EQ(caller.next_timeout(), Milliseconds(500));
    pass(Milliseconds(499));
    EXPECT_EQ(transport.requests.size(), 1U);
    pass(Milliseconds(1));
    ASSERT_EQ(transport.requests.size(), 2U);
    EXPECT_EQ(transport.requests[1].headers, transport.requests[0].headers);
    transport.answer(2, answered(429, "{}", {{"retry-after", "3"}}));
    step();
    pass(Milliseconds(2999));
    EXPECT_EQ(transport.requests.size(), 2U);
    pass(Milliseconds(1));
    transport.answer(3, answered(503, "{\"error\":{\"type\":\"api_error\"}}"));
    step();
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].status, CallStatus::unreachable);
    EXPECT_EQ(results[0].http_status, 503);
    EXPECT_EQ(results[0].attempts, 3);
    EXPECT_EQ(results[0].error.type, "api_error");
    EXPECT_EQ(caller.stats().requests, 3U);
    EXPECT_EQ(caller.stats().retries, 2U);
    EXPECT_EQ(caller.stats().rate_limited, 1U);
    EXPECT_EQ(caller.pending(), 0U);
    EXPECT_STREQ(caller.phase(id), "unknown");
}

TEST_F(CallerTest, a_user_is_never_behind_the_background) {
    for (int i = 0; i < 5; ++i)
        caller.submit(call_of());
    step();
    EXPECT_EQ(transport.requests.size(), 2U); // max_in_flight
    std::vector<CallId> users;
    for (int i = 0; i < 5; ++i) {
        Call call = call_of("GET", Priority::user);
        call.path = "/v1/user";
        users.push_back(caller.submit(call));
    }
    step();
    EXPECT_EQ(transport.requests.size(), 6U); // 4 more
    for (std::size_t i = 2; i < 6; ++i)
        EXPECT_EQ(transport.requests[i].target, "/v1/user");
    EXPECT_STREQ(caller.phase(users[4]), "queued");
    EXPECT_EQ(caller.next_timeout(), std::nullopt);
    transport.answer(1, answered(200));
    step();
    ASSERT_EQ(transport.requests.size(), 7U); // at once, in the step that freed the slot
    EXPECT_EQ(transport.requests[6].target, "/v1/user");
    for (http::RequestId id = 2; id <= 5; ++id)
        transport.answer(id, answered(200));
    step();
    EXPECT_EQ(transport.in_flight(), 2U);
    EXPECT_EQ(transport.requests.size(), 7U);
    transport.answer(6, answered(200));
    step();
    EXPECT_EQ(transport.requests.size(), 8U);
    EXPECT_EQ(transport.requests[7].target, "/v1/customers");
}

// Stripe's limit is a rate: twenty in flight use it up to a latency of 0.17 s, and more are needed
// beyond.
TEST(CallerSlots, background_calls_adapt_to_the_latency) {
    FakeTransport transport;
    TestClock clock;
    Caller caller{transport, clock, {"2025-03-31.basil", 70}, 42};
    std::vector<CallResult> results;
    auto go_on = [&](Milliseconds latency, std::size_t answers, const std::string &account) {
        for (std::size_t i = 0; i < answers; ++i) {
            Call call = call_of();
            call.account = account;
            caller.submit(call);
        }
        caller.step(results);
        for (std::size_t i = 0; i < answers; ++i) {
            clock.passed +=
                Milliseconds(latency.count() / static_cast<std::int64_t>(transport.in_flight()));
            transport.answer(transport.open.begin()->first, answered(200));
            caller.step(results);
        }
        return transport.in_flight();
    };
    for (int i = 0; i < 100; ++i)
        caller.submit(call_of());
    caller.step(results);
    EXPECT_EQ(transport.in_flight(), 20U);
    EXPECT_EQ(go_on(Milliseconds(150), 100, ""), 20U);
    EXPECT_NEAR(static_cast<double>(go_on(Milliseconds(400), 500, "")), 49, 4);
    for (int i = 0; i < 600; ++i)
        caller.submit(call_of());
    EXPECT_EQ(go_on(Milliseconds(400), 500, "another"), 70U); // two accounts; max_in_flight
    EXPECT_NEAR(static_cast<double>(go_on(Milliseconds(100), 1000, "")), 22, 3);
}

TEST_F(CallerTest, cancel_works_in_every_phase) {
    const CallId sent = caller.submit(call_of());
    const CallId waiting = caller.submit(call_of());
    const CallId queued = caller.submit(call_of());
    step();
    transport.answer(2, answered(500));
    step();
    EXPECT_STREQ(caller.phase(sent), "sent");
    EXPECT_STREQ(caller.phase(waiting), "backing off");
    EXPECT_STREQ(caller.phase(queued), "sent"); // took the free slot
    const CallId behind = caller.submit(call_of());
    EXPECT_STREQ(caller.phase(behind), "queued");
    for (const CallId id : {sent, waiting, queued, behind, CallId{999}}) {
        caller.cancel(id);
        EXPECT_STREQ(caller.phase(id), "unknown");
    }
    EXPECT_EQ(transport.cancelled, 2);
    EXPECT_EQ(caller.pending(), 0U);
    pass(Milliseconds(100000));
    EXPECT_TRUE(results.empty());
    EXPECT_EQ(transport.requests.size(), 3U);
    EXPECT_EQ(caller.next_timeout(), std::nullopt);
}

TEST_F(CallerTest, starts_no_attempt_after_the_total) {
    Call call = call_of();
    call.retry.total = Milliseconds(2000);
    call.retry.max_attempts = 100;
    caller.submit(call);
    step();
    transport.answer(1, answered(500, "{\"error\":{\"code\":\"first\"}}", {{"retry-after", "3"}}));
    step();
    ASSERT_EQ(results.size(), 1U); // the next attempt would come too late: told now, not later
    EXPECT_EQ(results[0].http_status, 500);
}

TEST_F(CallerTest, a_background_call_waits_for_its_turn_as_long_as_it_takes) {
    caller.submit(call_of());
    caller.submit(call_of());
    step();
    Call late = call_of();
    late.retry.total = Milliseconds(1000);
    const CallId id = caller.submit(late);
    pass(Milliseconds(5000));
    transport.answer(1, answered(200));
    step();
    transport.answer(3, answered(200));
    step();
    ASSERT_EQ(results.size(), 2U);
    EXPECT_EQ(results[1].id, id);
    EXPECT_EQ(results[1].status, CallStatus::ok);
}

TEST_F(CallerTest, dropping_the_caller_drops_its_requests) {
    {
        Caller other(transport, clock, {"", 5}, 1);
        other.submit(call_of());
        other.step(results);
        EXPECT_EQ(transport.in_flight(), 1U);
    }
    EXPECT_EQ(transport.in_flight(), 0U);
}

TEST_F(CallerTest, statuses) {
    struct Row {
        Response response;
        CallStatus status;
    };
    const Row rows[] = {
        {answered(200, " {\"a\":1}\n"), CallStatus::ok},
        {answered(200, "[]"), CallStatus::bad_answer},
        {answered(200, ""), CallStatus::bad_answer},
        {answered(302), CallStatus::bad_answer},
        {answered(400), CallStatus::refused},
        {answered(401), CallStatus::key_rejected},
        {answered(403), CallStatus::forbidden},
        {answered(404), CallStatus::refused},
        {answered(404, "<html>"), CallStatus::bad_answer},
        {answered(409), CallStatus::unreachable},
        {answered(429), CallStatus::rate_limited},
        {answered(500), CallStatus::unreachable},
        {failed(Failure::timeout), CallStatus::unreachable},
        {failed(Failure::too_large), CallStatus::bad_answer},
        {failed(Failure::bad_response), CallStatus::bad_answer},
        {failed(Failure::refused_here), CallStatus::unreachable},
    };
    for (const Row &row : rows) {
        Call call = call_of();
        call.retry.max_attempts = 1;
        results.clear();
        caller.submit(call);
        step();
        transport.answer(transport.requests.size(), row.response);
        step();
        ASSERT_EQ(results.size(), 1U) << row.response.status;
        EXPECT_EQ(results[0].status, row.status) << row.response.status;
        EXPECT_EQ(results[0].body, row.status == CallStatus::ok ? row.response.body : "");
    }
}

TEST_F(CallerTest, the_window_follows_stripes_clock) {
    const auto dated = [](const char *time) {
        return answered(200, "{}", {{"date", std::string("Sun, 06 Nov 1994 ") + time + " GMT"}});
    };
    constexpr std::int64_t noon = 784123200; // 12:00:00 of that day
    caller.submit(call_of());
    caller.submit(call_of());
    step();
    clock.passed += Milliseconds(1200);
    transport.answer(1, dated("12:00:00"));
    step(); // nothing was known when it was sent
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].window_start, noon - 2 - 1);
    EXPECT_EQ(results[0].window_end, noon + 1);
    transport.answer(2, answered(200));
    step(); // no Date
    EXPECT_EQ(results[1].window_start, 0);
    EXPECT_EQ(results[1].window_end, 0);
    clock.passed += Milliseconds(2500);
    caller.submit(call_of());
    step();
    clock.passed += Milliseconds(5000);
    transport.answer(3, dated("12:00:08"));
    step(); // 2.5 s after the known bound
    EXPECT_EQ(results[2].window_start, noon + 2);
    EXPECT_EQ(results[2].window_end, noon + 9);
    caller.submit(call_of());
    step();
    transport.answer(4, dated("12:00:05")); // another machine of Stripe's, 3 s behind
    step();
    EXPECT_EQ(results[3].window_start, noon + 5);
    EXPECT_EQ(results[3].window_end, noon + 6);
    Call refused = call_of();
    caller.submit(refused);
    step();
    Response missing = dated("12:00:09");
    missing.status = 404;
    transport.answer(5, missing);
    step();
    EXPECT_EQ(results[4].window_end, noon + 10); // an absence is a reading too
}

TEST_F(CallerTest, the_window_is_that_of_the_last_attempt) {
    caller.submit(call_of());
    step();
    const auto date = [](const char *time) {
        return std::vector<std::pair<std::string, std::string>>{
            {"date", std::string("Sun, 06 Nov 1994 ") + time + " GMT"}};
    };
    transport.answer(1, answered(429, "{}", date("12:00:00")));
    step();
    pass(Milliseconds(20000));
    transport.answer(2, answered(200, "{}", date("12:00:21")));
    step();
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].window_start, 784123200 + 20);
    EXPECT_EQ(results[0].window_end, 784123200 + 22);
}

TEST_F(CallerTest, no_key_comes_out_of_an_error) {
    const std::string canary = "sk_live_CanaryCanary4242";
    Call call = call_of();
    call.retry.max_attempts = 1;
    const std::string body = "{\"error\":{\"type\":\"" + canary + "\",\"code\":\"" + canary +
                             "\",\"param\":\"x" + canary + "\",\"decline_code\":\"" + canary +
                             "\",\"message\":\"Invalid API Key provided: " + canary + ".\"}}";
    for (const int status : {400, 401, 403, 404, 409, 429, 500}) {
        results.clear();
        caller.submit(call);
        step();
        transport.answer(transport.requests.size(),
                         answered(status, body, {{"request-id", canary}}));
        step();
        ASSERT_EQ(results.size(), 1U);
        try {
            throw_call_error(results[0], "reading the account");
        } catch (const core::Error &error) {
            const std::string all = error.message + error.detail + error.hint;
            EXPECT_EQ(all.find("Canary"), std::string::npos) << all;
            EXPECT_NE(all.find("sk_live_***"), std::string::npos) << all;
            EXPECT_TRUE(error.message.starts_with("reading the account failed"));
            EXPECT_FALSE(error.hint.empty());
        }
    }
}

} // namespace
} // namespace billstack::stripe
