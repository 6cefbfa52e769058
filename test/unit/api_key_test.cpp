#include "crypto/api_key.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

using namespace billstack;

TEST(ApiKey, HasItsShapeAndNeverRepeats) {
    std::set<std::string> made;
    std::map<char, int> counts;
    constexpr int keys = 2000;
    for (int i = 0; i < keys; ++i) {
        core::SecretBytes key = crypto::make_api_key();
        ASSERT_TRUE(crypto::is_api_key_shaped(key.view())) << key.view();
        EXPECT_TRUE(made.emplace(key.view()).second);
        for (char digit : key.view().substr(3)) {
            ++counts[digit];
        }
    }
    ASSERT_EQ(counts.size(), 16U);
    for (auto [digit, count] : counts) {
        // 96,000 digits: 6,000 each; 400 is more than five times the standard deviation (75).
        EXPECT_NEAR(count, keys * 48 / 16, 400) << digit;
    }
}

TEST(ApiKey, OtherTextsAreNotOfItsShape) {
    std::string key(crypto::make_api_key().view());
    EXPECT_FALSE(crypto::is_api_key_shaped(""));
    EXPECT_FALSE(crypto::is_api_key_shaped("bs_"));
    EXPECT_FALSE(crypto::is_api_key_shaped(key.substr(1)));
    EXPECT_FALSE(crypto::is_api_key_shaped(key + "0"));
    EXPECT_FALSE(crypto::is_api_key_shaped(key + '\n'));
    std::string upper = key;
    upper[10] = 'A';
    EXPECT_FALSE(crypto::is_api_key_shaped(upper));
    key[0] = 'c';
    EXPECT_FALSE(crypto::is_api_key_shaped(key));
}
