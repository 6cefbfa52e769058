// Every arrow of the state machine of range_walker.hpp, with answers given by hand.
#include "sync/range_walker.hpp"

#include "walker_fixture.hpp"

#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

using core::Code;
using core::Milliseconds;
using test::Asked;
using test::error_of;
using test::list_of;
using test::object_of;
using test::parent_of;
using State = RangeWalker::State;

class RangeWalkerTest : public test::WalkerFixture {
  protected:
    std::unique_ptr<RangeWalker> walker;

    void start(const stripe::Kind &kind, RangePosition position = {}) {
        if (walker)
            walker->stop();
        walker =
            std::make_unique<RangeWalker>(caller, clock, kind, 1, std::move(position), options());
        go_on();
    }
    void start(const char *name, RangePosition position = {}) {
        start(kind(name), std::move(position));
    }
    void go_on() {
        walker->advance();
        deliver(*walker);
    }
    // Answers the newest request.
    void answer_last(int status, const std::string &body) {
        answer(sent(), status, body);
        deliver(*walker);
    }
    // Customers c<created>.
    void answer_page(std::vector<int> created, bool has_more) {
        std::vector<std::string> objects;
        for (int second : created)
            objects.push_back(object_of("c" + std::to_string(second), second));
        answer_last(200, list_of(objects, has_more));
    }
    std::vector<std::string> ready_ids() {
        std::vector<std::string> ids;
        if (PendingPage *page = walker->ready_page())
            for (const Row &row : page->fetched->rows)
                ids.emplace_back(row.id);
        return ids;
    }
    void write() {
        ASSERT_NE(walker->ready_page(), nullptr);
        walker->page_written();
        deliver(*walker);
    }
    void expect_waiting(int seconds, const char *words) {
        EXPECT_EQ(walker->state(), State::waiting);
        ASSERT_TRUE(walker->retry_at().has_value());
        EXPECT_EQ(*walker->retry_at() - clock.mono(), std::chrono::seconds(seconds));
        EXPECT_NE(walker->error().find(words), std::string::npos) << walker->error();
        EXPECT_EQ(walker->ready_page(), nullptr);
        EXPECT_EQ(transport.in_flight(), 0U);
    }
};

using Ids = std::vector<std::string>;

TEST_F(RangeWalkerTest, asks_for_the_range) {
    start("subscription", {100, 200, "sub_9", 150});
    ASSERT_EQ(sent(), 1U);
    EXPECT_EQ(last_asked(), (Asked{"/v1/subscriptions",
                                   {{"limit", "3"},
                                    {"status", "all"},
                                    {"created[gte]", "100"},
                                    {"created[lte]", "200"},
                                    {"starting_after", "sub_9"}}}));
    EXPECT_EQ(transport.requests[0].bearer->view(), "rk_test_abcdefghij");
    start("customer");
    EXPECT_EQ(last_asked(), (Asked{"/v1/customers", {{"limit", "3"}}}));
    EXPECT_EQ(walker->state(), State::walking);
    EXPECT_EQ(walker->range_no(), 1);
}

