// Lists that are in an answer because they were asked for: taken out of the object, written as its
// children.
#include "sync/expanded_lists.hpp"

#include "core/error.hpp"
#include "fake_mirror_store.hpp"

#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

const stripe::Kind &session() {
    return *stripe::find_kind("checkout_session");
}
std::unique_ptr<FetchedPage> read(const std::string &body) {
    return read_expanded_object(session(), body, {10, 11});
}
const std::string items = R"({"object": "list", "data": [{"id": "li_1"}, {"id": "li_2"}],
    "has_more": false, "url": "/v1/checkout/sessions/cs_1/line_items"})";

TEST(ExpandedLists, are_taken_out_of_the_object_wherever_they_stand) {
    struct {
        std::string with;
        std::string without;
    } cases[] = {
        {"{\n  \"id\": \"cs_1\",\n  \"line_items\": " + items + ",\n  \"url\": null\n}",
         "{\n  \"id\": \"cs_1\",\n  \"url\": null\n}"},
        {"{\"line_items\":" + items + ",\"id\":\"cs_1\"}", "{\"id\":\"cs_1\"}"},
        {"{\"id\": \"cs_1\" , \"line_items\" : " + items + " }", "{\"id\": \"cs_1\"  }"},
    };
    for (const auto &each : cases) {
        auto page = read(each.with);
        ASSERT_EQ(page->rows.size(), 1U);
        EXPECT_EQ(page->rows[0].raw, each.without);
        EXPECT_EQ(page->rows[0].digest, digest_of(each.without));
        ASSERT_EQ(page->more.size(), 1U) << each.with;
        ASSERT_EQ(page->more[0]->rows.size(), 2U);
        EXPECT_EQ(page->more[0]->rows[1].raw, R"({"id": "li_2"})");
        EXPECT_EQ(page->more[0]->parent_id, "cs_1");
        EXPECT_FALSE(page->parents.at(0).lists.at(0).has_more) << "nothing is left to be read";
    }
}

TEST(ExpandedLists, that_are_not_whole_or_not_there_are_still_to_be_read) {
    std::string cut = items;
    cut.replace(cut.find("false"), 5, "true");
    for (const std::string &body :
         {std::string(R"({"id":"cs_1"})"), std::string(R"({"id":"cs_1","line_items":null})"),
          R"({"id":"cs_1","line_items":)" + cut + "}"}) {
        auto page = read(body);
        EXPECT_TRUE(page->more.empty()) << body;
        EXPECT_TRUE(page->parents.at(0).lists.at(0).has_more) << body;
    }
    EXPECT_EQ(read(R"({"id":"cs_1","line_items":)" + cut + "}")->rows[0].raw, R"({"id":"cs_1"})");
    EXPECT_THROW(read(R"({"id":"cs_1","line_items":{"object":"list"}})"), core::Error);
    EXPECT_THROW(read(R"({"id":"cs_1","line_items":)"), core::Error);
}

// A name written with escapes is no name that Stripe writes: the object stays as it is.
TEST(ExpandedLists, that_cannot_be_taken_out_stay) {
    std::string body = R"({"id":"cs_1","line\u005fitems":)" + items + "}";
    auto page = read(body);
    EXPECT_EQ(page->rows[0].raw, body);
    EXPECT_TRUE(page->parents.at(0).lists.at(0).has_more);
}

TEST(ExpandedLists, are_written_with_the_object_and_found_again) {
    test::FakeMirrorStore store;
    auto page = read(R"({"id":"cs_1","line_items":)" + items + "}");
    ApplyReport report = apply_answer(store, *page, {}, "2025-03-31.basil");
    EXPECT_EQ(report.changed, 3);
    EXPECT_TRUE(store.refetches.empty());
    EXPECT_EQ(store.find("checkout_session", "cs_1")->raw, R"({"id":"cs_1"})");
    EXPECT_NE(store.find("checkout_session_line_item", "li_2"), nullptr);
}

} // namespace
} // namespace billstack::sync
