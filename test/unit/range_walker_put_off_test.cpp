// A page that cannot be written now is kept for its range, and the range alone waits.
#include "walker_fixture.hpp"

namespace billstack::sync {
namespace {

using std::chrono::seconds;
using test::list_of;
using test::object_of;

class PutOffTest : public test::WalkerFixture {
  protected:
    std::unique_ptr<RangeWalker> walker;

    void fetch_one_page() {
        walker = std::make_unique<RangeWalker>(caller, clock, kind("customer"), 0, RangePosition{},
                                               options());
        walker->advance();
        deliver(*walker);
        answer(sent(), 200, list_of({object_of("c9", 9)}, false));
        deliver(*walker);
        ASSERT_NE(walker->ready_page(), nullptr);
    }
};

TEST_F(PutOffTest, the_page_is_ready_again_after_a_growing_delay) {
    fetch_one_page();
    int expected[] = {1, 2, 4, 8, 16, 30, 30};
    for (int delay : expected) {
        EXPECT_EQ(walker->put_off("writing waits: a lock"), seconds(delay));
        EXPECT_TRUE(walker->is_put_off());
        EXPECT_EQ(walker->ready_page(), nullptr);
        EXPECT_EQ(walker->retry_at(), clock.mono() + seconds(delay));
        EXPECT_EQ(walker->error(), "writing waits: a lock");
        pass(seconds(delay));
        ASSERT_NE(walker->ready_page(), nullptr);
    }
    EXPECT_EQ(sent(), 1U); // nothing was fetched twice
    walker->page_written();
    EXPECT_FALSE(walker->is_put_off());
    EXPECT_EQ(walker->error(), "");
    EXPECT_EQ(walker->state(), RangeWalker::State::done);
}

TEST_F(PutOffTest, what_is_given_up_has_failed) {
    fetch_one_page();
    walker->put_off("writing waits: a trigger");
    walker->give_up("writing customers failed: a trigger");
    EXPECT_EQ(walker->state(), RangeWalker::State::failed);
    EXPECT_EQ(walker->error_code(), core::Code::internal);
    EXPECT_EQ(walker->ready_page(), nullptr);
    EXPECT_EQ(walker->retry_at(), std::nullopt);
}

} // namespace
} // namespace billstack::sync
