// Key shapes and the account object.
#include "core/error.hpp"
#include "stripe/account.hpp"

#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

// True when refused; the texts may hold no part of the key.
template <class Check> bool refused(Check &&check, const std::string &key) {
    try {
        check();
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::bad_argument);
        const std::string all = error.message + error.detail + error.hint;
        if (key.size() >= 12) {
            EXPECT_EQ(all.find(key.substr(key.size() - 4)), std::string::npos) << all;
        }
        return true;
    }
    return false;
}

TEST(SecretKey, tells_kind_and_mode) {
    EXPECT_EQ(check_secret_key("sk_test_0123456789").kind, SecretKeyKind::secret);
    EXPECT_FALSE(check_secret_key("sk_test_0123456789").livemode);
    EXPECT_TRUE(check_secret_key("sk_live_51Abc_DEFGHijk").livemode);
    EXPECT_EQ(check_secret_key("rk_live_0123456789").kind, SecretKeyKind::restricted);
    EXPECT_FALSE(check_secret_key("rk_test_0123456789").livemode);
    EXPECT_NO_THROW(check_secret_key("sk_test_" + std::string(247, 'Q')));
}

TEST(SecretKey, refuses_other_shapes_without_repeating_them) {
    for (const std::string &key :
         {std::string(), std::string("sk_test_"), std::string("sk_test_QZQZQZQZ9"),
          std::string("sk_prod_QZQZQZQZQZ"), std::string("SK_TEST_QZQZQZQZQZ"),
          std::string("pk_test_QZQZQZQZQZ"), std::string(" sk_test_QZQZQZQZQZ"),
          std::string("sk_test_QZQZQZQZQZ\n"), std::string("sk_test_QZQZ QZQZQZ"),
          std::string("sk_test_QZQZQZ-QZQZ"), std::string("sk_test_QZQZQZQZQZ\r\nX: y"),
          "sk_test_" + std::string(248, 'Q'), std::string("sk_test_QZQZQZQZQZ\0QZQZ", 23),
          std::string("sk_test_QZQZQZQZ\xC3\xA9QZQZ")})
        EXPECT_TRUE(refused([&] { check_secret_key(key); }, key)) << key;
}

TEST(PublishableKey, must_be_of_the_same_mode) {
    const KeyShape test = check_secret_key("sk_test_0123456789");
    const KeyShape live = check_secret_key("rk_live_0123456789");
    EXPECT_NO_THROW(check_publishable_key("pk_test_0123456789", test));
    EXPECT_NO_THROW(check_publishable_key("pk_live_0123456789", live));
    for (const auto &[key, shape] : {std::pair{"pk_live_QZQZQZQZQZ", test},
                                     {"pk_test_QZQZQZQZQZ", live},
                                     {"sk_test_QZQZQZQZQZ", test},
                                     {"pk_test_QZ", test},
                                     {"", test}})
        EXPECT_TRUE(refused([&] { check_publishable_key(key, shape); }, key)) << key;
}

TEST(WebhookSecret, unset_placeholder_set) {
    EXPECT_STREQ(name_of(check_webhook_secret("")), "unset");
    EXPECT_STREQ(name_of(check_webhook_secret("whsec_placeholder")), "placeholder");
    EXPECT_STREQ(name_of(check_webhook_secret("todo")), "placeholder");
    EXPECT_STREQ(name_of(check_webhook_secret("whsec_" + std::string(23, 'a'))), "placeholder");
    EXPECT_STREQ(name_of(check_webhook_secret("whsec_" + std::string(24, 'a'))), "set");
    EXPECT_STREQ(name_of(check_webhook_secret("whsec_abcdefghij0123456789+/=_-")), "set");
    for (const std::string &bad : {std::string("whsec_ a"), std::string("a\n"),
                                   std::string(256, 'a'), std::string("a\xC3\xA9")})
        EXPECT_TRUE(refused([&] { check_webhook_secret(bad); }, bad)) << bad;
}

TEST(MaskKey, shows_too_little_to_be_used) {
    EXPECT_EQ(mask_key("sk_test_51AbcdefghijklmnoP4242"), "sk_test_...4242");
    EXPECT_EQ(mask_key("whsec_abcdefghijklmnopqrstuvwx"), "whsec_...uvwx");
    EXPECT_EQ(mask_key("sk_test_short"), "sk_test_...");
    EXPECT_EQ(mask_key("secret"), "...");
    EXPECT_EQ(mask_key(""), "...");
}

TEST(Account, reads_what_is_kept) {
    const Account account = parse_account(
        R"({"id":"acct_1","object":"account","business_profile":{"name":"Biz"},"country":"DE",)"
        R"("created":1700000000,"default_currency":"eur","charges_enabled":true,"email":"a@b.c",)"
        R"("settings":{"dashboard":{"display_name":"Shown"}}})");
    EXPECT_EQ(account.id, "acct_1");
    EXPECT_EQ(account.name, "Shown");
    EXPECT_EQ(account.country, "DE");
    EXPECT_EQ(account.default_currency, "eur");
    EXPECT_EQ(account.created, 1700000000);
    EXPECT_EQ(account.charges_enabled, true);
}

TEST(Account, name_falls_back_and_never_is_an_address) {
    EXPECT_EQ(parse_account(R"({"object":"account","business_profile":{"name":"Biz"},)"
                            R"("settings":{"dashboard":{"display_name":""}}})")
                  .name,
              "Biz");
    const Account bare = parse_account(
        R"({"object":"account","email":"a@b.c","business_profile":{"name":null},"settings":null})");
    EXPECT_EQ(bare.name, std::nullopt);
    EXPECT_EQ(bare.id, std::nullopt);
}

TEST(Account, refuses_other_answers) {
    for (const char *body : {"", "{}", "[]", "<html>", R"({"object":"list"})"})
        try {
            parse_account(body);
            ADD_FAILURE() << body;
        } catch (const core::Error &error) {
            EXPECT_EQ(error.code, core::Code::stripe_unreachable);
        }
}

} // namespace
} // namespace billstack::stripe
