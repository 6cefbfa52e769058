// Card numbers in JSON: what is one, what is masked and how, and random texts in which one is
// hidden.
#include "json/card_numbers.hpp"

#include "test_random.hpp"

#include <gtest/gtest.h>

namespace billstack::json {
namespace {

std::string masked(std::string json) {
    const std::size_t size = json.size();
    const bool may = may_hold_card_data(json);
    const std::size_t changed = mask_card_data(json);
    EXPECT_EQ(json.size(), size);
    if (!may) {
        EXPECT_EQ(changed, 0U) << json;
    }
    return json;
}

TEST(CardNumbers, of_every_issuer_are_found) {
    for (const char *number :
         {"4242424242424242", "5555555555554444", "2223003122003222", "378282246310005",
          "371449635398431", "6011111111111117", "30569309025904", "36227206271667",
          "3566002020360505", "6200000000000005", "6205500000000000004", "4000056655665556",
          "4242 4242 4242 4242", "4242-4242-4242-4242", "3782 822463 10005", "4242.4242.4242.4242",
          "card 4242424242424242 exp 12/30", "4242424242424242 12/30 123", "x4242424242424242y"})
        EXPECT_TRUE(holds_card_number(number)) << number;
}

TEST(CardNumbers, other_numbers_are_left_alone) {
    for (const char *number :
         {"", "4242", "4242424242424241", "1700000000000000", "1700000000000", "+4915112345678901",
          "+49 1511 2345 6789 01", "42424242424242424242", "0000000000000000", "9007199254740993",
          "4242 4242  4242 4242", "pi_3MtwBwLkdIwHu7ix28a3tqPa", "4242 4242 4242 424"})
        EXPECT_FALSE(holds_card_number(number)) << number;
}

TEST(CardNumbers, the_last_four_digits_stay) {
    EXPECT_EQ(masked(R"({"note":"4242424242424242"})"), R"({"note":"************4242"})");
    EXPECT_EQ(masked(R"({"note":"pay 4242-4242-4242-4242 now"})"),
              R"({"note":"pay ****-****-****-4242 now"})");
    EXPECT_EQ(masked(R"({"a":["378282246310005",1,"5555 5555 5555 4444"]})"),
              R"({"a":["***********0005",1,"**** **** **** 4444"]})");
}

TEST(CardNumbers, in_a_number_all_digits_become_nine) {
    EXPECT_EQ(masked(R"({"n":4242424242424242,"m":4242424242424241})"),
              R"({"n":9999999999999999,"m":4242424242424241})");
    EXPECT_EQ(masked(R"([4242424242424242.5, 0.4242424242424242])"),
              R"([4242424242424242.5, 0.4242424242424242])");
    EXPECT_EQ(masked("no JSON: 4242-4242-4242-4242 "), "no JSON: 9999-9999-9999-9999 ");
    EXPECT_EQ(masked(R"({"a": 4242424242424242 , "b":-4242424242424242})"),
              R"({"a": 9999999999999999 , "b":-9999999999999999})");
}

TEST(CardNumbers, in_names_and_escapes_too) {
    EXPECT_EQ(masked(R"({"4242424242424242":1})"), R"({"************4242":1})");
    EXPECT_EQ(masked("{\"n\":\"\\u0034242424242424242\"}"), "{\"n\":\"\\u002a***********4242\"}");
    EXPECT_EQ(masked("{\"n\":\"4242\\u00204242\\u00204242\\u00204242\"}"),
              "{\"n\":\"****\\u0020****\\u0020****\\u00204242\"}");
    EXPECT_EQ(masked("{\"n\":\"\\\"4242424242424242\\\"\"}"),
              "{\"n\":\"\\\"************4242\\\"\"}");
}

TEST(CardNumbers, members_with_telling_names_are_masked) {
    EXPECT_EQ(masked(R"({"card":{"cvc":"123","cvc_check":"pass 123","exp_year":2030}})"),
              R"({"card":{"cvc":"***","cvc_check":"pass 123","exp_year":2030}})");
    EXPECT_EQ(masked(R"({"cvv" : 1234})"), R"({"cvv" : 9999})");
    EXPECT_EQ(masked(R"({"account_number":"000123456789","x":1})"),
              R"({"account_number":"********6789","x":1})");
    EXPECT_EQ(masked(R"({"iban":"DE89 3704 0044 0532 0130 00"})"),
              R"({"iban":"DE** **** **** **** **30 00"})");
    EXPECT_EQ(masked(R"({"card_number":"1234 5678 9012 3456"})"),
              R"({"card_number":"**** **** **** 3456"})");
    EXPECT_EQ(masked(R"({"cvc":null,"pan":"12","security_code":["987"]})"),
              R"({"cvc":null,"pan":"12","security_code":["***"]})");
}

TEST(CardNumbers, what_is_no_json_is_no_trouble) {
    for (const char *text :
         {"", "\"", "\"\\", "{\"cvc\":\"12", "\\u0034", "\"\\u00", ":::", "42424242424242"})
        (void)masked(text);
}

const char *const cards[] = {"4242424242424242", "378282246310005", "5555 5555 5555 4444",
                             "6011-1111-1111-1117"};

std::string random_value(test::Random &random) {
    switch (random.below(6)) {
    case 0:
        return std::to_string(random.below(2000000000));
    case 1:
        return "\"" + random.text_of("0123456789 -._/", random.below(30)) + "\"";
    case 2:
        return "\"" + random.text_of("abcdefghijklmnop0123456789_", random.below(40)) + "\"";
    case 3:
        return "null";
    case 4:
        return "\"" + random.text_of("ab \xc3\xa9:,{}[]", 2 * random.below(20)) + "\"";
    default:
        return "[1, {\"x\": \"y\"}]";
    }
}

TEST(CardNumbers, wherever_one_stands_it_is_found) {
    test::Random random;
    for (int round = 0; round < test::rounds(20000); ++round) {
        std::string json = "{";
        const std::uint64_t count = 1 + random.below(12);
        const std::uint64_t at = random.below(count);
        const std::string card = cards[random.below(4)];
        for (std::uint64_t i = 0; i < count; ++i) {
            json += std::string(i == 0 ? "" : ",") + (random.below(2) == 0 ? "\n  " : "") + "\"m" +
                    std::to_string(i) + "\":" + (random.below(2) == 0 ? " " : "");
            json += i != at ? random_value(random)
                            : "\"" + random.text_of("abc,:", random.below(20)) + card +
                                  random.text_of("abc,:", random.below(20)) + "\"";
        }
        json += "}";
        ASSERT_TRUE(may_hold_card_data(json)) << json;
        const std::string after = masked(json);
        ASSERT_EQ(after.find(card), std::string::npos) << json << "\n" << after;
        ASSERT_EQ(masked(after), after) << "masked twice";
    }
}

} // namespace
} // namespace billstack::json
