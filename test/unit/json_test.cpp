// Node: limits of the reader, types of the getters, text repair of the builder.
#include "core/error.hpp"
#include "json/json.hpp"

#include <gtest/gtest.h>

namespace billstack::json {
namespace {

TEST(JsonNode, reads_by_dotted_path_and_type) {
    const Node node = Node::parse(
        R"({"a":{"b":{"c":"x","n":9007199254740993,"t":true,"f":false,"z":null,"r":1.5}},"l":[1,{"i":7}]})");
    EXPECT_TRUE(node.is_object());
    EXPECT_EQ(node.text_at("a.b.c"), "x");
    EXPECT_EQ(node.integer_at("a.b.n"), 9007199254740993);
    EXPECT_EQ(node.boolean_at("a.b.t"), true);
    EXPECT_EQ(node.boolean_at("a.b.f"), false);
    for (const char *path : {"a.b.z", "a.b.none", "a.none.c", "a.b.c.d", "l.0", "l.2.i", "l.-1",
                             "l.0x", "l.", "", "a.", ".a"})
        EXPECT_EQ(node.text_at(path), std::nullopt) << path;
    EXPECT_EQ(node.integer_at("l.0"), 1);
    EXPECT_EQ(node.integer_at("l.1.i"), 7);
    EXPECT_EQ(node.text_at("a.b.n"), std::nullopt);
    EXPECT_EQ(node.integer_at("a.b.c"), std::nullopt);
    EXPECT_EQ(node.integer_at("a.b.r"), std::nullopt);
    EXPECT_EQ(node.boolean_at("a.b.n"), std::nullopt);
    EXPECT_FALSE(Node::parse("[]").is_object());
}

std::string nested(int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
}

TEST(JsonNode, refuses_what_two_parsers_could_read_differently) {
    EXPECT_NO_THROW(Node::parse(nested(64)));
    EXPECT_NO_THROW(Node::parse("{\"a\":\"" + std::string(1000, '[') + "\\\"[\"}"));
    const std::string large = "[\"" + std::string(4U << 20, 'x') + "\"]";
    for (const std::string &bad :
         {std::string(), std::string("{"), std::string("{\"a\":1,\"a\":2}"), nested(65),
          nested(100000), large, std::string("{\"a\":01}"), std::string("{\"a\":1}x"),
          std::string("\"text\""), std::string("1"), std::string("[\"\xff\"]"),
          std::string("[\"\\ud800\"]"), std::string("[99999999999999999999]"), std::string("[NaN]"),
          std::string("{'a':1}"), std::string("[1,]")})
        try {
            Node::parse(bad);
            ADD_FAILURE() << bad.substr(0, 50);
        } catch (const core::Error &error) {
            EXPECT_EQ(error.code, core::Code::bad_argument);
        }
}

TEST(JsonNode, errors_hold_nothing_of_the_input) {
    try {
        Node::parse("{\"key\": sk_live_topsecret}");
        FAIL();
    } catch (const core::Error &error) {
        EXPECT_EQ((error.message + error.detail + error.hint).find("topsecret"), std::string::npos);
    }
}

TEST(JsonNode, builds_in_order_of_insertion) {
    Node inner = Node::array();
    inner.append("x").append(Node::object());
    Node node = Node::object();
    node.set("z", "text")
        .set("a", std::int64_t{9007199254740993})
        .set("i", 5)
        .set("t", true)
        .set("n", std::optional<bool>())
        .set("o", std::optional<std::string>("s"))
        .set("p", std::optional<std::string>())
        .set("q", std::optional<std::int64_t>())
        .set("c", static_cast<const char *>(nullptr))
        .set("s", std::string("str"))
        .set("l", std::move(inner))
        .set_null("e");
    EXPECT_EQ(node.dump(), R"({"z":"text","a":9007199254740993,"i":5,"t":true,"n":null,"o":"s",)"
                           R"("p":null,"q":null,"c":null,"s":"str","l":["x",{}],"e":null})");
    node.set("z", 1);
    EXPECT_TRUE(node.dump().starts_with(R"({"z":1,"a":)"));
    EXPECT_THROW(Node::array().set("a", 1), core::Error);
    EXPECT_THROW(Node::object().append("a"), core::Error);
}

TEST(JsonNode, repairs_text_that_is_not_utf8) {
    Node node = Node::object();
    node.set("a", std::string_view("x\xff\xc0\x80y\0z", 7));
    EXPECT_EQ(node.text_at("a"), "x\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDy\xEF\xBF\xBDz");
    const Node read = Node::parse(R"({"a":"x\u0000y"})");
    EXPECT_EQ(read.text_at("a"), "x\xEF\xBF\xBDy");
}

} // namespace
} // namespace billstack::json
