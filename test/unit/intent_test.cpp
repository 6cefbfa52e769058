// What makes two writes the same, what is done about one that is asked for again, what an answer
// says of it, and the search for objects of writes whose answer was lost.
#include "fake_transport.hpp"
#include "stripe/intent_key.hpp"
#include "sync/intent_search.hpp"
#include "json/card_numbers.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

std::string made_by(const std::string &key) {
    return R"(,"metadata":{"billstack_intent":")" + key + R"("})";
}

TEST(IntentDigest, order_of_parameters_and_the_own_mark_do_not_count) {
    const auto digest = [](const Params &params) {
        return request_digest("POST", "/v1/products", params);
    };
    const IntentDigest plain = digest({{"name", "a"}, {"active", "true"}});
    EXPECT_EQ(plain, digest({{"active", "true"}, {"name", "a"}}));
    EXPECT_EQ(plain,
              digest({{"active", "true"}, {"name", "a"}, {"metadata[billstack_intent]", "k"}}));
    EXPECT_NE(plain, digest({{"name", "a"}, {"active", "false"}}));
    EXPECT_NE(plain, digest({{"name", "a"}}));
    EXPECT_NE(plain, request_digest("POST", "/v1/prices", {{"name", "a"}, {"active", "true"}}));
    EXPECT_NE(plain, request_digest("DELETE", "/v1/products", {{"name", "a"}, {"active", "true"}}));
    EXPECT_NE(digest({{"x[]", "1"}, {"x[]", "2"}}), digest({{"x[]", "2"}, {"x[]", "1"}}));
}

TEST(IntentDigest, no_two_lists_of_texts_have_the_same_bytes) {
    EXPECT_NE(digest_of({"ab", "c"}), digest_of({"a", "bc"}));
    EXPECT_NE(digest_of({"1:a"}), digest_of({"", "a"}));
    EXPECT_NE(digest_of({"a", ""}), digest_of({"a"}));
}

TEST(IntentKey, none_is_taken_for_a_card_number) {
    for (int i = 0; i < 100000; ++i) {
        const std::string key = round_key(key_of_intent(digest_of({std::to_string(i)}), i), i % 3);
        std::string object = test::object_of("re_1", 150, made_by(key));
        (void)json::mask_card_data(object);
        ASSERT_NE(object.find(key), std::string::npos) << key << " is in " << object;
    }
}

TEST(IntentKey, has_the_whole_digest) {
    IntentDigest digest{};
    digest[0] = 0x0f;
    digest[31] = 0xa1;
    EXPECT_EQ(key_of_intent(digest), "billstack-ap" + std::string(60, 'a') + "kb");
    EXPECT_EQ(key_of_intent(digest, 12), key_of_intent(digest) + "-12");
}

TEST(IntentKey, each_round_has_its_own) {
    EXPECT_EQ(round_key("k", 0), "k");
    EXPECT_EQ(round_key("k", 2), "k-2");
}

TEST(IntentState, names_lead_back) {
    for (IntentState state : {IntentState::sent, IntentState::done, IntentState::refused,
                              IntentState::nothing, IntentState::unknown})
        EXPECT_EQ(intent_state_of(intent_state_name(state)), state);
}

TEST(NextStep, a_living_key_is_used_again_unless_stripe_would_repeat_a_refusal) {
    for (IntentState state :
         {IntentState::sent, IntentState::done, IntentState::nothing, IntentState::unknown})
        for (bool creates : {true, false})
            for (bool known : {true, false})
                EXPECT_EQ(next_step({state, creates, known, true, true, key_lifetime_s - 1}),
                          IntentStep::send_again);
    for (std::int64_t age : {std::int64_t{0}, key_lifetime_s})
        EXPECT_EQ(next_step({IntentState::refused, true, false, true, true, age}),
                  IntentStep::send_anew);
}

TEST(NextStep, a_change_is_made_again_whatever_is_known_of_it) {
    for (IntentState state : {IntentState::sent, IntentState::done, IntentState::refused,
                              IntentState::nothing, IntentState::unknown})
        for (std::int64_t age : {std::int64_t{0}, key_lifetime_s})
            EXPECT_EQ(next_step({state, false, true, true, true, age, true}),
                      IntentStep::send_anew);
}

TEST(NextStep, a_dead_key_is_never_sent) {
    const std::int64_t old = key_lifetime_s;
    EXPECT_EQ(next_step({IntentState::done, true, true, true, true, old}), IntentStep::read);
    EXPECT_EQ(next_step({IntentState::done, false, true, true, true, old}), IntentStep::read);
    EXPECT_EQ(next_step({IntentState::done, true, true, false, false, old}), IntentStep::send_anew);
    for (IntentState state : {IntentState::sent, IntentState::nothing, IntentState::unknown}) {
        EXPECT_EQ(next_step({state, true, false, true, true, old}), IntentStep::search);
        EXPECT_EQ(next_step({state, true, false, true, false, old}), IntentStep::send_anew);
        EXPECT_EQ(next_step({state, false, true, true, true, old}), IntentStep::send_anew);
    }
}

CallResult result_of(CallStatus status, int http_status, const char *type = "",
                     bool replayed = false) {
    CallResult result;
    result.status = status;
    result.http_status = http_status;
    result.error.type = type;
    result.replayed = replayed;
    return result;
}