TEST_F(RangeWalkerTest, walks_to_the_end_in_order) {
    start("customer", {1, 99, "", {}});
    answer_page({9, 8, 7}, true);
    ASSERT_EQ(sent(), 2U); // one ahead
    EXPECT_EQ(last_asked().params["starting_after"], "c7");
    EXPECT_EQ(last_asked().params["created[lte]"], "99");
    EXPECT_EQ(walker->state(), State::walking);
    answer_page({6, 5}, false);
    EXPECT_EQ(walker->state(), State::exhausted);
    EXPECT_EQ(ready_ids(), (Ids{"c9", "c8", "c7"}));
    const PendingPage *page = walker->ready_page();
    EXPECT_EQ(page->after.cursor, "c7");
    EXPECT_EQ(page->after.cursor_created, 7);
    EXPECT_EQ(page->after.created_gte, 1);
    EXPECT_EQ(page->after.created_lte, 99);
    EXPECT_EQ(page->newest_created, 9);
    EXPECT_FALSE(page->last);
    EXPECT_GE(page->fetched->as_of.end, noon);
    EXPECT_LE(page->fetched->as_of.start, noon);
    EXPECT_GT(page->fetched->as_of.start, noon - 10);
    write();
    EXPECT_EQ(walker->state(), State::exhausted);
    EXPECT_EQ(ready_ids(), (Ids{"c6", "c5"}));
    EXPECT_TRUE(walker->ready_page()->last);
    write();
    EXPECT_EQ(walker->state(), State::done);
    EXPECT_EQ(walker->ready_page(), nullptr);
    go_on();
    EXPECT_EQ(sent(), 2U);
    EXPECT_EQ(walker->retry_at(), std::nullopt);
}

TEST_F(RangeWalkerTest, an_empty_list_is_a_last_page) {
    start("customer", {1, 99, "c7", 7});
    answer_page({}, false);
    EXPECT_EQ(walker->state(), State::exhausted);
    ASSERT_NE(walker->ready_page(), nullptr);
    EXPECT_TRUE(walker->ready_page()->last);
    EXPECT_EQ(walker->ready_page()->after.cursor, "c7");
    EXPECT_EQ(walker->ready_page()->newest_created, std::nullopt);
    write();
    EXPECT_EQ(walker->state(), State::done);
}

TEST_F(RangeWalkerTest, holds_no_more_than_pages_ahead) {
    start("customer");
    answer_page({9, 8, 7}, true);
    answer_page({6, 5, 4}, true);
    EXPECT_EQ(sent(), 2U);
    go_on();
    EXPECT_EQ(sent(), 2U);
    EXPECT_EQ(transport.in_flight(), 0U);
    write();
    ASSERT_EQ(sent(), 3U);
    EXPECT_EQ(last_asked().params["starting_after"], "c4");
    write(); // the next list page is on its way: not asked for twice
    EXPECT_EQ(sent(), 3U);
    EXPECT_EQ(walker->ready_page(), nullptr);
}

TEST_F(RangeWalkerTest, waits_and_goes_on_where_it_was_written) {
    start("customer");
    answer_page({9, 8, 7}, true);
    write();
    answer_page({6, 5, 4}, true); // read, never written
    answer_last(500, error_of("", "", "Something broke"));
    expect_waiting(1, "Stripe could not be reached: Something broke (request req_7)");
    EXPECT_EQ(sent(), 3U);
    pass(Milliseconds(999));
    go_on();
    EXPECT_EQ(sent(), 3U);
    pass(Milliseconds(1));
    go_on();
    ASSERT_EQ(sent(), 4U);
    EXPECT_EQ(walker->state(), State::walking);
    EXPECT_EQ(last_asked().params["starting_after"], "c7");
    answer_page({6, 5, 4}, false);
    EXPECT_EQ(walker->error(), "");
    EXPECT_EQ(ready_ids(), (Ids{"c6", "c5", "c4"}));
    write();
    EXPECT_EQ(walker->state(), State::done);
}

TEST_F(RangeWalkerTest, a_failure_gives_up_the_calls_beside_it) {
    start("invoice");
    answer_last(200, list_of({parent_of("in_1", 9, "lines", {object_of("il_1", 1)}, true)}, true));
    ASSERT_EQ(sent(), 3U); // the rest of the lines, and the next list page
    EXPECT_EQ(transport.in_flight(), 2U);
    const std::size_t list = asked(2).path == "/v1/invoices" ? 2 : 3;
    answer(list, 429, error_of("rate_limit"));
    deliver(*walker);
    expect_waiting(1, "Stripe limits the rate of requests");
    pass(Milliseconds(1000));
    go_on();
    EXPECT_EQ(last_asked(), (Asked{"/v1/invoices", {{"limit", "3"}}}));
}

