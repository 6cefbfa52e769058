// The names that limits are kept by.
#include "stripe/rate_gate.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

TEST(EndpointOf, folds_ids_by_their_place) {
    EXPECT_EQ(endpoint_of("GET", "/v1/invoices"), "GET /v1/invoices");
    EXPECT_EQ(endpoint_of("GET", "/v1/invoices/in_1"), "GET /v1/invoices/{id}");
    EXPECT_EQ(endpoint_of("POST", "/v1/invoices/in_1"), "POST /v1/invoices/{id}");
    EXPECT_EQ(endpoint_of("GET", "/v1/customers/cus_1/tax_ids"), "GET /v1/customers/{id}/tax_ids");
    EXPECT_EQ(endpoint_of("GET", "/v1/customers/cus_1/tax_ids/txi_1"),
              "GET /v1/customers/{id}/tax_ids/{id}");
    EXPECT_EQ(endpoint_of("GET", "/v1/products/gold"), "GET /v1/products/{id}");
    EXPECT_EQ(endpoint_of("GET", "/v1/checkout/sessions/cs_1/line_items"),
              "GET /v1/checkout/sessions/{id}/line_items");
    EXPECT_EQ(endpoint_of("GET", "/v1/invoices/search"), "GET /v1/invoices/search");
    EXPECT_EQ(endpoint_of("GET", "/v1/account"), "GET /v1/account");
    EXPECT_EQ(endpoint_of("GET", "/v1/coupons/tax"), "GET /v1/coupons/{id}");
    EXPECT_EQ(endpoint_of("GET", ""), "GET ");
}

TEST(RateAccount, is_the_account_and_its_mode_or_a_digest_of_the_key) {
    EXPECT_EQ(rate_account("acct_1", true, "sk_live_abcdefghij"), "acct_1/live");
    EXPECT_EQ(rate_account("acct_1", false, "sk_test_abcdefghij"), "acct_1/test");
    const std::string unknown = rate_account("", false, "sk_test_abcdefghij");
    EXPECT_EQ(unknown.size(), 4 + 16 + 5U);
    EXPECT_TRUE(unknown.starts_with("key_") && unknown.ends_with("/test"));
    EXPECT_EQ(unknown.find("abcdefghij"), std::string::npos);
    EXPECT_NE(unknown, rate_account("", false, "sk_test_abcdefghik"));
}

} // namespace
} // namespace billstack::stripe
