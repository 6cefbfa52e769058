// Encoding of parameters and ids, scrubbing of keys, and Stripe's clock.
#include "core/error.hpp"
#include "stripe/form.hpp"
#include "stripe/scrub.hpp"
#include "stripe/stripe_clock.hpp"

#include <gtest/gtest.h>
#include <random>

namespace billstack::stripe {
namespace {

std::string decode(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '%') {
            result += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        } else {
            result += text[i];
        }
    return result;
}

Params decode_form(std::string_view text) {
    Params params;
    while (!text.empty()) {
        const std::string_view pair = text.substr(0, text.find('&'));
        const std::size_t equals = pair.find('=');
        params.emplace_back(decode(pair.substr(0, equals)), decode(pair.substr(equals + 1)));
        text.remove_prefix(std::min(pair.size() + 1, text.size()));
    }
    return params;
}

TEST(Form, encodes_as_stripe_reads) {
    EXPECT_EQ(encode_form({}), "");
    EXPECT_EQ(encode_form({{"limit", "100"}, {"status", "all"}}), "limit=100&status=all");
    EXPECT_EQ(encode_form({{"items[0][price]", "a&b=c d+e"}, {"x", ""}}),
              "items%5B0%5D%5Bprice%5D=a%26b%3Dc%20d%2Be&x=");
}

TEST(Form, decodes_to_what_was_encoded) {
    const auto seed = std::random_device{}();
    RecordProperty("seed", std::to_string(seed));
    std::mt19937 random(seed);
    const auto text = [&](std::size_t least) {
        std::string made(least + random() % 12, ' ');
        for (char &c : made)
            c = static_cast<char>(random() % 256);
        return made;
    };
    for (int i = 0; i < 100000; ++i) {
        Params params;
        for (std::size_t n = random() % 4; n > 0; --n)
            params.emplace_back(text(0), text(0));
        ASSERT_EQ(decode_form(encode_form(params)), params) << "seed " << seed;
        const std::string id = text(1);
        if (id == "." || id == "..")
            continue;
        const std::string segment = encode_path_segment(id);
        ASSERT_EQ(decode(segment), id) << "seed " << seed;
        ASSERT_EQ(segment.find_first_of("/?#\\ \r\n"), std::string::npos) << "seed " << seed;
        ASSERT_TRUE(segment != "." && segment != "..") << "seed " << seed;
    }
}

TEST(Form, refuses_segments_that_are_steps) {
    EXPECT_EQ(encode_path_segment("cus_1/../../v1/refunds?x="),
              "cus_1%2F..%2F..%2Fv1%2Frefunds%3Fx%3D");
    EXPECT_NO_THROW(encode_path_segment(std::string(255, 'a')));
    for (const std::string &bad :
         {std::string(), std::string("."), std::string(".."), std::string(256, 'a')})
        EXPECT_THROW(encode_path_segment(bad), core::Error) << bad;
}

TEST(Scrub, replaces_keys_and_keeps_masked_ones) {
    const std::pair<const char *, const char *> cases[] = {
        {"", ""},
        {"Invalid API Key provided: sk_test_51AbCdEf.", "Invalid API Key provided: sk_test_***."},
        {"rk_live_xxx", "rk_live_***"},
        {"(pk_test_abc)", "(pk_test_***)"},
        {"keysk_live_abc", "keysk_live_***"},
        {"whsec_a+/b=", "whsec_***"},
        {"a whsec_abc b sk_live_x c", "a whsec_*** b sk_live_*** c"},
        {"sk_test_****************4242", "sk_test_****************4242"},
        {"sk_live_abcd************wxyz", "sk_live_abcd************wxyz"},
        {"sk_live_abcdefgh****wxyz", "sk_live_***"},
        {"sk_live_abc***", "sk_live_***"},
        {"sk_test_****sk_live_abcdefghi", "sk_test_***"},
        {"sk_test_...4242", "sk_test_...4242"},
        {"use a key that starts with sk_test_.", "use a key that starts with sk_test_."},
        {"bs_0123456789abcdef0123456789abcdef", "bs_***"},
        {"sk_0123456789abcdef", "sk_***"},
        {"task_identifier_of_something", "task_identifier_of_something"},
        {"No such customer: 'cus_123'", "No such customer: 'cus_123'"},
        {"sk_short", "sk_short"},
    };
    for (const auto &[text, clean] : cases)
        EXPECT_EQ(scrub_keys(text), clean);
}

TEST(Scrub, no_key_survives_any_surroundings) {
    const auto seed = std::random_device{}();
    RecordProperty("seed", std::to_string(seed));
    std::mt19937 random(seed);
    static constexpr std::string_view letters = "ab_*.:'\"/ \n=-+sk_test_whsec_";
    const auto noise = [&] {
        std::string made(random() % 12, ' ');
        for (char &c : made)
            c = letters[random() % letters.size()];
        return made;
    };
    for (const char *prefix :
         {"sk_test_", "sk_live_", "rk_test_", "rk_live_", "pk_live_", "whsec_"})
        for (int i = 0; i < 5000; ++i) {
            const std::string text = noise() + prefix + "QZQZQZQZQZQZQZQZ" + noise();
            ASSERT_EQ(scrub_keys(text).find("QZQZQZQZQ"), std::string::npos)
                << text << " seed " << seed;
        }
}

core::MonoTime at_ms(int ms) {
    return core::MonoTime(std::chrono::hours(5)) + core::Milliseconds(ms);
}

TEST(StripeClock, is_a_lower_bound_that_only_a_better_one_replaces) {
    StripeClock clock;
    EXPECT_EQ(clock.lower_bound(at_ms(0)), 0);
    EXPECT_FALSE(clock.known());
    clock.observe(1000, at_ms(0));
    EXPECT_EQ(clock.lower_bound(at_ms(0)), 1000);
    EXPECT_EQ(clock.lower_bound(at_ms(999)), 1000);
    EXPECT_EQ(clock.lower_bound(at_ms(1000)), 1001);
    clock.observe(1000, at_ms(1500)); // a slow answer: the old bound says 1001.5
    EXPECT_EQ(clock.lower_bound(at_ms(2000)), 1002);
    clock.observe(1002, at_ms(1600)); // better: 1002 against 1001.6
    EXPECT_EQ(clock.lower_bound(at_ms(2600)), 1003);
}

TEST(StripeClock, an_old_bound_gives_way) {
    StripeClock clock;
    clock.observe(5000, at_ms(0)); // one machine far ahead
    clock.observe(1010, at_ms(10000));
    EXPECT_EQ(clock.lower_bound(at_ms(10000)), 5010);
    clock.observe(1060, at_ms(60000));
    EXPECT_EQ(clock.lower_bound(at_ms(60000)), 1060);
    clock.observe(253402300799, at_ms(60001)); // the year 9999 must not overflow
    clock.observe(1061, at_ms(61000));
    EXPECT_GT(clock.lower_bound(at_ms(61000)), 253402300000);
}

} // namespace
} // namespace billstack::stripe