TEST_F(RangeWalkerTest, waits_longer_each_time) {
    start("customer");
    for (int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
        transport.answer(sent(), test::failed(http::Failure::timeout, "no answer in time"));
        deliver(*walker);
        expect_waiting(seconds, "Stripe could not be reached: no answer in time");
        pass(std::chrono::seconds(seconds));
        go_on();
    }
    answer_page({9}, true);
    write();
    answer_last(503, "");
    expect_waiting(1, "status 503");
}

// The list is readable, what belongs to it is not: Stripe must not be asked every second.
TEST_F(RangeWalkerTest, waits_longer_when_only_children_fail) {
    start("invoice");
    for (int seconds : {1, 2, 4, 8}) {
        answer_last(200,
                    list_of({parent_of("in_1", 9, "lines", {object_of("il_1", 1)}, true)}, false));
        EXPECT_EQ(last_asked().path, "/v1/invoices/in_1/lines");
        EXPECT_EQ(walker->state(), State::exhausted);
        answer_last(500, "");
        expect_waiting(seconds, "Stripe could not be reached");
        pass(std::chrono::seconds(seconds));
        go_on();
    }
}

TEST_F(RangeWalkerTest, refused_for_good) {
    struct Row {
        int status;
        std::string body;
        Code code;
        const char *words;
    };
    const Row rows[] = {
        {400, error_of("parameter_invalid", "limit", "Bad limit"), Code::stripe_refused,
         "Stripe refused to list customers: Bad limit (request req_7)"},
        {401, error_of("", "", "Invalid key"), Code::stripe_key_rejected,
         "Stripe rejected the key, asked for customers: Invalid key"},
        {403, error_of("", "", "No permission"), Code::not_allowed,
         "this key cannot read customers: No permission"},
        {404, error_of("resource_missing"), Code::stripe_refused, "Stripe refused to list"},
        // Looks like a lost cursor, but is none.
        {400, error_of("resource_missing", "ending_before"), Code::stripe_refused, "refused"},
        {400, error_of("other", "starting_after"), Code::stripe_refused, "refused"},
    };
    for (const Row &row : rows) {
        SCOPED_TRACE(row.words);
        start("customer");
        answer_page({9, 8, 7}, true);
        answer_last(row.status, row.body);
        EXPECT_EQ(walker->state(), State::failed);
        EXPECT_EQ(walker->error_code(), row.code);
        EXPECT_NE(walker->error().find(row.words), std::string::npos) << walker->error();
        EXPECT_EQ(walker->ready_page(), nullptr);
        const std::size_t before = sent();
        pass(std::chrono::hours(1));
        go_on();
        EXPECT_EQ(sent(), before);
        EXPECT_EQ(walker->retry_at(), std::nullopt);
    }
    start("customer"); // no cursor was sent
    answer_last(400, error_of("resource_missing", "starting_after"));
    EXPECT_EQ(walker->state(), State::failed);
}

TEST_F(RangeWalkerTest, a_lost_cursor_of_a_written_page_restarts_at_its_second) {
    start("customer", {1, 99, "", {}});
    answer_page({9, 8, 7}, true);
    write();
    answer_last(400, error_of("resource_missing", "starting_after"));
    EXPECT_EQ(walker->state(), State::walking);
    ASSERT_EQ(sent(), 3U);
    const Asked again{"/v1/customers",
                      {{"limit", "3"}, {"created[gte]", "1"}, {"created[lte]", "7"}}};
    EXPECT_EQ(last_asked(), again);
    // The narrower range is what is stored, and what a failure goes back to.
    answer_last(500, "");
    pass(Milliseconds(1000));
    go_on();
    EXPECT_EQ(last_asked(), again);
    answer_page({6, 5, 4}, true);
    EXPECT_EQ(walker->ready_page()->after.created_lte, 7);
    EXPECT_EQ(last_asked().params["created[lte]"], "7");
    EXPECT_EQ(last_asked().params["starting_after"], "c4");
}

