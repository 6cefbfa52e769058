// A range that loses its older part while pages of it are on their way, and the bytes that walkers
// may hold together.
#include "walker_fixture.hpp"

namespace billstack::sync {
namespace {

using test::Asked;
using test::list_of;
using test::object_of;
using test::parent_of;
using Ids = std::vector<std::string>;
using State = RangeWalker::State;

class RangeWalkerCutTest : public test::WalkerFixture {
  protected:
    std::unique_ptr<RangeWalker> walker;

    void start(const char *name, RangePosition position = {}) {
        walker = std::make_unique<RangeWalker>(caller, clock, kind(name), 1, std::move(position),
                                               options());
        walker->advance();
        deliver(*walker);
    }
    void answer_last(const std::string &body) {
        answer(sent(), 200, body);
        deliver(*walker);
    }
    Ids ready_ids() {
        Ids ids;
        if (PendingPage *page = walker->ready_page())
            for (const Row &row : page->fetched->rows)
                ids.emplace_back(row.id);
        return ids;
    }
};

TEST_F(RangeWalkerCutTest, what_is_older_is_left_to_its_owner) {
    start("customer");
    answer_last(list_of({object_of("c9", 9), object_of("c8", 8), object_of("c7", 7)}, true));
    walker->raise_created_gte(6); // while a page is on its way
    EXPECT_EQ(walker->ready_page()->after.created_gte, 6);
    answer_last(list_of({object_of("c6", 6), object_of("c6b", 6), object_of("c5", 5)}, true));
    walker->page_written();
    EXPECT_EQ(ready_ids(), (Ids{"c6", "c6b"}));
    EXPECT_EQ(walker->ready_page()->after.cursor, "c6b");
    EXPECT_EQ(walker->ready_page()->after.cursor_created, 6);
    EXPECT_FALSE(walker->ready_page()->last);
    deliver(*walker);
    // Whether that was all is asked once more: nothing relies on the order of a list.
    EXPECT_EQ(last_asked(),
              (Asked{"/v1/customers",
                     {{"limit", "3"}, {"created[gte]", "6"}, {"starting_after", "c6b"}}}));
    answer_last(list_of({}, false));
    walker->page_written();
    walker->page_written();
    EXPECT_EQ(walker->state(), State::done);
}

TEST_F(RangeWalkerCutTest, a_page_of_the_older_part_only) {
    start("customer");
    answer_last(list_of({object_of("c9", 9), object_of("c8", 8), object_of("c7", 7)}, true));
    walker->raise_created_gte(7);
    answer_last(list_of({object_of("c6", 6), object_of("c5", 5), object_of("c4", 4)}, true));
    EXPECT_EQ(last_asked().params["starting_after"], "c7");
    EXPECT_EQ(last_asked().params["created[gte]"], "7");
    walker->page_written();
    EXPECT_EQ(walker->ready_page(), nullptr);
    answer_last(list_of({}, false));
    EXPECT_TRUE(walker->ready_page()->last);
    // The same at the end of the list: nothing is left to ask.
    start("customer");
    walker->raise_created_gte(7);
    const std::size_t before = sent();
    answer_last(list_of({object_of("c8", 8), object_of("c4", 4)}, false));
    EXPECT_EQ(ready_ids(), Ids{"c8"});
    EXPECT_TRUE(walker->ready_page()->last);
    EXPECT_EQ(sent(), before);
}

TEST_F(RangeWalkerCutTest, children_stay_with_their_parents) {
    start("invoice");
    walker->raise_created_gte(5);
    answer_last(list_of({parent_of("in_3", 4, "lines", {object_of("il_3", 1)}, false),
                         parent_of("in_2", 6, "lines", {object_of("il_2", 1)}, false),
                         parent_of("in_1", 5, "lines", {object_of("il_1", 1)}, false)},
                        false));
    EXPECT_EQ(ready_ids(), (Ids{"in_2", "in_1"}));
    const FetchedPage &page = *walker->ready_page()->fetched;
    ASSERT_EQ(page.parents.size(), 2U);
    EXPECT_EQ(page.parents[0].parent, 0U);
    EXPECT_EQ(page.parents[0].lists[0].parent_id, "in_2");
    EXPECT_EQ(page.parents[1].parent, 1U);
    EXPECT_EQ(page.parents[1].lists[0].parent_id, "in_1");
}

TEST_F(RangeWalkerCutTest, children_are_asked_for_some_at_a_time) {
    WalkerOptions wanted = options();
    wanted.page_size = 100;
    wanted.most_children = 4;
    walker =
        std::make_unique<RangeWalker>(caller, clock, kind("tax_id"), 1, RangePosition{}, wanted);
    walker->advance();
    deliver(*walker);
    std::vector<std::string> customers;
    for (int i = 0; i < 30; ++i)
        customers.push_back(object_of("cus_" + std::to_string(i), 1));
    answer_last(list_of(customers, false));
    int answered = 0;
    while (!transport.open.empty()) {
        EXPECT_LE(transport.in_flight(), 4U);
        EXPECT_EQ(walker->ready_page(), nullptr);
        answer(transport.open.begin()->first, 200, list_of({}, false));
        deliver(*walker);
        ++answered;
    }
    EXPECT_EQ(answered, 30);
    EXPECT_NE(walker->ready_page(), nullptr);
}

class PageBudgetTest : public test::WalkerFixture {
  protected:
    std::shared_ptr<PageBudget> budget = std::make_shared<PageBudget>();
    std::map<std::string, std::unique_ptr<RangeWalker>> walkers;

