// Kinds that have one list per customer: what the walker asks for along the customers, and what is
// written of it.
#include "fake_mirror_store.hpp"
#include "sync/event_batch.hpp"
#include "walker_fixture.hpp"

#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

using test::Asked;
using test::list_of;
using test::object_of;
using IdSet = std::set<std::string>;
using State = RangeWalker::State;

class ParentListTest : public test::WalkerFixture {
  protected:
    std::unique_ptr<RangeWalker> walker;
    test::FakeMirrorStore store;

    void start(const char *name, RangePosition position = {}) {
        if (walker)
            walker->stop();
        walker = std::make_unique<RangeWalker>(caller, clock, kind(name), 1, std::move(position),
                                               options());
        walker->advance();
        deliver(*walker);
    }
    void reply(std::size_t request, const std::vector<std::string> &objects,
               bool has_more = false) {
        answer(request, 200, list_of(objects, has_more));
        deliver(*walker);
    }
    ApplyReport write() {
        PendingPage *page = walker->ready_page();
        if (page == nullptr) {
            ADD_FAILURE() << "no page is ready";
            return {};
        }
        ApplyReport report =
            apply_page(store, *page->fetched, Source::backfill, "2025-03-31.basil");
        walker->page_written();
        deliver(*walker);
        return report;
    }
    // One customer with these objects in its list.
    ApplyReport copy(const char *name, const std::vector<std::string> &objects) {
        start(name);
        reply(sent(), {object_of("cus_1", 1)});
        reply(sent(), objects);
        return write();
    }
};

TEST_F(ParentListTest, walks_along_the_parents) {
    start("tax_id", {100, 200, "", {}});
    // created of the customers says nothing of their tax ids
    EXPECT_EQ(last_asked(), (Asked{"/v1/customers", {{"limit", "3"}}}));
    reply(1, {object_of("cus_2", 9), object_of("cus_1", 8)});
    ASSERT_EQ(sent(), 3U);
    EXPECT_EQ(asked(2), (Asked{"/v1/customers/cus_2/tax_ids", {{"limit", "3"}}}));
    EXPECT_EQ(asked(3), (Asked{"/v1/customers/cus_1/tax_ids", {{"limit", "3"}}}));
    EXPECT_EQ(walker->ready_page(), nullptr);
    reply(3, {});
    reply(2, {object_of("txi_2", 5)}, true);
    ASSERT_EQ(sent(), 4U);
    EXPECT_EQ(asked(4), (Asked{"/v1/customers/cus_2/tax_ids",
                               {{"limit", "3"}, {"starting_after", "txi_2"}}}));
    EXPECT_EQ(walker->ready_page(), nullptr);
    reply(4, {object_of("txi_1", 4)});
    ApplyReport report = write();
    EXPECT_EQ(report.read, 2);
    EXPECT_EQ(report.changed, 2);
    EXPECT_EQ(store.live("tax_id"), (IdSet{"txi_1", "txi_2"}));
    ASSERT_NE(store.find("tax_id", "txi_1"), nullptr);
    EXPECT_EQ(store.find("tax_id", "txi_1")->parent, "cus_2");
    EXPECT_EQ(store.find("customer", "cus_2"), nullptr)
        << "the customers are another kind's affair";
    EXPECT_EQ(walker->state(), State::done);
}

TEST_F(ParentListTest, asks_by_parameter_where_stripe_wants_that) {
    start("active_entitlement");
    reply(1, {object_of("cus_1", 1)});
    EXPECT_EQ(last_asked(), (Asked{"/v1/entitlements/active_entitlements",
                                   {{"customer", "cus_1"}, {"limit", "3"}}}));
    reply(2, {object_of("ent_1", 1)});
    write();
    ASSERT_NE(store.find("active_entitlement", "ent_1"), nullptr);
    EXPECT_EQ(store.find("active_entitlement", "ent_1")->parent, "cus_1");
}

TEST_F(ParentListTest, what_has_left_the_list_is_gone) {
    copy("tax_id", {object_of("txi_2", 2), object_of("txi_1", 1)});
    pass(std::chrono::seconds(10));
    ApplyReport report = copy("tax_id", {object_of("txi_2", 2)});
    EXPECT_EQ(report.unchanged, 1);
    EXPECT_EQ(report.changed, 1);
    EXPECT_EQ(store.live("tax_id"), (IdSet{"txi_2"}));
}

TEST_F(ParentListTest, what_an_event_has_brought_meanwhile_is_not_gone) {
    for (int later : {0, 1, 2}) {
        store = {};
        start("tax_id");
        reply(sent(), {object_of("cus_1", 1)});
        reply(sent(), {});
        std::int64_t end = walker->ready_page()->fetched->more.at(0)->as_of.end;
        std::string body = R"({"id":"evt_1","object":"event","type":"customer.tax_id.created",)"
                           R"("livemode":false,"created":)" +
                           std::to_string(end - 1 + later) +
                           R"(,"data":{"object":{"id":"txi_9","object":"tax_id",)"
                           R"("customer":"cus_1"}}})";
        stripe::Event event = stripe::parse_event(body);
        apply_events(store, {&event}, {"acct_1", false}, {});
        write();
        EXPECT_EQ(store.live("tax_id"), (IdSet{"txi_9"})) << later;
        EXPECT_EQ(store.refetches.size(), later < 2 ? 1U : 0U) << later;
    }
}

