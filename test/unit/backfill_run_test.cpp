// The run around the walkers: how it opens, shares out its pages and ends.
#include "sync/backfill.hpp"

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
using Phase = BackfillRun::Phase;
using State = RangeWalker::State;

class BackfillRunTest : public test::WalkerFixture {
  protected:
    std::unique_ptr<BackfillRun> run;

    void start(const std::vector<const char *> &kinds, bool start_known) {
        std::vector<RangeSpec> ranges;
        for (const char *name : kinds)
            ranges.push_back({&kind(name), 1, {}});
        run = std::make_unique<BackfillRun>(caller, clock, BackfillOptions{options()},
                                            std::move(ranges), start_known);
        go_on();
    }
    void go_on() {
        run->advance();
        deliver(*run);
    }
    void answer_last(int status, const std::string &body) {
        answer(sent(), status, body);
        deliver(*run);
    }
    // The open request to that path.
    void answer_path(const std::string &path, int status, const std::string &body) {
        for (const auto &[request, open] : transport.open)
            if (asked(request).path == path) {
                answer(request, status, body);
                deliver(*run);
                return;
            }
        FAIL() << "nobody asks for " << path;
    }
    std::string next() {
        RangeWalker *walker = run->next_ready();
        EXPECT_EQ(walker != nullptr, run->has_ready());
        if (walker == nullptr)
            return "";
        const std::string id(walker->ready_page()->fetched->rows.at(0).id);
        walker->page_written();
        go_on();
        return id;
    }
};

TEST_F(BackfillRunTest, opens_with_the_newest_event_and_stripes_time) {
    start({"customer"}, false);
    EXPECT_EQ(run->phase(), Phase::opening);
    ASSERT_EQ(sent(), 1U); // no page before the event cursor
    EXPECT_EQ(last_asked(), (Asked{"/v1/events", {{"limit", "1"}}}));
    EXPECT_TRUE(run->owns(1));
    EXPECT_EQ(transport.requests[0].bearer->view(), "rk_test_abcdefghij");
    go_on();
    EXPECT_EQ(sent(), 1U);
    answer_last(200, list_of({object_of("evt_5", noon)}, true));
    EXPECT_EQ(run->phase(), Phase::copying);
    EXPECT_EQ(run->start().newest_event_id, "evt_5");
    EXPECT_LE(run->start().stripe_time, noon);
    EXPECT_GT(run->start().stripe_time, noon - 10);
    ASSERT_EQ(sent(), 2U);
    EXPECT_EQ(last_asked().path, "/v1/customers");
}

TEST_F(BackfillRunTest, opens_without_events) {
    const std::pair<int, std::string> answers[] = {
        {200, list_of({}, false)}, {403, error_of("", "", "No permission")}, {400, error_of("x")}};
    for (const auto &[status, body] : answers) {
        SCOPED_TRACE(status);
        start({"customer"}, false);
        answer_last(status, body);
        EXPECT_EQ(run->phase(), Phase::copying);
        EXPECT_EQ(run->start().newest_event_id, "");
        EXPECT_GT(run->start().stripe_time, noon - 10);
        EXPECT_EQ(run->opening_error(), "");
        EXPECT_EQ(last_asked().path, "/v1/customers");
    }
}

TEST_F(BackfillRunTest, opening_is_tried_again) {
    start({"customer"}, false);
    for (int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
        const std::size_t before = sent();
        answer_last(503, "");
        EXPECT_EQ(run->phase(), Phase::opening);
        EXPECT_EQ(run->opening_error(), "could not reach Stripe: status 503 (request req_7)");
        EXPECT_EQ(run->next_retry(), clock.mono() + std::chrono::seconds(seconds));
        pass(std::chrono::seconds(seconds) - Milliseconds(1));
        go_on();
        EXPECT_EQ(sent(), before);
        pass(Milliseconds(1));
        go_on();
        EXPECT_EQ(sent(), before + 1);
    }
    // An answer without Stripe's time does not do.
    transport.answer(sent(), test::answered(200, list_of({}, false)));
    deliver(*run);
    EXPECT_EQ(run->phase(), Phase::opening);
    pass(std::chrono::seconds(60));
    go_on();
    answer_last(200, R"({"data":[)"
                     "\x01}");
    EXPECT_EQ(run->phase(), Phase::opening);
    EXPECT_EQ(run->opening_error(), "Stripe's answer could not be read");
    pass(std::chrono::seconds(60));
    go_on();
    answer_last(200, list_of({object_of("evt_5", noon)}, false));
    EXPECT_EQ(run->phase(), Phase::copying);
    EXPECT_EQ(run->opening_error(), "");
    EXPECT_EQ(run->next_retry(), std::nullopt);
}

