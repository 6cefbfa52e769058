// The core's small tools: secrets, slugs, back-off, text.
#include "core/backoff.hpp"
#include "core/error.hpp"
#include "core/identifier.hpp"
#include "core/secret_bytes.hpp"
#include "core/text.hpp"

#include <array>
#include <gtest/gtest.h>
#include <limits>
#include <type_traits>

namespace billstack::core {
namespace {

TEST(SecretBytes, moves_and_never_copies) {
    static_assert(!std::is_copy_constructible_v<SecretBytes>);
    static_assert(!std::is_copy_assignable_v<SecretBytes>);
    static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);
    SecretBytes first = SecretBytes::copy_of("secret");
    EXPECT_EQ(first.view(), "secret");
    SecretBytes second = std::move(first);
    EXPECT_EQ(second.view(), "secret");
    EXPECT_TRUE(first.empty()); // NOLINT: the moved-from state is what is tested
    SecretBytes third = SecretBytes::copy_of("other");
    third = std::move(second);
    EXPECT_EQ(third.view(), "secret");
    EXPECT_TRUE(second.empty()); // NOLINT
    SecretBytes &self = third;
    third = std::move(self);
    EXPECT_EQ(third.view(), "secret");
    const SecretBytes copy = third.clone();
    third.wipe();
    EXPECT_TRUE(third.empty());
    EXPECT_EQ(copy.view(), "secret");
    EXPECT_EQ(SecretBytes::of_size(3).view(), std::string_view("\0\0\0", 3));
    EXPECT_TRUE(SecretBytes::copy_of("").empty());
    EXPECT_EQ(SecretBytes().view(), "");
}

TEST(SecretBytes, wipe_memory_overwrites) {
    std::array<char, 4> bytes{'a', 'b', 'c', 'd'};
    wipe_memory(bytes.data(), 3);
    EXPECT_EQ(std::string_view(bytes.data(), 4), std::string_view("\0\0\0d", 4));
    wipe_memory(nullptr, 0);
}

bool refused(std::string_view team, std::string_view integration) {
    try {
        check_team_and_integration(team, integration);
    } catch (const Error &error) {
        EXPECT_EQ(error.code, Code::bad_argument);
        EXPECT_FALSE(error.detail.empty());
        EXPECT_FALSE(error.hint.empty());
        return true;
    }
    return false;
}

TEST(Identifier, slugs) {
    for (const char *good : {"a", "0", "acme", "acme_eu", "a_b_c", "9_9"})
        EXPECT_FALSE(refused(good, "default")) << good;
    for (const std::string &bad :
         {std::string(), std::string("_"), std::string("_a"), std::string("a_"),
          std::string("a__b"), std::string("A"), std::string("a-b"), std::string("a b"),
          std::string("a\n"), std::string("a\"b"), std::string("\xC3\xA4"), std::string("a\0b", 3),
          std::string("a.b"), std::string(41, 'a')}) {
        EXPECT_TRUE(refused(bad, "default")) << bad;
        if (bad.size() != 41) {
            EXPECT_TRUE(refused("acme", bad)) << bad;
        }
    }
}

TEST(Identifier, lengths_fit_a_name_of_the_server) {
    EXPECT_FALSE(refused(std::string(40, 'a'), "default"));
    EXPECT_FALSE(refused(std::string(40, 'a'), std::string(9, 'b')));
    EXPECT_TRUE(refused(std::string(40, 'a'), std::string(10, 'b')));
    EXPECT_FALSE(refused("a", std::string(48, 'b')));
    EXPECT_TRUE(refused("ab", std::string(48, 'b')));
    EXPECT_TRUE(refused("a", std::string(49, 'b')));
    EXPECT_EQ(mirror_schema_name(std::string(40, 'a'), std::string(9, 'b')).size(), 63U);
    EXPECT_EQ(mirror_schema_name("acme", "default"), "stripe_team_acme");
    EXPECT_EQ(mirror_schema_name("acme", "eu_west"), "stripe_team_acme__eu_west");
}

TEST(Backoff, doubles_up_to_the_ceiling) {
    const Backoff backoff{Milliseconds(100), Milliseconds(1000), Milliseconds(0), 0.5};
    EXPECT_EQ(backoff.delay(1, 0.0), Milliseconds(50));
    EXPECT_EQ(backoff.delay(1, 1.0), Milliseconds(100));
    EXPECT_EQ(backoff.delay(2, 1.0), Milliseconds(200));
    EXPECT_EQ(backoff.delay(4, 1.0), Milliseconds(800));
    EXPECT_EQ(backoff.delay(5, 1.0), Milliseconds(1000));
    EXPECT_EQ(backoff.delay(std::numeric_limits<int>::max(), 1.0), Milliseconds(1000));
    EXPECT_EQ(backoff.delay(0, 1.0), Milliseconds(100));
    EXPECT_EQ(backoff.delay(-5, 1.0), Milliseconds(100));
    EXPECT_EQ(backoff.delay(1, 7.0), Milliseconds(100));
    EXPECT_EQ(backoff.delay(1, -7.0), Milliseconds(50));
    EXPECT_EQ(backoff.delay(1, std::numeric_limits<double>::quiet_NaN()), Milliseconds(50));
    const Backoff floored{Milliseconds(100), Milliseconds(1000), Milliseconds(90), 0.5};
    EXPECT_EQ(floored.delay(1, 0.0), Milliseconds(90));
}

TEST(Text, hex) {
    EXPECT_EQ(to_hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
    std::array<unsigned char, 2> out{};
    EXPECT_TRUE(from_hex("fF01", out));
    EXPECT_EQ(out[0], 0xff);
    EXPECT_EQ(out[1], 0x01);
    for (const char *bad : {"", "ff0", "ff010", "ff0g", "ff 1", "0xff", "-1ff"}) {
        out = {1, 1};
        EXPECT_FALSE(from_hex(bad, out)) << bad;
        EXPECT_EQ(out[0] + out[1], 0);
    }
}

TEST(Text, equal_constant_time) {
    EXPECT_TRUE(equal_constant_time("", ""));
    EXPECT_TRUE(equal_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_constant_time("abc", "bbc"));
    EXPECT_FALSE(equal_constant_time("abc", "ab"));
    EXPECT_FALSE(equal_constant_time("\x80", std::string_view("\0", 1)));
}

TEST(Text, iso8601) {
    EXPECT_EQ(iso8601_utc(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(iso8601_utc(951827696123456), "2000-02-29T12:34:56.123456Z");
    EXPECT_EQ(iso8601_utc(951827696120000), "2000-02-29T12:34:56.120Z");
    EXPECT_EQ(iso8601_utc(-1), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(iso8601_utc(253402300799000000), "9999-12-31T23:59:59Z");
}

TEST(Text, http_date) {
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777); // RFC 9110 5.6.7
    EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:60 GMT"), 1709251200);
    for (const char *bad : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                            "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
                            "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                            "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
                            "Sun, 06 anF 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
                            "Sun, 06 Nov 199x 08:49:37 GMT"})
        EXPECT_EQ(parse_http_date(bad), std::nullopt) << bad;
}

TEST(Text, valid_utf8) {
    const std::string bad = "\xEF\xBF\xBD";
    const std::string good = "a\xC2\xA2\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF\xED\x9F\xBF";
    EXPECT_EQ(valid_utf8(good), good);
    EXPECT_EQ(valid_utf8(std::string_view("\0", 1)), bad);
    for (const char *one : {"\x80", "\xff", "\xc3", "\xe2", "\xf0", "\xc0", "\xf5"})
        EXPECT_EQ(valid_utf8(one), bad) << to_hex(std::string_view(one));
    for (const char *several : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                "\xf0\x80\x80\x80", "\xe2\x82"}) {
        std::string expected;
        for (std::size_t i = 0; i < std::string_view(several).size(); ++i)
            expected += bad;
        EXPECT_EQ(valid_utf8(several), expected) << to_hex(std::string_view(several));
    }
    EXPECT_EQ(valid_utf8("\xe2\x82z"), bad + bad + "z");
}

} // namespace
} // namespace billstack::core