TEST_F(RangeWalkerTest, a_lost_cursor_without_a_second_restarts_the_range) {
    start("customer", {1, 99, "c7", {}});
    answer_last(400, error_of("resource_missing", "starting_after"));
    const Asked all{"/v1/customers",
                    {{"limit", "3"}, {"created[gte]", "1"}, {"created[lte]", "99"}}};
    EXPECT_EQ(last_asked(), all);
    stripe::Kind undated = kind("customer");
    undated.filters_by_created = false;
    start(undated, {{}, {}, "c7", 7});
    answer_last(400, error_of("resource_missing", "starting_after"));
    EXPECT_EQ(last_asked(), (Asked{"/v1/customers", {{"limit", "3"}}}));
    walker.reset(); // before the kind
}

TEST_F(RangeWalkerTest, a_lost_cursor_of_an_unwritten_page_reads_that_page_again) {
    start("customer", {1, 99, "", {}});
    answer_page({9, 8, 7}, true);
    write();
    answer_page({6, 5, 4}, true);
    EXPECT_EQ(last_asked().params["starting_after"], "c4");
    answer_last(400, error_of("resource_missing", "starting_after"));
    EXPECT_EQ(walker->state(), State::walking);
    EXPECT_EQ(walker->ready_page(), nullptr);
    EXPECT_EQ(last_asked().params["starting_after"], "c7");
    EXPECT_EQ(last_asked().params["created[lte]"], "99");
    answer_page({6, 5, 3}, false);
    EXPECT_EQ(ready_ids(), (Ids{"c6", "c5", "c3"}));
}

TEST_F(RangeWalkerTest, garbage_starts_over_and_loses_nothing) {
    const std::string bodies[] = {
        "<html>captive portal</html>",
        "{}",
        R"({"object":"list","data":[{"id":"c6"}]})", // no has_more
        R"({"object":"list","data":[{"created":6}],"has_more":false})",
        R"({"object":"list","data":[{"id":"c6"})",
    };
    for (const std::string &body : bodies) {
        SCOPED_TRACE(body);
        start("customer");
        answer_page({9, 8, 7}, true);
        answer_last(200, body);
        expect_waiting(1, body[0] == '<' ? "could not be read" : "");
        EXPECT_NE(walker->error(), "");
        pass(Milliseconds(1000));
        go_on();
        EXPECT_EQ(last_asked(), (Asked{"/v1/customers", {{"limit", "3"}}}));
        answer_page({9, 8, 7}, true);
        EXPECT_EQ(ready_ids(), (Ids{"c9", "c8", "c7"}));
        answer_page({6}, false);
        write();
        EXPECT_EQ(ready_ids(), Ids{"c6"});
        write();
        EXPECT_EQ(walker->state(), State::done);
    }
}

// Taken for the end of the list, it would lose the rest; asked for again at once, it never ended.
TEST_F(RangeWalkerTest, a_page_that_brings_nothing_new_is_garbage) {
    const std::string bodies[] = {list_of({}, true), list_of({object_of("c7", 7)}, true)};
    for (const std::string &body : bodies) {
        SCOPED_TRACE(body);
        start("customer", {1, 99, "c7", 7});
        answer_last(200, body);
        expect_waiting(1, "nothing new");
        pass(Milliseconds(1000));
        go_on();
        EXPECT_EQ(last_asked().params["starting_after"], "c7");
    }
    start("invoice");
    answer_last(200, list_of({parent_of("in_1", 9, "lines", {object_of("il_1", 1)}, true)}, false));
    answer_last(200, list_of({}, true));
    expect_waiting(1, "nothing new");
}