TEST_F(BackfillRunTest, a_rejected_key_ends_the_opening) {
    start({"customer"}, false);
    answer_last(401, error_of("", "", "Invalid key"));
    EXPECT_EQ(run->phase(), Phase::finished);
    ASSERT_TRUE(run->fatal().has_value());
    EXPECT_EQ(run->fatal()->code, Code::stripe_key_rejected);
    go_on();
    EXPECT_EQ(sent(), 1U);
}

TEST_F(BackfillRunTest, kinds_are_in_flight_together_and_take_turns) {
    start({"customer", "product", "price"}, true);
    EXPECT_EQ(run->phase(), Phase::copying);
    EXPECT_EQ(transport.in_flight(), 3U);
    EXPECT_FALSE(run->has_ready());
    EXPECT_EQ(run->next_ready(), nullptr);
    answer_path("/v1/products", 200, list_of({object_of("p2", 2)}, true));
    answer_path("/v1/customers", 200, list_of({object_of("c2", 2)}, true));
    answer_path("/v1/customers", 200, list_of({object_of("c1", 1)}, false));
    answer_path("/v1/products", 200, list_of({object_of("p1", 1)}, false));
    EXPECT_EQ(next(), "c2");
    EXPECT_EQ(next(), "p2");
    EXPECT_EQ(next(), "c1"); // prices are not there yet
    EXPECT_EQ(next(), "p1");
    EXPECT_EQ(next(), "");
    EXPECT_EQ(run->phase(), Phase::copying);
    answer_path("/v1/prices", 200, list_of({object_of("r1", 1)}, false));
    EXPECT_EQ(run->phase(), Phase::copying); // read, but not written
    EXPECT_EQ(next(), "r1");
    EXPECT_EQ(run->phase(), Phase::finished);
    EXPECT_FALSE(run->fatal().has_value());
    EXPECT_EQ(next(), "");
}

TEST_F(BackfillRunTest, a_kind_that_is_not_readable_does_not_stop_the_others) {
    start({"customer", "product"}, true);
    answer_path("/v1/customers", 403, error_of("", "", "No permission"));
    EXPECT_EQ(run->phase(), Phase::copying);
    EXPECT_EQ(run->walkers()[0]->state(), State::failed);
    answer_path("/v1/products", 200, list_of({object_of("p1", 1)}, false));
    EXPECT_EQ(next(), "p1");
    EXPECT_EQ(run->phase(), Phase::finished);
    EXPECT_FALSE(run->fatal().has_value());
    start({"customer"}, true); // ends without a page
    answer_last(403, "{}");
    EXPECT_EQ(run->phase(), Phase::finished);
}

TEST_F(BackfillRunTest, a_rejected_key_ends_the_run) {
    start({"customer", "product"}, true);
    answer_path("/v1/products", 200, list_of({object_of("p1", 1)}, true));
    EXPECT_TRUE(run->has_ready());
    answer_path("/v1/customers", 401, error_of("", "", "Invalid key"));
    EXPECT_EQ(run->phase(), Phase::finished);
    ASSERT_TRUE(run->fatal().has_value());
    EXPECT_EQ(run->fatal()->code, Code::stripe_key_rejected);
    EXPECT_NE(run->fatal()->message.find("Invalid key"), std::string::npos);
    EXPECT_EQ(transport.in_flight(), 0U);
    EXPECT_FALSE(run->has_ready());
    EXPECT_EQ(run->next_ready(), nullptr);
}

TEST_F(BackfillRunTest, the_earliest_retry_counts) {
    start({"customer", "product"}, true);
    EXPECT_EQ(run->next_retry(), std::nullopt);
    answer_path("/v1/customers", 503, "");
    const core::MonoTime first = clock.mono() + std::chrono::seconds(1);
    pass(Milliseconds(300));
    answer_path("/v1/products", 503, "");
    EXPECT_EQ(run->next_retry(), first);
    pass(Milliseconds(700));
    go_on();
    EXPECT_EQ(transport.in_flight(), 1U);
    EXPECT_EQ(run->next_retry(), first + Milliseconds(300));
}

TEST_F(BackfillRunTest, stops_in_every_phase) {
    start({"customer"}, false);
    run->stop();
    EXPECT_EQ(caller.pending(), 0U);
    EXPECT_FALSE(run->owns(1));
    start({"customer", "product"}, true);
    EXPECT_EQ(caller.pending(), 2U);
    run.reset();
    EXPECT_EQ(caller.pending(), 0U);
    EXPECT_EQ(transport.in_flight(), 0U);
    start({}, true);
    EXPECT_EQ(run->phase(), Phase::finished);
}

} // namespace
} // namespace billstack::sync
