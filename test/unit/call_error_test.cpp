// What a failed call becomes, and when it is repeated: the pure parts beside the Caller.
#include "core/error.hpp"
#include "stripe/caller.hpp"
#include "stripe/retry.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

using core::Milliseconds;

TEST(Retry, delay_follows_the_table) {
    const http::Response plain;
    EXPECT_EQ(retry_delay(plain, 1, 0.0), Milliseconds(500));
    EXPECT_EQ(retry_delay(plain, 1, 0.999), Milliseconds(500));
    EXPECT_EQ(retry_delay(plain, 2, 0.0), Milliseconds(500));
    EXPECT_EQ(retry_delay(plain, 2, 0.5), Milliseconds(750));
    EXPECT_EQ(retry_delay(plain, 3, 0.0), Milliseconds(1000));
    EXPECT_EQ(retry_delay(plain, 3, 0.5), Milliseconds(1500));
    EXPECT_EQ(retry_delay(plain, 4, 0.5), Milliseconds(3000));
    EXPECT_EQ(retry_delay(plain, 5, 0.0), Milliseconds(2500));
    EXPECT_EQ(retry_delay(plain, 5, 0.5), Milliseconds(3750));
    EXPECT_EQ(retry_delay(plain, 1000000, 0.5), Milliseconds(3750));
    const auto with = [](const char *value) {
        http::Response response;
        response.headers = {{"retry-after", value}};
        return response;
    };
    EXPECT_EQ(retry_delay(with("7"), 1, 0.0), Milliseconds(7000));
    EXPECT_EQ(retry_delay(with("0"), 1, 0.0), Milliseconds(500));
    EXPECT_EQ(retry_delay(with("1"), 5, 0.5), Milliseconds(3750));
    EXPECT_EQ(retry_delay(with("3600"), 1, 0.0), Milliseconds(60000));
    EXPECT_EQ(retry_delay(with("99999999999999999999999"), 1, 0.0), Milliseconds(60000));
    for (const char *odd : {"-5", "1.5", "soon", "", "Sun, 06 Nov 1994 08:49:37 GMT"})
        EXPECT_EQ(retry_delay(with(odd), 1, 0.0), Milliseconds(500)) << odd;
}

TEST(CallError, names_type_code_param_and_request) {
    CallResult result;
    result.status = CallStatus::refused;
    result.http_status = 404;
    result.attempts = 1;
    result.request_id = "req_1";
    result.error = parse_api_error(R"({"error":{"type":"invalid_request_error",)"
                                   R"("code":"resource_missing","param":"id",)"
                                   R"("message":"No such customer: 'cus_1'"}})");
    try {
        throw_call_error(result, "reading the customer");
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::stripe_refused);
        EXPECT_EQ(error.message, "reading the customer failed: Stripe refused the request");
        EXPECT_EQ(error.detail, "Stripe answered 404 (type invalid_request_error, code "
                                "resource_missing, param id, request req_1): No such customer: "
                                "'cus_1'");
    }
    const std::pair<CallStatus, core::Code> codes[] = {
        {CallStatus::key_rejected, core::Code::stripe_key_rejected},
        {CallStatus::forbidden, core::Code::stripe_refused},
        {CallStatus::rate_limited, core::Code::stripe_rate_limited},
        {CallStatus::unreachable, core::Code::stripe_unreachable},
        {CallStatus::bad_answer, core::Code::stripe_unreachable},
        {CallStatus::ok, core::Code::internal}};
    for (const auto &[status, code] : codes) {
        CallResult other;
        other.status = status;
        try {
            throw_call_error(other, "x");
        } catch (const core::Error &error) {
            EXPECT_EQ(error.code, code);
        }
    }
}

TEST(ApiError, strange_bodies_give_empty_texts) {
    for (const char *body : {"", "x", "[]", "{}", "{\"error\":\"text\"}",
                             "{\"error\":{\"type\":5}}", "{\"error\":null}"}) {
        const ApiError error = parse_api_error(body);
        EXPECT_EQ(error.type + error.code + error.param + error.message, "") << body;
    }
    const std::string euros = "\xE2\x82\xAC";
    std::string many;
    for (int i = 0; i < 400; ++i)
        many += euros;
    const std::string cut = harmless_text(many);
    EXPECT_LE(cut.size(), 500U);
    EXPECT_TRUE(cut.ends_with(euros + "..."));
    EXPECT_EQ(harmless_text("a\r\nb\x01\x7f"), "a  b  ");
}

TEST(ApiError, card_numbers_are_masked) {
    const ApiError error = parse_api_error(
        R"({"error":{"message":"no such \"name\": 4242424242424242, \u0035555-5555-5555-4444",)"
        R"("param":"metadata[378282246310005]","code":"4242424242424241"}})");
    EXPECT_EQ(error.message, "no such \"name\": ************4242, ****-****-****-4444");
    EXPECT_EQ(error.param, "metadata[***********0005]");
    EXPECT_EQ(error.code, "4242424242424241");
    const std::string cut = parse_api_error(R"({"error":{"message":")" + std::string(485, 'x') +
                                            R"( 4242424242424242 and more"}})")
                                .message;
    EXPECT_EQ(cut.substr(485), " ***********...");
}

} // namespace
} // namespace billstack::stripe
