#include "crypto/public_id.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>

using billstack::crypto::make_public_id;

TEST(PublicId, IsPrefixAndSixteenLettersOrDigits) {
    for (const char *prefix : {"proj_", "pc_", ""}) {
        std::string id = make_public_id(prefix);
        ASSERT_EQ(id.size(), std::string(prefix).size() + 16);
        EXPECT_EQ(id.rfind(prefix, 0), 0u);
        for (char c : id.substr(std::string(prefix).size()))
            EXPECT_TRUE((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    }
}

TEST(PublicId, NeverTwice) {
    std::set<std::string> ids;
    for (int i = 0; i < 20000; ++i)
        ids.insert(make_public_id("pc_"));
    EXPECT_EQ(ids.size(), 20000u);
}

// 62 does not divide 256: without rejection the first eight letters come a quarter more often,
// which is 19 standard deviations here.
TEST(PublicId, NoLetterIsFavoured) {
    std::map<char, int> counts;
    const int ids = 20000;
    for (int i = 0; i < ids; ++i)
        for (char c : make_public_id(""))
            ++counts[c];
    ASSERT_EQ(counts.size(), 62u);
    const double expected = ids * 16 / 62.0;
    for (auto [letter, count] : counts)
        EXPECT_NEAR(count, expected, 0.1 * expected) << letter;
}