TEST_F(RangeWalkerTest, a_page_too_large_is_asked_for_in_parts) {
    start("customer");
    for (const char *limit : {"3", "1", "1"}) {
        EXPECT_EQ(last_asked().params["limit"], limit);
        transport.answer(sent(), test::failed(http::Failure::too_large));
        deliver(*walker);
        EXPECT_EQ(walker->state(), State::waiting);
        pass(std::chrono::seconds(60));
        go_on();
    }
}

TEST_F(RangeWalkerTest, an_answer_that_can_never_be_read_is_given_up) {
    for (bool too_large : {false, true}) {
        start("customer");
        int tries = 0;
        for (; walker->state() != State::failed && tries < 50; ++tries) {
            if (too_large) {
                transport.answer(sent(), test::failed(http::Failure::too_large));
                deliver(*walker);
            } else {
                answer_last(200, "<html>");
            }
            pass(std::chrono::seconds(60));
            go_on();
        }
        EXPECT_EQ(tries, too_large ? 6 : 7) << "three objects a page, and five times one";
        EXPECT_EQ(last_asked().params.at("limit"), "1");
        EXPECT_EQ(walker->error_code(), Code::stripe_unreachable);
        EXPECT_NE(walker->error().find("customers"), std::string::npos) << walker->error();
    }
}

TEST_F(RangeWalkerTest, what_can_be_read_again_comes_in_whole_pages) {
    start("customer");
    for (int tries = 0; tries < 3; ++tries) {
        answer_last(200, "<html>");
        pass(std::chrono::seconds(60));
        go_on();
    }
    EXPECT_EQ(last_asked().params.at("limit"), "1");
    answer_page({9}, true);
    write();
    answer_page({8}, true);
    write();
    EXPECT_EQ(last_asked().params.at("limit"), "2");
    answer_page({7}, true);
    write();
    answer_page({6}, true);
    write();
    EXPECT_EQ(last_asked().params.at("limit"), "3");
}

TEST_F(RangeWalkerTest, a_page_that_cannot_be_written_is_read_again_a_few_times) {
    start("customer");
    for (int failures = 1;; ++failures) {
        ASSERT_LE(failures, 10);
        answer_page({9, 8, 7}, true);
        ASSERT_NE(walker->ready_page(), nullptr);
        walker->page_unreadable("no object");
        deliver(*walker);
        EXPECT_EQ(walker->ready_page(), nullptr);
        EXPECT_NE(walker->error().find("no object"), std::string::npos);
        if (walker->state() == State::failed)
            break;
        EXPECT_EQ(walker->state(), State::waiting);
        pass(std::chrono::seconds(60));
        go_on();
        EXPECT_EQ(last_asked(), (Asked{"/v1/customers", {{"limit", "3"}}}));
    }
    EXPECT_EQ(walker->error_code(), Code::stripe_refused);
    EXPECT_EQ(transport.in_flight(), 0U);
}

TEST_F(RangeWalkerTest, children_are_followed_to_the_end) {
    start("invoice");
    answer_last(200, list_of({parent_of("in_1", 9, "lines",
                                        {object_of("il_1", 1), object_of("il_2", 1)}, true),
                              parent_of("in_2", 8, "lines", {object_of("il_9", 1)}, false),
                              parent_of("in_3", 7, "lines", {}, true)},
                             false));
    ASSERT_EQ(sent(), 3U); // in_2 is complete
    EXPECT_EQ(walker->state(), State::exhausted);
    EXPECT_EQ(asked(2),
              (Asked{"/v1/invoices/in_1/lines", {{"limit", "3"}, {"starting_after", "il_2"}}}));
    EXPECT_EQ(asked(3), (Asked{"/v1/invoices/in_3/lines", {{"limit", "3"}}}));
    answer(2, 200, list_of({object_of("il_3", 1)}, true));
    deliver(*walker);
    ASSERT_EQ(sent(), 4U);
    EXPECT_EQ(last_asked(),
              (Asked{"/v1/invoices/in_1/lines", {{"limit", "3"}, {"starting_after", "il_3"}}}));
    answer(3, 200, list_of({object_of("il_7", 1)}, false));
    deliver(*walker);
    EXPECT_EQ(walker->ready_page(), nullptr);
    answer_last(200, list_of({object_of("il_4", 1)}, false));
    PendingPage *page = walker->ready_page();
    ASSERT_NE(page, nullptr);
    Ids children;
    for (const auto &more : page->fetched->more)
        for (const Row &row : more->rows)
            children.push_back(more->parent_id + " " + std::string(row.id));
    EXPECT_EQ(children, (Ids{"in_1 il_3", "in_3 il_7", "in_1 il_4"}));
    EXPECT_GE(page->fetched->more[0]->as_of.end, noon);
    write();
    EXPECT_EQ(walker->state(), State::done);
}

