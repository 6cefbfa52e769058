#include "stripe/rate_bucket.hpp"

#include <algorithm>
#include <limits>

namespace billstack::stripe {

namespace {

constexpr std::int64_t second_us = 1000000;
// Requests do not arrive at the distances they were sent at: a second lasts a little longer.
constexpr std::int64_t margin_tenths = 15; // of a percent
constexpr std::int64_t users_remembered_us = 30 * second_us;
constexpr std::int64_t refusals_remembered_us = 30 * second_us;
constexpr std::int32_t no_bound = std::numeric_limits<std::int32_t>::max() / 2;

// At most `count` sends in any `length_us`, one each `interval_us` on average.
struct Window {
    std::int32_t count;
    std::int64_t length_us;
    std::int64_t interval_us;
};

Window window_of(std::int32_t rate) {
    Window window{};
    window.count = std::clamp(rate / 1000, 1, rate_ring_size);
    window.interval_us = std::max<std::int64_t>(1, 1000 * second_us / rate);
    window.length_us = window.count * 1000 * second_us / rate;
    window.length_us += window.length_us * margin_tenths / 1000;
    return window;
}

// Kept back for users while there are any: a twenty-fifth, one at least.
std::int32_t reserve_of(const RateBucket &bucket, const Window &window, const BucketUse &use) {
    const bool users =
        bucket.user_sent_us != 0 && use.now_us - bucket.user_sent_us < users_remembered_us;
    return users && window.count > 1 ? std::max(1, window.count / 25) : 0;
}

} // namespace

std::int32_t current_rate(const RateBucket &bucket, std::int32_t per_second, std::int64_t now_us) {
    const std::int64_t full = std::int64_t{per_second} * 1000;
    if (bucket.slowed_to == 0)
        return static_cast<std::int32_t>(full);
    const std::int64_t passed = std::max<std::int64_t>(0, now_us - bucket.slowed_at_us);
    const std::int64_t grown =
        passed >= 20 * second_us ? full : bucket.slowed_to + bucket.growth * passed / second_us;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(grown, 1, full));
}

std::int32_t most_in_flight(const RateBucket &bucket, std::int64_t now_us) {
    if (bucket.narrowed_to == 0)
        return no_bound;
    const std::int64_t passed_s =
        std::max<std::int64_t>(0, now_us - bucket.narrowed_at_us) / second_us;
    if (passed_s >= 300)
        return no_bound;
    return bucket.narrowed_to + static_cast<std::int32_t>(passed_s);
}

std::int64_t bucket_wait_us(const RateBucket &bucket, const BucketUse &use) {
    if (use.per_second <= 0)
        return 0;
    const bool user = use.priority == Priority::user;
    std::int64_t ready_us = use.now_us;
    if (use.in_flight >= most_in_flight(bucket, use.now_us) + (user ? 1 : 0))
        ready_us = use.now_us + 10000; // when one ends is not known
    const Window window = window_of(current_rate(bucket, use.per_second, use.now_us));
    const std::int32_t allowed = window.count - (user ? 0 : reserve_of(bucket, window, use));
    const std::int32_t oldest = (bucket.next - allowed + rate_ring_size) % rate_ring_size;
    ready_us = std::max(ready_us, bucket.sent_us[oldest] + window.length_us);
    if (!user) {
        // A worker that was busy for a moment may catch up, but not with a second's worth at once.
        const std::int32_t burst = std::max(1, window.count / 5);
        ready_us = std::max(ready_us, bucket.paced_us - (burst - 1) * window.interval_us);
        ready_us = std::max({ready_us, bucket.held_until_us, bucket.claimed_until_us});
    }
    return ready_us - use.now_us;
}

void take_token(RateBucket &bucket, const BucketUse &use) {
    if (use.per_second <= 0)
        return;
    const Window window = window_of(current_rate(bucket, use.per_second, use.now_us));
    bucket.paced_us = std::max(bucket.paced_us, use.now_us) + window.interval_us;
    bucket.sent_us[bucket.next] = use.now_us;
    bucket.next = (bucket.next + 1) % rate_ring_size;
    if (use.priority == Priority::user) {
        bucket.user_sent_us = use.now_us;
        bucket.claimed_until_us = 0;
    }
}

void claim_token(RateBucket &bucket, std::int64_t until_us) {
    bucket.claimed_until_us = std::max(bucket.claimed_until_us, until_us);
}

void slow_down(RateBucket &bucket, std::int32_t per_second, std::int64_t sent_us,
               std::int64_t now_us) {
    if (per_second <= 0 || (bucket.slowed_to != 0 && sent_us < bucket.slowed_at_us + second_us))
        return;
    const bool alone =
        bucket.slowed_to == 0 || now_us - bucket.slowed_at_us > refusals_remembered_us;
    const std::int32_t least = std::max(1000, per_second * 1000 / 20);
    bucket.slowed_to = std::max(least, current_rate(bucket, per_second, now_us) / 2);
    bucket.growth = per_second * 1000 / (alone ? 4 : 20);
    bucket.slowed_at_us = now_us;
}

void narrow(RateBucket &bucket, std::int32_t in_flight, std::int64_t sent_us, std::int64_t now_us) {
    if (bucket.narrowed_to != 0 && sent_us < bucket.narrowed_at_us + second_us)
        return;
    bucket.narrowed_to = std::max(1, in_flight / 2);
    bucket.narrowed_at_us = now_us;
}

void hold(RateBucket &bucket, std::int64_t until_us) {
    bucket.held_until_us = std::max(bucket.held_until_us, until_us);
}

} // namespace billstack::stripe
