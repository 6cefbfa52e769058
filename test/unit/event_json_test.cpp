// Bodies that are odd JSON or none, each inside an event: after the cases of JSONTestSuite
// (https://github.com/nst/JSONTestSuite), and sizes, depths and names.
#include "event_bodies.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace billstack::stripe {
namespace {

// y_ and i_ of JSONTestSuite, and numbers that no double holds.
const std::string nines(5000, '9');
const std::vector<std::string> json_values = {
    "[]",
    "{}",
    "[[]   ]",
    "[\"\"]",
    "[false]",
    "[null, 1, \"1\", {}]",
    "[ 4]",
    "[1\n]",
    "[1,null,null,null,2]",
    "[2] ",
    "\"\"",
    "\" \"",
    "-0",
    "-1",
    "0",
    "0e1",
    "0e+1",
    "0E-1",
    "1E22",
    "1E+2",
    "1e-2",
    "123.456e78",
    "1.000000000000000000000000000000000001",
    "-0.0000000000000000000000000000000000000000000000000000000000000000000000000000001",
    "1e131071",
    "-1e131072",
    "1E400",
    "1e99999999999999999999",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "12345678901234567.89",
    "1.10",
    nines,
    "0." + nines,
    "1e" + nines,
    "\"\\u0060\\u012a\\u12AB\"",
    "\"\\ud801\\udc37\"",
    "\"\\ud83d\\ude39\\ud83d\\udc8d\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\\\u0000\"",
    "\"\\\\a\"",
    "\"a/*b*/c/*d//e\"",
    "\"\x7f\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud800\\n\"",
    "\"\\uDADA\"",
    "\"\\uFDD0\\uFFFE\\u200B\\u2064\\u0012\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\xef\xbf\xbf\"",
    "\"\xef\xbb\xbf\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "\"\u2028\u2029\"",
    "\"new\\u00A0line\"",
    "{\"\":0}",
    "{\"a\\u0000b\":1}",
    "{\"a\":\"b\",\"c\":\"d\"}",
    "{\"min\": -1.0e+28, \"max\": 1.0e+28}",
    "{\"a\":[]}\n\t\r ",
    "{\"a\":{\"a\":{\"a\":{}}}}",
    "[{\"a\":1},{\"a\":1}]"};

TEST(Event, values_that_are_json) {
    for (const std::string &value : json_values) {
        const std::string body = with_value(value);
        EXPECT_EQ(refusal(body), "") << value.substr(0, 80);
        EXPECT_TRUE(read_event_head(body).readable) << value.substr(0, 80);
    }
}

// n_ of JSONTestSuite.
const std::vector<std::string> not_json_values = {"",
                                                  "[",
                                                  "[1",
                                                  "[1,",
                                                  "[1,]",
                                                  "[1,,2]",
                                                  "[,1]",
                                                  "[,]",
                                                  "[\"\",",
                                                  "[\"a\"",
                                                  "[1 true]",
                                                  "[a]",
                                                  "[a",
                                                  "[*]",
                                                  "[1}",
                                                  "]",
                                                  "[]]",
                                                  "[\"x\"]]",
                                                  "[3[4]]",
                                                  "[1:2]",
                                                  "[\"\": 1]",
                                                  "[\"x\", truth]",
                                                  "[fals]",
                                                  "[nul]",
                                                  "[tru]",
                                                  "nulL",
                                                  "True",
                                                  "TRUE",
                                                  "[NaN]",
                                                  "[Inf]",
                                                  "[Infinity]",
                                                  "[-Infinity]",
                                                  "[-NaN]",
                                                  "[+1]",
                                                  "[++1234]",
                                                  "[-]",
                                                  "[-foo]",
                                                  "[- 1]",
                                                  "[-01]",
                                                  "[-012]",
                                                  "[-1.0.]",
                                                  "[-2.]",
                                                  "[-.1]",
                                                  "[.-1]",
                                                  "[.2e-3]",
                                                  "[0.1.2]",
                                                  "[0.3e]",
                                                  "[0.3e+]",
                                                  "[0.e1]",
                                                  "[0E]",
                                                  "[0E+]",
                                                  "[0e]",
                                                  "[0e+]",
                                                  "[1.0e]",
                                                  "[1.0e+]",
                                                  "[1.0e-]",
                                                  "[1 000.0]",
                                                  "[1eE2]",
                                                  "[2.e+3]",
                                                  "[2.e-3]",
                                                  "[2.e3]",
                                                  "[9.e+]",
                                                  "[1+2]",
                                                  "[0x1]",
                                                  "[0x42]",
                                                  "[1a]",
                                                  "[1ea]",
                                                  "[1.2a-3]",
                                                  "[1.8011670033376514H-308]",
                                                  "[012]",
                                                  "[123\xef\xbc\x92]",
                                                  "{",
                                                  "{]",
                                                  "{,",
                                                  "{}}",
                                                  "{\"a\"",
                                                  "{\"a\":",
                                                  "{\"a\":1",
                                                  "{\"a\":1,",
                                                  "{\"a\":1,}",
                                                  "{\"a\":1,,}",
                                                  "{\"a\" 1}",
                                                  "{\"a\":\"a\" 123}",
                                                  "{\"a\":1 \"b\":2}",
                                                  "{a:1}",
                                                  "{'a':1}",
                                                  "{1:1}",
                                                  "{:1}",
                                                  "{null:1}",
                                                  "{\"a\"::1}",
                                                  "{\"a\":1:2}",
                                                  "{\"a\",1}",
                                                  "{[1]:2}",
                                                  "{\"a\":/*comment*/1}",
                                                  "{\"a\":1}//",
                                                  "{\"a\":1}#",
                                                  "#{}",
                                                  "\"",
                                                  "\"a",
                                                  "a\"",
                                                  "'a'",
                                                  "\"\\",
                                                  "\"\\\"",
                                                  "\"\\x00\"",
                                                  "\"\\a\"",
                                                  "\"\\'\"",
                                                  "\"\\\\\\\"",
                                                  "\"\\u\"",
                                                  "\"\\u00A\"",
                                                  "\"\\u1\"",
                                                  "\"\\uqqqq\"",
                                                  "\"\\ud800\\u\"",
                                                  "\"\\ud800\\u1\"",
                                                  "\"\\U0041\"",
                                                  "\"\\{[\"",
                                                  "\"\\\t\"",
                                                  "\"\n\"",
                                                  "\"\t\"",
                                                  "\"\x1f\"",
                                                  "\"\x01\"",
                                                  std::string("\"\0\"", 3),
                                                  std::string("\0", 1),
                                                  std::string("[1\0]", 4),
                                                  "\f",
                                                  "[\v1]",
                                                  "\xe2\x81\xa0[]",
                                                  "\xc2\xa0[]",
                                                  "\xef\xbb\xbf{}",
                                                  "<null>",
                                                  "<.>",
                                                  "[\\u000A\"\"]",
                                                  "[\"a\\u00g0\"]",
                                                  "\\u0061",
                                                  "--1",
                                                  "1 2",
                                                  "tru e",
                                                  "{\"a\":1}{}",
                                                  "[][]"};

TEST(Event, values_that_are_not_json) {
    for (const std::string &value : not_json_values) {
        const std::string body = with_value(value);
        EXPECT_EQ(refusal(body), not_json) << value;
        EXPECT_FALSE(read_event_head(body).readable) << value;
    }
}

TEST(Event, bodies_that_are_not_one_object) {
    const std::string good(snapshot);
    for (const std::string &body :
         {std::string(), std::string(" "), std::string("null"), std::string("[]"),
          std::string("\"e\""), std::string("1"), "[" + good + "]", good + good, good + "x",
          good + std::string(1, '\0'), std::string(1, '\0') + good, "\xef\xbb\xbf" + good, // a BOM
          good + ",", "," + good, good + "\f", std::string("{\"id\":\"e\"")})
        EXPECT_EQ(refusal(body), not_json) << body.substr(0, 20);
    EXPECT_EQ(refusal("\xff\xfe{\0}\0"), not_utf8); // UTF-16
    EXPECT_EQ(refusal(" \n\t\r" + good + "\r\n "), "");
}

TEST(Event, every_truncation_is_refused) {
    for (std::string_view whole : {snapshot.substr(0, snapshot.size() - 1), thin})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const std::string body(
                whole.substr(0, size)); // its own memory: sanitizers see overruns
            EXPECT_EQ(refusal(body), not_json) << size;
            EXPECT_FALSE(read_event_head(body).readable) << size;
        }
}