TEST_F(RangeWalkerTest, children_may_be_listed_by_parameter) {
    start("subscription");
    answer_last(200,
                list_of({parent_of("sub_1", 9, "items", {object_of("si_1", 1)}, true)}, false));
    EXPECT_EQ(last_asked(),
              (Asked{"/v1/subscription_items",
                     {{"subscription", "sub_1"}, {"limit", "3"}, {"starting_after", "si_1"}}}));
}

TEST_F(RangeWalkerTest, an_incomplete_page_holds_back_those_behind_it) {
    start("invoice");
    answer_last(200, list_of({parent_of("in_1", 9, "lines", {object_of("il_1", 1)}, true)}, true));
    const std::size_t list = asked(2).path == "/v1/invoices" ? 2 : 3;
    answer(list, 200, list_of({parent_of("in_2", 8, "lines", {}, false)}, false));
    deliver(*walker);
    EXPECT_EQ(walker->ready_page(), nullptr);
    answer(5 - list, 200, list_of({}, false));
    deliver(*walker);
    EXPECT_EQ(ready_ids(), Ids{"in_1"});
    write();
    EXPECT_EQ(ready_ids(), Ids{"in_2"});
}

TEST_F(RangeWalkerTest, failures_of_children) {
    const auto start_with_children = [this] {
        start("invoice");
        answer_last(200,
                    list_of({parent_of("in_1", 9, "lines", {object_of("il_1", 1)}, true)}, false));
        ASSERT_EQ(last_asked().path, "/v1/invoices/in_1/lines");
    };
    // Deleted meanwhile, parent or child; not a list: the page is read again.
    const std::pair<int, std::string> passing[] = {
        {404, error_of("resource_missing", "invoice")},
        {404, "{}"},
        {400, error_of("resource_missing", "starting_after")},
        {200, "{}"},
        {503, ""},
    };
    for (const auto &[status, body] : passing) {
        SCOPED_TRACE(body);
        start_with_children();
        answer_last(status, body);
        expect_waiting(1, "");
        pass(Milliseconds(1000));
        go_on();
        EXPECT_EQ(last_asked(), (Asked{"/v1/invoices", {{"limit", "3"}}}));
    }
    const std::pair<int, Code> lasting[] = {
        {400, Code::stripe_refused}, {401, Code::stripe_key_rejected}, {403, Code::not_allowed}};
    for (const auto &[status, code] : lasting) {
        start_with_children();
        answer_last(status, error_of("other"));
        EXPECT_EQ(walker->state(), State::failed);
        EXPECT_EQ(walker->error_code(), code);
    }
}

TEST_F(RangeWalkerTest, stop_forgets_all_calls) {
    start("customer");
    const stripe::CallId id = 1; // the Caller counts from 1
    EXPECT_TRUE(walker->owns(id));
    stripe::CallResult stranger;
    stranger.id = 999;
    walker->on_result(stranger);
    EXPECT_EQ(walker->state(), State::walking);
    walker->stop();
    EXPECT_FALSE(walker->owns(id));
    EXPECT_EQ(caller.pending(), 0U);
    EXPECT_EQ(transport.in_flight(), 0U);
}

} // namespace
} // namespace billstack::sync