    void start(const char *name) {
        WalkerOptions wanted = options();
        wanted.budget = budget;
        walkers[name] =
            std::make_unique<RangeWalker>(caller, clock, kind(name), 1, RangePosition{}, wanted);
    }
    void go_on() {
        for (const auto &[name, walker] : walkers)
            walker->advance();
        step();
    }
    void step() {
        std::vector<stripe::CallResult> results;
        do {
            results.clear();
            caller.step(results);
            for (stripe::CallResult &result : results)
                for (const auto &[name, walker] : walkers)
                    walker->on_result(result);
        } while (!results.empty());
    }
};

TEST_F(PageBudgetTest, one_page_moves_however_small_the_budget) {
    budget->limit = 1;
    start("customer");
    start("product");
    go_on();
    EXPECT_EQ(transport.in_flight(), 1U);
    EXPECT_TRUE(walkers["product"]->starved());
    answer(1, 200, list_of({object_of("c9", 9)}, true));
    step();
    go_on();
    EXPECT_EQ(transport.in_flight(), 0U); // the page is to be written first
    EXPECT_GT(budget->held, 1U);
    // It cannot be: the others go on, one at a time.
    walkers["customer"]->put_off("a lock");
    go_on();
    EXPECT_EQ(transport.in_flight(), 1U);
    pass(std::chrono::seconds(1));
    walkers["customer"]->page_written();
    go_on();
    EXPECT_EQ(transport.in_flight(), 1U);
    walkers.clear();
    EXPECT_EQ(budget->held, 0U);
    EXPECT_EQ(budget->moving, 0);
}

TEST_F(PageBudgetTest, without_room_objects_are_written_as_soon_as_their_own_lists_are_here) {
    budget->limit = 1;
    start("tax_id");
    go_on();
    answer(1, 200,
           list_of({object_of("cus_3", 3), object_of("cus_2", 2), object_of("cus_1", 1)}, false));
    step();
    RangeWalker &walker = *walkers["tax_id"];
    ASSERT_EQ(transport.in_flight(), 3U);
    answer(3, 200, list_of({object_of("txi_2", 2)}, false)); // of the second customer
    step();
    EXPECT_EQ(walker.ready_page(), nullptr);
    const std::string first = list_of({object_of("txi_3", 3)}, true);
    answer(2, 200, first);
    step();
    EXPECT_EQ(walker.ready_page(), nullptr); // its list goes on
    answer(5, 200, list_of({object_of("txi_30", 2)}, false));
    step();
    ASSERT_NE(walker.ready_page(), nullptr);
    EXPECT_EQ(walker.writable_rows(0), 2U);
    EXPECT_EQ(walker.writable_rows(1), 1U);
    const std::size_t held = budget->held;
    walker.part_written(1);
    EXPECT_LT(budget->held, held - first.size());
    EXPECT_EQ(walker.position().cursor, "cus_3");
    EXPECT_EQ(walker.writable_rows(0), 1U);
    walker.part_written(1);
    EXPECT_EQ(walker.ready_page(), nullptr);
    answer(4, 200, list_of({}, false));
    step();
    ASSERT_NE(walker.ready_page(), nullptr);
    EXPECT_EQ(walker.writable_rows(0), 0U); // all that is left
    walker.page_written();
    EXPECT_EQ(walker.state(), RangeWalker::State::done);
    EXPECT_EQ(budget->held, 0U);
}

TEST_F(PageBudgetTest, room_comes_back_with_what_was_written) {
    start("customer");
    go_on();
    const std::string body = list_of({object_of("c9", 9)}, false);
    answer(1, 200, body);
    step();
    EXPECT_EQ(budget->held, body.size());
    EXPECT_EQ(budget->moving, 1);
    walkers["customer"]->page_written();
    EXPECT_EQ(budget->held, 0U);
    EXPECT_EQ(budget->moving, 0);
}

} // namespace
} // namespace billstack::sync
