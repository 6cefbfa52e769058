// The digest that tells an unchanged object: blind to indentation, to nothing else.
#include "sync/row.hpp"

#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

TEST(Digest, indentation_makes_no_difference) {
    Digest compact = digest_of(R"({"id":"cus_1","list":[1,{"a":"b c"}],"t":true})");
    EXPECT_EQ(compact,
              digest_of("{\n  \"id\": \"cus_1\",\n  \"list\": [1, {\"a\": \"b c\"}],\n\t\"t\": "
                        "true\r\n}"));
}

TEST(Digest, what_is_inside_a_string_does) {
    EXPECT_NE(digest_of(R"({"a":"b c"})"), digest_of(R"({"a":"bc"})"));
    EXPECT_NE(digest_of(R"({"a":"b\" c"})"), digest_of(R"({"a":"b\"c"})"));
    EXPECT_NE(digest_of(R"({"a":"\\", "b": " "})"), digest_of(R"({"a":"\\","b":""})"));
}

TEST(Digest, values_and_order_do) {
    EXPECT_NE(digest_of(R"({"a":1})"), digest_of(R"({"a":1.0})"));
    EXPECT_NE(digest_of(R"({"a":1,"b":2})"), digest_of(R"({"b":2,"a":1})"));
}

TEST(Digest, all_lengths_around_the_blocks_of_simd) {
    for (std::size_t length = 0; length < 300; ++length) {
        std::string text = "{\"a\":\"" + std::string(length, 'x') + " y\"}";
        std::string spaced = "{ \"a\" :\n\"" + std::string(length, 'x') + " y\"  }";
        EXPECT_EQ(digest_of(text), digest_of(spaced)) << length;
    }
}

} // namespace
} // namespace billstack::sync
