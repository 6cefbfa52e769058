// One limit: never above it in any second, close to it whatever disturbs the sender, slower after a
// 429 and back again.
#include "stripe/rate_bucket.hpp"
#include "test_random.hpp"

#include <deque>
#include <gtest/gtest.h>

namespace billstack::stripe {
namespace {

constexpr std::int64_t second = 1000000;
constexpr std::int64_t start = 5000 * second;

BucketUse use_of(int per_second, std::int64_t now, Priority priority = Priority::background) {
    return {per_second, priority, 0, now};
}

// Sends whenever the bucket lets it until `until`; sleeps as long as it says and a little more.
std::vector<std::int64_t> send_all(RateBucket &bucket, int per_second, std::int64_t from,
                                   std::int64_t until, test::Random *random = nullptr) {
    std::vector<std::int64_t> sent;
    std::int64_t now = from;
    while (now < until) {
        const std::int64_t wait = bucket_wait_us(bucket, use_of(per_second, now));
        if (wait > 0) {
            now += wait;
            continue;
        }
        take_token(bucket, use_of(per_second, now));
        sent.push_back(now);
        if (random != nullptr && random->one_in(8))
            now += static_cast<std::int64_t>(random->below(60000)); // busy with something else
        else
            now += 50;
    }
    return sent;
}

std::size_t most_in_a_second(const std::vector<std::int64_t> &sent) {
    std::size_t most = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        while (sent[i] - sent[first] >= second)
            ++first;
        most = std::max(most, i - first + 1);
    }
    return most;
}

TEST(RateBucket, lets_no_more_through_in_any_second_and_hardly_less) {
    test::Random random;
    for (const int per_second : {1, 3, 20, 25, 60, 100, 333, 1000}) {
        RateBucket even{};
        const auto steady = send_all(even, per_second, start, start + 20 * second);
        RateBucket disturbed{};
        const auto bumpy = send_all(disturbed, per_second, start, start + 20 * second, &random);
        for (const auto *sent : {&steady, &bumpy})
            EXPECT_LE(most_in_a_second(*sent),
                      static_cast<std::size_t>(per_second <= rate_ring_size ? per_second
                                                                            : per_second * 1.1))
                << per_second << "/s";
        EXPECT_GE(steady.size(), static_cast<std::size_t>(per_second * 20 * 0.98)) << per_second;
        // Interruptions of 60 ms now and then cost nothing but at a thousand a second.
        if (per_second <= 100) {
            EXPECT_GE(bumpy.size(), static_cast<std::size_t>(per_second * 20 * 0.96)) << per_second;
        }
    }
}

TEST(RateBucket, spreads_requests_over_the_second) {
    RateBucket bucket{};
    const auto sent = send_all(bucket, 25, start, start + 2 * second);
    std::size_t at_once = 0;
    while (at_once < sent.size() && sent[at_once] < start + 10000)
        ++at_once;
    EXPECT_LE(at_once, 6U);
}

TEST(RateBucket, without_a_limit_never_waits) {
    RateBucket bucket{};
    slow_down(bucket, 0, start, start);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(bucket_wait_us(bucket, use_of(0, start)), 0);
        take_token(bucket, use_of(0, start));
    }
}

TEST(RateBucket, a_user_goes_before_what_waits_for_the_pace) {
    RateBucket bucket{};
    std::int64_t now = start;
    while (bucket_wait_us(bucket, use_of(25, now)) == 0)
        take_token(bucket, use_of(25, now));
    EXPECT_EQ(bucket_wait_us(bucket, use_of(25, now, Priority::user)), 0);
}