TEST(Event, what_is_not_utf8) {
    for (const char *bytes :
         {"\xff", "\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xe2\x82", "\xed\xa0\x80",
          "\xed\xbf\xbf", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
          "\xfc\x83\xbf\xbf\xbf\xbf", "\xf0\x9f\x98", "\xe9", "\xfe", "ab\xc3"}) {
        const std::string body = with_value("\"" + std::string(bytes) + "\"");
        EXPECT_EQ(refusal(body), not_utf8);
        EXPECT_FALSE(read_event_head(body).readable);
        EXPECT_EQ(refusal(bytes), not_utf8);
    }
}

TEST(Event, names_that_are_there_twice) {
    for (const char *value :
         {R"({"a":1,"a":1})", R"({"a":1,"b":{},"a":{}})", R"([{"x":{"a":1,"a":2}}])",
          R"({"a":1,"\u0061":1})", R"({"\u0061":1,"\u0061":2})", R"({"":1,"":2})",
          R"({"\ud83d\ude00":1,"😀":2})", R"({"\/":1,"/":2})", R"({"\u0000":1,"\u0000":2})",
          R"({"__proto__":1,"__proto__":2})"})
        EXPECT_EQ(refusal(with_value(value)), twice) << value;
    for (const char *value :
         {R"({"a":1,"A":1,"a ":1,"\u00e1":1})", R"({"a":{"a":{"a":1}},"b":{"a":1}})",
          R"({"a":"a","b":"a"})", R"({"a":{"b":1},"b":1})"})
        EXPECT_EQ(refusal(with_value(value)), "") << value;
    const std::string rest = R"("type":"t","created":1,"data":{"object":{}}})";
    EXPECT_EQ(refusal(R"({"id":"e","id":"e",)" + rest), twice);
    EXPECT_EQ(refusal(R"({"id":"e","x":1,"x":1,)" + rest), twice);
    EXPECT_EQ(refusal(R"({"id":"e","data":{"object":{}},)" + rest), twice);
    EXPECT_EQ(refusal(R"({"id":"e","related_object":{"id":1,"id":2},)" + rest), twice);
    EXPECT_EQ(refusal(R"({"id":"e","type":"t","created":1,"data":{"object":{},"object":{}}})"),
              twice);
    EXPECT_EQ(refusal(R"({"id":"e","type":"t","created":1,"data":{"object":
                         {"customer":{"id":"a","id":"b"}}}})"),
              twice);
}

