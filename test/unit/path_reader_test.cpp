// Finding values by path, and the strictness on which storing bytes unchecked rests.
#include "json/path_reader.hpp"

#include "core/error.hpp"
#include "json/token_text.hpp"

#include <array>
#include <gtest/gtest.h>

namespace billstack::json {
namespace {

constexpr std::array<std::string_view, 6> paths = {"a", "a.b", "l.0.x", "l.2", "other", "a.b.c"};

std::vector<Token> read(std::string_view text) {
    std::vector<Token> tokens(paths.size());
    PathReader(paths).read(text, tokens);
    return tokens;
}

TEST(PathReader, finds_values_on_their_paths) {
    std::vector<Token> tokens =
        read(R"( {"z":{"a":1},"a" : {"b": {"c":-1.5e3 }}, "l":[{"x":"q\""},1,[ ]],"other":null} )");
    EXPECT_EQ(tokens[0].kind, TokenKind::object);
    EXPECT_EQ(tokens[0].text, R"({"b": {"c":-1.5e3 }})");
    EXPECT_EQ(tokens[1].text, R"({"c":-1.5e3 })");
    EXPECT_EQ(tokens[2].text, R"(q\")");
    EXPECT_TRUE(tokens[2].escaped);
    EXPECT_EQ(tokens[3].kind, TokenKind::array);
    EXPECT_EQ(tokens[4].kind, TokenKind::null);
    EXPECT_EQ(tokens[5].text, "-1.5e3");
    EXPECT_EQ(read("{}")[0].kind, TokenKind::absent);
}

TEST(PathReader, names_with_escapes_are_the_same_names) {
    EXPECT_EQ(read(R"({"\u0061":{"\u0062":1}})")[1].text, "1");
    EXPECT_EQ(read(R"({"\\u0061":1})")[0].kind, TokenKind::absent);
}

TEST(PathReader, the_last_of_two_members_counts_with_all_that_is_below) {
    std::vector<Token> tokens = read(R"({"a":{"b":1},"a":2})");
    EXPECT_EQ(tokens[0].text, "2");
    EXPECT_EQ(tokens[1].kind, TokenKind::absent);
    tokens = read(R"({"a":{"b":{"c":1}},"a":{"b":{"d":2}}})");
    EXPECT_EQ(tokens[5].kind, TokenKind::absent);
    EXPECT_EQ(tokens[1].text, R"({"d":2})");
    EXPECT_EQ(read(R"({"l":[{"x":1},2,3],"l":[]})")[3].kind, TokenKind::absent);
}

TEST(PathReader, refuses_what_is_not_one_valid_object) {
    std::string deep = "{\"q\":" + std::string(max_depth, '[') + std::string(max_depth, ']') + "}";
    for (std::string text : {std::string(),
                             std::string("null"),
                             std::string("[]"),
                             std::string("{"),
                             std::string("{}{}"),
                             std::string("{} x"),
                             std::string(R"({"q":1,})"),
                             std::string(R"({,"q":1})"),
                             std::string(R"({"q":[1,]})"),
                             std::string(R"({"q":[1 2]})"),
                             std::string(R"({"q":01})"),
                             std::string(R"({"q":1.})"),
                             std::string(R"({"q":.5})"),
                             std::string(R"({"q":+1})"),
                             std::string(R"({"q":-})"),
                             std::string(R"({"q":1e})"),
                             std::string(R"({"q":1e+})"),
                             std::string(R"({"q":0x1})"),
                             std::string(R"({"q":NaN})"),
                             std::string(R"({"q":tru})"),
                             std::string(R"({"q":trueish})"),
                             std::string(R"({"q":nul)"),
                             std::string(R"({"q":"\x"})"),
                             std::string(R"({"q":"\u12g4"})"),
                             std::string(R"({"q":"\u12)"),
                             std::string(R"({"q":")"),
                             std::string(R"({"q":"\)"),
                             std::string(R"({'q':1})"),
                             std::string(R"({q:1})"),
                             std::string(R"({"q"})"),
                             std::string(R"({"q":})"),
                             std::string(R"({"q":[}]})"),
                             std::string("{\"q\":\"\n\"}"),
                             std::string("{\"q\":\"\xc3\"}"),
                             std::string("{\"q\":\"\xed\xa0\x80\"}"),
                             std::string("{\"q\":\"a\0b\"}", 11),
                             std::string("{\0}", 3),
                             std::string("{\f}"),
                             std::string("\xef\xbb\xbf{}"),
                             std::string("{\"q\":/**/1}"),
                             deep}) {
        EXPECT_THROW(read(text), core::Error) << text;
    }
}