TEST(Judge, only_what_is_certain_ends_a_write) {
    for (bool unresolved : {false, true}) {
        EXPECT_EQ(judge(result_of(CallStatus::ok, 200), unresolved), IntentVerdict::done);
        EXPECT_EQ(judge(result_of(CallStatus::refused, 402, "card_error"), unresolved),
                  IntentVerdict::refused);
        EXPECT_EQ(judge(result_of(CallStatus::refused, 400, "idempotency_error"), unresolved),
                  IntentVerdict::key_spent);
        EXPECT_EQ(judge(result_of(CallStatus::unreachable, 0), unresolved), IntentVerdict::open);
        EXPECT_EQ(judge(result_of(CallStatus::unreachable, 409, "idempotency_error"), unresolved),
                  IntentVerdict::open);
        EXPECT_EQ(judge(result_of(CallStatus::unreachable, 500), unresolved), IntentVerdict::open);
        EXPECT_EQ(judge(result_of(CallStatus::unreachable, 500, "api_error", true), unresolved),
                  IntentVerdict::key_spent);
        EXPECT_EQ(judge(result_of(CallStatus::rate_limited, 429), unresolved), IntentVerdict::open);
        EXPECT_EQ(judge(result_of(CallStatus::bad_answer, 200), unresolved), IntentVerdict::open);
    }
}

TEST(Judge, a_rejected_key_says_nothing_of_an_earlier_attempt) {
    for (CallStatus status : {CallStatus::key_rejected, CallStatus::forbidden}) {
        EXPECT_EQ(judge(result_of(status, 401), false), IntentVerdict::refused);
        EXPECT_EQ(judge(result_of(status, 401), true), IntentVerdict::open);
    }
}

class IntentSearchTest : public testing::Test {
  protected:
    test::FakeTransport transport;
    test::TestClock clock;
    Caller caller{transport, clock, {"2025-03-31.basil", 2}, 42};

    sync::IntentSearch search_for(std::set<std::string> keys) {
        sync::ReadOptions options;
        options.key = std::make_shared<const core::SecretBytes>(
            core::SecretBytes::copy_of("sk_test_abcdefghij"));
        options.page_size = 2;
        return {caller, {find_kind("product"), std::move(keys), 100, 200}, options};
    }
    void answer(sync::IntentSearch &search, http::Response response) {
        std::vector<CallResult> results;
        caller.step(results);
        transport.answer(transport.requests.size(), std::move(response));
        caller.step(results);
        ASSERT_EQ(results.size(), 1U);
        ASSERT_TRUE(search.owns(results[0].id));
        search.on_result(std::move(results[0]));
    }
    static std::string made_by(const std::string &id, const std::string &key) {
        return test::object_of(id, 150, stripe::made_by(key));
    }
};

TEST_F(IntentSearchTest, walks_the_time_in_question_until_all_are_found) {
    sync::IntentSearch search = search_for({"k1", "k2"});
    answer(search,
           test::answered_at(
               300, 200, test::list_of({made_by("prod_1", "k1"), made_by("prod_2", "k9")}, true)));
    EXPECT_EQ(test::asked_by(transport.requests[0]),
              (test::Asked{"/v1/products",
                           {{"limit", "2"}, {"created[gte]", "100"}, {"created[lte]", "200"}}}));
    EXPECT_EQ(search.state(), sync::IntentSearch::State::reading);
    answer(search,
           test::answered_at(
               300, 200,
               test::list_of({test::object_of("prod_3", 150), made_by("prod_4", "k2")}, true)));
    EXPECT_EQ(test::asked_by(transport.requests[1]).params["starting_after"], "prod_2");
    ASSERT_EQ(search.state(), sync::IntentSearch::State::done);
    EXPECT_EQ(search.found().at("k1").id, "prod_1");
    EXPECT_EQ(search.found().at("k2").id, "prod_4");
    EXPECT_EQ(search.found().at("k2").body, made_by("prod_4", "k2"));
}

TEST_F(IntentSearchTest, what_the_whole_list_does_not_have_is_not_there) {
    sync::IntentSearch search = search_for({"k1"});
    answer(search, test::answered_at(300, 200, test::list_of({made_by("prod_1", "k")}, false)));
    EXPECT_EQ(search.state(), sync::IntentSearch::State::done);
    EXPECT_TRUE(search.found().empty());
}

TEST_F(IntentSearchTest, a_list_that_cannot_be_read_to_its_end_says_nothing) {
    sync::IntentSearch refused = search_for({"k1"});
    answer(refused, test::answered(403));
    EXPECT_EQ(refused.state(), sync::IntentSearch::State::failed);
    sync::IntentSearch strange = search_for({"k1"});
    answer(strange, test::answered_at(300, 200, "{\"object\":\"list\"}"));
    EXPECT_EQ(strange.state(), sync::IntentSearch::State::failed);
    sync::IntentSearch turning = search_for({"k1"});
    answer(turning, test::answered_at(300, 200, test::list_of({}, true)));
    EXPECT_EQ(turning.state(), sync::IntentSearch::State::failed);
}

TEST(IntentSearch, kinds_without_a_list_by_time_cannot_be_searched) {
    for (const char *kind : {"customer", "product", "price", "refund", "checkout_session"})
        EXPECT_TRUE(sync::IntentSearch::can_search(*find_kind(kind))) << kind;
    EXPECT_FALSE(sync::IntentSearch::can_search(*find_kind("subscription_item")));
}

} // namespace
} // namespace billstack::stripe
