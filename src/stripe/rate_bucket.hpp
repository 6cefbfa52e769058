// One of Stripe's limits as this side keeps it: so many requests in any second, evenly spread, and
// slower for a while after a 429. Plain data, so that it can lie in memory that processes share;
// all bytes zero is a bucket that has seen nothing. Times are microseconds of one monotonic clock.
//
// Stripe does not say over which time it counts a second; a bucket that never lets more through in
// any second is right for each way of counting. (Above rate_ring_size requests/s, a tenth more may
// go through in one second, never in two.)
#pragma once
#include "stripe/rate_gate.hpp"

#include <cstdint>

namespace billstack::stripe {

inline constexpr int rate_ring_size = 100; // sends that a bucket remembers

struct RateBucket {
    std::int64_t sent_us[rate_ring_size]; // when the last ones were sent, a ring
    std::int32_t next;                    // its place for the next one
    std::int32_t slowed_to;               // 1/1000 requests/s after the last 429; 0: none yet
    std::int32_t growth;                  // and so much more each second
    std::int64_t slowed_at_us;
    std::int64_t held_until_us;    // Retry-After
    std::int64_t paced_us;         // when the next one is due at an even pace
    std::int64_t user_sent_us;     // the last one of a user
    std::int64_t claimed_until_us; // a user waits for the next token
    std::int32_t narrowed_to;      // requests in flight after the last 429 for them; 0: none yet
    std::int64_t narrowed_at_us;
};

// per_second: what Stripe allows; 0: no limit, and the bucket is left alone.
struct BucketUse {
    std::int32_t per_second = 0;
    Priority priority = Priority::background;
    std::int32_t in_flight = 0; // of this process
    std::int64_t now_us = 0;
};

// What may be sent now, in 1/1000 requests/s: the limit, or less after a 429, growing back each
// second by a quarter of the limit, or by a twentieth when the 429 before is not half a minute old:
// then Stripe allows less than the limit says, or others use the account.
std::int32_t current_rate(const RateBucket &bucket, std::int32_t per_second, std::int64_t now_us);
// Requests in flight that may be; a large number while Stripe has not complained.
std::int32_t most_in_flight(const RateBucket &bucket, std::int64_t now_us);

// How long a request must wait; 0: it may go.
std::int64_t bucket_wait_us(const RateBucket &bucket, const BucketUse &use);
// It goes.
void take_token(RateBucket &bucket, const BucketUse &use);
// The next token is a user's: background requests wait until then.
void claim_token(RateBucket &bucket, std::int64_t until_us);

// A request sent at sent_us was refused. Half the rate, or half of what is in flight; what was sent
// before the last decrease could show, a second later, says nothing new.
void slow_down(RateBucket &bucket, std::int32_t per_second, std::int64_t sent_us,
               std::int64_t now_us);
void narrow(RateBucket &bucket, std::int32_t in_flight, std::int64_t sent_us, std::int64_t now_us);
void hold(RateBucket &bucket, std::int64_t until_us);

} // namespace billstack::stripe