TEST_F(ParentListTest, a_list_read_by_itself_meanwhile_is_newer) {
    copy("active_entitlement", {object_of("ent_1", 1)});
    pass(std::chrono::seconds(10));
    start("active_entitlement");
    reply(sent(), {object_of("cus_1", 1)});
    reply(sent(), {object_of("ent_2", 2), object_of("ent_1", 1)});
    // Sent later, written first: the customer has lost all.
    auto refetched = std::make_unique<ChildPage>();
    refetched->as_of = walker->ready_page()->fetched->more.at(0)->as_of;
    refetched->page = json::ListPage::parse(list_of({}, false));
    std::vector<std::unique_ptr<ChildPage>> pages;
    pages.push_back(std::move(refetched));
    apply_parent_list(store, *stripe::parent_list(kind("active_entitlement")), "cus_1", pages,
                      "2025-03-31.basil");
    EXPECT_EQ(write().unclear, 1);
    EXPECT_EQ(store.live("active_entitlement"), IdSet{});
    ASSERT_EQ(store.refetches.size(), 1U);
    EXPECT_EQ(store.refetches[0].id + " " + store.refetches[0].reason, "cus_1 entitlements");
}

TEST_F(ParentListTest, a_detached_payment_method_is_not_gone) {
    copy("payment_method", {object_of("pm_2", 2), object_of("pm_1", 1)});
    pass(std::chrono::seconds(10));
    copy("payment_method", {object_of("pm_2", 2)});
    EXPECT_EQ(store.live("payment_method"), (IdSet{"pm_1", "pm_2"}));
}

// Which refetches a customer's end leaves.
class DeletedParentTest : public ParentListTest {
  protected:
    void SetUp() override {
        copy("tax_id", {object_of("txi_1", 1)});
        copy("payment_method", {object_of("pm_1", 1)});
        copy("active_entitlement", {object_of("ent_2", 2), object_of("ent_1", 1)});
    }
    std::set<std::string> asked_for() const {
        std::set<std::string> asked;
        for (const auto &each : store.refetches)
            asked.insert(each.kind + " " + each.id + " " + each.reason);
        return asked;
    }
    const std::set<std::string> all{"tax_id txi_1 parent", "payment_method pm_1 parent",
                                    "active_entitlement cus_1 parent"};
};

TEST_F(DeletedParentTest, what_hangs_on_a_parent_that_a_read_finds_gone_is_read_again) {
    EXPECT_TRUE(apply_gone(store, kind("customer"), "cus_2", 0, {noon + 60, noon + 60}));
    EXPECT_EQ(asked_for(), IdSet{});
    EXPECT_TRUE(apply_gone(store, kind("customer"), "cus_1", 0, {noon + 60, noon + 60}));
    EXPECT_EQ(asked_for(), all);
}

TEST_F(DeletedParentTest, what_hangs_on_a_parent_that_an_event_deletes_is_read_again) {
    std::string body = R"({"id":"evt_1","object":"event","type":"customer.deleted",)"
                       R"("livemode":false,"created":)" +
                       std::to_string(noon + 60) +
                       R"(,"data":{"object":{"id":"cus_1","object":"customer"}}})";
    stripe::Event event = stripe::parse_event(body);
    apply_events(store, {&event}, {"acct_1", false}, {});
    EXPECT_EQ(asked_for(), all);
}

TEST_F(DeletedParentTest, the_list_of_a_parent_that_is_gone_is_empty) {
    apply_parent_gone(store, *stripe::parent_list(kind("active_entitlement")), "cus_1",
                      {noon + 60, noon + 60});
    EXPECT_EQ(store.live("active_entitlement"), IdSet{});
}

TEST_F(ParentListTest, a_parent_deleted_on_the_way_is_read_again) {
    start("tax_id");
    reply(1, {object_of("cus_1", 1)});
    answer(2, 404,
           R"({"error":{"code":"resource_missing","param":"id","message":"No such customer"}})");
    deliver(*walker);
    EXPECT_EQ(walker->state(), State::waiting);
    pass(std::chrono::seconds(2));
    walker->advance();
    deliver(*walker);
    reply(sent(), {});
    EXPECT_EQ(write().read, 0);
    EXPECT_EQ(walker->state(), State::done);
}

TEST_F(ParentListTest, the_objects_themselves_are_what_a_key_may_not_read) {
    start("tax_id");
    reply(1, {object_of("cus_1", 1)});
    answer(2, 403, R"({"error":{"message":"no permission"}})");
    deliver(*walker);
    EXPECT_EQ(walker->state(), State::failed);
    EXPECT_NE(walker->error().find("cannot read tax_ids"), std::string::npos) << walker->error();
}

} // namespace
} // namespace billstack::sync