TEST(RateBucket, keeps_a_share_for_users_while_there_are_any) {
    RateBucket bucket{};
    (void)send_all(bucket, 25, start, start + 3 * second);
    take_token(bucket, use_of(25, start + 3 * second, Priority::user));
    std::int64_t now = start + 3 * second;
    (void)send_all(bucket, 25, now, now + 3 * second);
    now += 3 * second;
    // As fast as it goes, background has left one of the second's tokens over at any moment.
    for (int i = 0; i < 100; ++i) {
        (void)send_all(bucket, 25, now, now + 10000);
        now += 10000;
        EXPECT_EQ(bucket_wait_us(bucket, use_of(25, now, Priority::user)), 0) << i;
    }
    // A minute later it has the whole limit again.
    now += 60 * second;
    EXPECT_GE(send_all(bucket, 25, now, now + 20 * second).size(), 490U);
}

TEST(RateBucket, a_claimed_token_is_a_users) {
    RateBucket bucket{};
    claim_token(bucket, start + 40000);
    EXPECT_EQ(bucket_wait_us(bucket, use_of(25, start)), 40000);
    EXPECT_EQ(bucket_wait_us(bucket, use_of(25, start, Priority::user)), 0);
    take_token(bucket, use_of(25, start, Priority::user));
    EXPECT_LT(bucket_wait_us(bucket, use_of(25, start + 20000)), 40000);
}

TEST(RateBucket, halves_once_for_all_refusals_of_a_moment_and_grows_back) {
    RateBucket bucket{};
    std::int64_t now = start;
    for (int i = 0; i < 200; ++i)
        slow_down(bucket, 100, now - 100000 + i, now + i * 1000);
    EXPECT_EQ(current_rate(bucket, 100, now), 50000);
    EXPECT_EQ(current_rate(bucket, 100, now + second), 75000);
    EXPECT_EQ(current_rate(bucket, 100, now + 2 * second), 100000);
    EXPECT_EQ(current_rate(bucket, 100, now + 1000 * second), 100000);
    now += 3 * second / 2;
    slow_down(bucket, 100, now, now); // sent at the lower rate, and refused again
    const std::int32_t again = current_rate(bucket, 100, now);
    EXPECT_NEAR(again, 43750, 500);
    EXPECT_EQ(current_rate(bucket, 100, now + 4 * second), again + 20000); // carefully now
    for (int i = 0; i < 20; ++i) {
        now += 2 * second;
        slow_down(bucket, 100, now, now);
    }
    EXPECT_NEAR(current_rate(bucket, 100, now), 10000, 100); // what two seconds have added
    EXPECT_LE(send_all(bucket, 100, now, now + second).size(), 15U);
    // One that comes alone costs little.
    now += 60 * second;
    slow_down(bucket, 100, now, now);
    EXPECT_EQ(current_rate(bucket, 100, now + 2 * second), 100000);
}

TEST(RateBucket, retry_after_holds_background_calls) {
    RateBucket bucket{};
    hold(bucket, start + 2 * second);
    EXPECT_EQ(bucket_wait_us(bucket, use_of(25, start)), 2 * second);
    EXPECT_EQ(bucket_wait_us(bucket, use_of(25, start, Priority::user)), 0);
    EXPECT_EQ(bucket_wait_us(bucket, use_of(25, start + 2 * second)), 0);
}

TEST(RateBucket, narrows_what_is_in_flight) {
    RateBucket bucket{};
    BucketUse use = use_of(100, start);
    use.in_flight = 1000;
    EXPECT_EQ(bucket_wait_us(bucket, use), 0);
    for (int i = 0; i < 12; ++i)
        narrow(bucket, 12 - i, start, start);
    EXPECT_EQ(most_in_flight(bucket, start), 6);
    use.in_flight = 6;
    EXPECT_GT(bucket_wait_us(bucket, use), 0);
    use.in_flight = 5;
    EXPECT_EQ(bucket_wait_us(bucket, use), 0);
    EXPECT_EQ(most_in_flight(bucket, start + 3 * second), 9);
    narrow(bucket, 1, start + 10 * second, start + 10 * second);
    EXPECT_EQ(most_in_flight(bucket, start + 10 * second), 1);
}

} // namespace
} // namespace billstack::stripe