TEST(Event, depth_is_counted_from_the_body) {
    // The body, data and data.object are three.
    const auto nested = [](int depth, const std::string &open, const std::string &close) {
        std::string value;
        for (int i = 3; i < depth; ++i)
            value += open;
        value += "1";
        for (int i = 3; i < depth; ++i)
            value += close;
        return with_value(value);
    };
    EXPECT_EQ(refusal(nested(64, "[", "]")), "");
    EXPECT_EQ(refusal(nested(65, "[", "]")), too_deep);
    EXPECT_EQ(refusal(nested(64, "{\"a\":", "}")), "");
    EXPECT_EQ(refusal(nested(65, "{\"a\":", "}")), too_deep);
    EXPECT_TRUE(read_event_head(nested(200, "[", "]")).readable);
    for (const std::string &open : {std::string("["), std::string("{\"\":")}) {
        std::string body;
        while (body.size() < 1000000)
            body += open;
        EXPECT_EQ(refusal(with_value(body)), too_deep);
        EXPECT_FALSE(read_event_head(with_value(body)).readable);
        EXPECT_NE(refusal(body), "");
    }
}

TEST(Event, size_is_limited) {
    const std::string frame = with_value("\"\"");
    EXPECT_EQ(refusal(with_value("\"" + std::string(max_event_size - frame.size(), 'x') + "\"")),
              "");
    EXPECT_EQ(
        refusal(with_value("\"" + std::string(max_event_size - frame.size() + 1, 'x') + "\"")),
        too_large);
    std::string numbers = "[1";
    while (numbers.size() < 10000000)
        numbers += ",1";
    EXPECT_EQ(refusal(with_value(numbers + "]")), too_large);
    EXPECT_EQ(read_event_head(with_value(numbers + "]")).id, "evt_1");
}

// 1 MiB of the worst there is ends soon: under valgrind's eyes too it would show a square.
TEST(Event, large_bodies_of_odd_shapes) {
    const auto filled = [](const std::string &begin, auto item, const std::string &end) {
        std::string value = begin;
        for (int i = 0; value.size() < max_event_size - 200; ++i)
            value += (i == 0 ? "" : ",") + item(i);
        return with_value(value + end);
    };
    const auto digits = [](int i) { return std::to_string(1000000 + i); };
    EXPECT_EQ(refusal(filled(
                  "{", [&](int i) { return "\"" + digits(i) + "\":1"; }, "}")),
              "");
    // Names whose ends and lengths agree.
    EXPECT_EQ(refusal(filled(
                  "{", [&](int i) { return "\"abcdefgh" + digits(i) + "abcdefgh\":1"; }, "}")),
              "");
    EXPECT_EQ(refusal(filled(
                  "{", [&](int i) { return "\"\\u0061" + digits(i) + "\":1"; }, "}")),
              "");
    EXPECT_EQ(refusal(filled(
                  "{\"1000000\":0,", [&](int i) { return "\"" + digits(i) + "\":1"; }, "}")),
              twice);
    EXPECT_EQ(refusal(filled(
                  "[", [](int) { return std::string("1e131071"); }, "]")),
              "");
    EXPECT_EQ(refusal(filled(
                  "[", [](int) { return std::string("{}"); }, "]")),
              "");
    EXPECT_EQ(refusal(filled(
                  "\"", [](int) { return std::string("\\u0000"); }, "\"")),
              "");
}

TEST(Event, no_reason_holds_anything_of_the_body) {
    for (std::string body : {std::string("sk_live_secret"), with_value("sk_live_secret"),
                             with_value(R"({"sk_live_secret":1,"sk_live_secret":2})"),
                             std::string(R"({"id":"sk_live secret"})")}) {
        try {
            parse_event(body);
            FAIL() << body;
        } catch (const core::Error &error) {
            for (const std::string &text : {error.message, error.detail, error.hint})
                EXPECT_EQ(text.find("secret"), std::string::npos);
        }
    }
}

} // namespace
} // namespace billstack::stripe
