// Splitting list answers: exact bytes, ids, and a plain refusal of everything that is no page.
#include "json/object_page.hpp"

#include "core/error.hpp"
#include "json/scanner.hpp"

#include <gtest/gtest.h>

namespace billstack::json {
namespace {

void expect_refused(const std::string &body) {
    try {
        ListPage::parse(body);
        ADD_FAILURE() << "accepted: " << body.substr(0, 200);
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::stripe_unreachable) << body.substr(0, 200);
    }
}

TEST(ObjectPage, keeps_the_exact_bytes_of_each_object) {
    std::string first = "{ \"id\" : \"ch_1\",\n  \"amount\": 1.10, \"created\": 1700000000,"
                        " \"nested\": {\"id\": \"x\", \"a\": [1, {\"b\": \"}\"}]} }";
    std::string second = R"({"created":null,"object":"charge","id":"ch_\u0032","t":"\u0000"})";
    std::string body = "{\n \"object\": \"list\",\n \"data\": [\n  " + first + " \n ,\n  " +
                       second + "\n ],\n \"has_more\": true,\n \"url\": \"/v1/charges\"\n}\n";
    ListPage page = ListPage::parse(body);
    ListPage moved = std::move(page);
    ASSERT_EQ(moved.objects().size(), 2u);
    EXPECT_TRUE(moved.has_more());
    EXPECT_EQ(moved.objects()[0].raw, first);
    EXPECT_EQ(moved.objects()[0].id, "ch_1");
    EXPECT_EQ(moved.objects()[0].created, 1700000000);
    EXPECT_EQ(moved.objects()[1].raw, second);
    EXPECT_EQ(moved.objects()[1].id, "ch_2");
    EXPECT_EQ(moved.objects()[1].created, std::nullopt);
}

TEST(ObjectPage, reads_members_in_any_order_and_empty_lists) {
    ListPage page = ListPage::parse(R"({"has_more":false,"url":"/","data":[{"id":"a"}],"x":{}})");
    EXPECT_EQ(page.objects().size(), 1u);
    EXPECT_FALSE(page.has_more());
    EXPECT_TRUE(ListPage::parse(R"({"data":[],"has_more":false})").objects().empty());
}

TEST(ObjectPage, invoice_items_call_it_date) {
    const ListPage page = ListPage::parse(
        R"({"data":[{"id":"ii_1","date":1700000000,"amount":5},{"date":5,"created":7,"id":"po_1"},)"
        R"({"created":8,"date":6,"id":"po_2"},{"id":"x","date":"2020-01-01"}],"has_more":false})");
    EXPECT_EQ(page.objects()[0].created, 1700000000);
    EXPECT_EQ(page.objects()[1].created, 7);
    EXPECT_EQ(page.objects()[2].created, 8);
    EXPECT_EQ(page.objects()[3].created, std::nullopt);
}

TEST(ObjectPage, odd_created_values_are_left_out) {
    for (const char *created : {"1.5", "\"1\"", "{}", "[1]", "true", "99999999999999999999"}) {
        std::string body =
            std::string(R"({"data":[{"created":)") + created + R"(,"id":"a"}],"has_more":false})";
        ListPage page = ListPage::parse(body);
        EXPECT_EQ(page.objects().at(0).created, std::nullopt) << created;
        EXPECT_EQ(page.objects().at(0).id, "a") << created;
    }
}

TEST(ObjectPage, reads_one_object) {
    ListPage page = ListPage::parse_object(" {\"id\":\"cus_1\",\"deleted\":true} ");
    ASSERT_EQ(page.objects().size(), 1u);
    EXPECT_EQ(page.objects()[0].raw, R"({"id":"cus_1","deleted":true})");
    EXPECT_THROW(ListPage::parse_object(R"({"deleted":true})"), core::Error);
    EXPECT_THROW(ListPage::parse_object(R"({"id":"a"} {"id":"b"})"), core::Error);
    EXPECT_THROW(ListPage::parse_object(R"([{"id":"a"}])"), core::Error);
}

TEST(ObjectPage, refuses_what_is_no_page) {
    for (const char *body : {"",
                             " ",
                             "null",
                             "[]",
                             "{}",
                             "3",
                             "\"x\"",
                             "{",
                             "<html>502</html>",
                             R"({"object":"list","has_more":false})",
                             R"({"data":{},"has_more":false})",
                             R"({"data":[]})",
                             R"({"data":[],"has_more":"no"})",
                             R"({"data":[1],"has_more":false})",
                             R"({"data":[[]],"has_more":false})",
                             R"({"data":[{}],"has_more":false})",
                             R"({"data":[{"id":7}],"has_more":false})",
                             R"({"data":[{"id":""}],"has_more":false})",
                             R"({"data":[{"id":null}],"has_more":false})",
                             R"({"data":[{"id":"a\u0000"}],"has_more":false})",
                             R"({"data":[{"object":{"id":"a"}}],"has_more":false})",
                             R"({"data":[{"id":"a"}],"data":[],"has_more":false})",
                             R"({"data":[{"id":"a"}],"has_more":false)",
                             R"({"data":[{"id":"a"},"has_more":false})",
                             R"({"data":[{"id":"a"}],"has_more":false} x)",
                             R"({"data":[{"id":"a"}],"has_more":false}})",
                             R"({"data":[{"id":"a"}]"has_more":false})",
                             R"({"data":[{"id" "a"}],"has_more":false})",
                             R"({"data":[{"id":"a}],"has_more":false})",
                             "{\"data\":[{\"id\":\"a\",\"n\":\"\xff\"}],\"has_more\":false}",
                             "{\"data\":[{\"id\":\"a\",\"n\":\"\x01\"}],\"has_more\":false}"})
        expect_refused(body);
    expect_refused(std::string("{\"data\":[],\"has_more\":false}\0", 29));
}

TEST(ObjectPage, depth_bombs_are_refused_or_kept_as_one_objects_bytes) {
    expect_refused(std::string(1000000, '['));
    expect_refused(std::string(1000000, '{'));
    std::string deep = "{\"data\":";
    for (int i = 0; i < 300000; ++i)
        deep += "[";
    expect_refused(deep);
}

TEST(ObjectPage, inner_lists) {
    InnerList list = read_inner_list(
        R"({"object":"list","data":[ {"id":"a","x":[1]} , {"id":"\u0062"}],"has_more":true})");
    EXPECT_TRUE(list.present);
    EXPECT_TRUE(list.has_more);
    ASSERT_EQ(list.elements.size(), 2u);
    EXPECT_EQ(list.elements[0].raw, R"({"id":"a","x":[1]})");
    EXPECT_EQ(list.elements[0].id, "a");
    EXPECT_TRUE(list.elements[1].id_escaped);
    EXPECT_FALSE(read_inner_list("{}").present);
    EXPECT_FALSE(read_inner_list(R"({"data":3,"has_more":true})").present);
    EXPECT_FALSE(read_inner_list("null").present);
    EXPECT_TRUE(read_inner_list(R"({"data":[],"has_more":false})").present);
    EXPECT_THROW(read_inner_list(R"({"data":[{}],"has_more":false})"), core::Error);
    EXPECT_THROW(read_inner_list(R"({"data":[{"id":1}],"has_more":false})"), core::Error);
    EXPECT_THROW(read_inner_list(R"({"data":[3],"has_more":false})"), core::Error);
}

} // namespace
} // namespace billstack::json