TEST(PathReader, accepts_all_that_json_allows) {
    std::string deep =
        "{\"q\":" + std::string(max_depth - 1, '[') + std::string(max_depth - 1, ']') + "}";
    for (std::string text :
         {std::string(R"({"q":"\ud800"})"), std::string(R"({"q":"\u0000\/\b\f\n\r\t\\\""})"),
          std::string(R"({"q":-0,"r":0.0,"s":1E+99999,"t":123456789012345678901234567890})"),
          std::string("{\r\n\t \"q\"\t:\r[ ]\n}"), std::string("{\"\":\"\x7f\"}"),
          std::string(R"({"q":[[],{},"",0,true,false,null]})"), deep}) {
        EXPECT_NO_THROW(read(text)) << text;
    }
}

TEST(TokenText, unescape_repairs_what_text_cannot_hold) {
    EXPECT_EQ(unescaped(R"(a\"\\\/\b\f\n\r\t)"), "a\"\\/\b\f\n\r\t");
    EXPECT_EQ(unescaped(R"(\u00e9\u20ac\ud83d\ude00\u0041)"), "é€😀A");
    EXPECT_EQ(unescaped(R"(\u0000)"), "\ufffd");
    EXPECT_EQ(unescaped(R"(\ud83dx)"), "\ufffdx");
    EXPECT_EQ(unescaped(R"(\ude00\ud83d)"), "\ufffd\ufffd");
    EXPECT_EQ(unescaped(R"(\ud83d\ud83d\ude00)"), "\ufffd😀");
    EXPECT_EQ(unescaped(R"(\\u0000)"), "\\u0000");
    EXPECT_EQ(unescaped(R"(\ud83d\n)"), "\ufffd\n");
}

std::string cleaned(std::string_view value) {
    std::string out(value.size(), '\0');
    clean_json(value, out.data());
    EXPECT_EQ(needs_cleaning(value), out != value) << value;
    return out;
}

TEST(TokenText, clean_json_touches_only_what_jsonb_refuses) {
    EXPECT_EQ(cleaned(R"({"a":"b\n\u00e9\ud83d\ude00\\u0000"})"),
              R"({"a":"b\n\u00e9\ud83d\ude00\\u0000"})");
    EXPECT_EQ(cleaned(R"({"a\u0000":"\\\u0000"})"), R"({"a\ufffd":"\\\ufffd"})");
    EXPECT_EQ(cleaned(R"(["\uD800","\udc00\ud800\udc00"])"), R"(["\ufffd","\ufffd\ud800\udc00"])");
}

TEST(TokenText, jsonb_limits) {
    EXPECT_TRUE(fits_jsonb(R"({"a":"[[[[1e999","b":[1,-2.5e+100,0]})"));
    EXPECT_TRUE(fits_jsonb(R"({"a":"\\","b":"\"[1e999"})"));
    EXPECT_FALSE(fits_jsonb(R"({"a":[1e101]})"));
    EXPECT_FALSE(fits_jsonb(R"({"a":1E-0101})"));
    EXPECT_FALSE(fits_jsonb("[" + std::string(101, '1') + "]"));
    EXPECT_TRUE(fits_jsonb(std::string(64, '[') + std::string(64, ']')));
    EXPECT_FALSE(fits_jsonb(std::string(65, '[') + std::string(65, ']')));
    EXPECT_FALSE(fits_jsonb("[\"" + std::string(1 << 20, 'x') + "\"]"));
}

TEST(TokenText, sane_numbers) {
    EXPECT_TRUE(is_sane_number("1e100"));
    EXPECT_TRUE(is_sane_number("-0.5E-00100"));
    EXPECT_FALSE(is_sane_number("1e131071"));
    EXPECT_FALSE(is_sane_number("1e99999999999999999999"));
    EXPECT_FALSE(is_sane_number(std::string(101, '9')));
}

} // namespace
} // namespace billstack::json
