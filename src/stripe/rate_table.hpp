// The buckets of all accounts and of their endpoints, and the rule which request may go: both of
// its buckets must have a token. Plain data of a fixed size, for memory that processes share; no
// lock of its own. A name that finds no place shares the bucket of another, which is slower and
// never wrong.
#pragma once
#include "stripe/rate_bucket.hpp"

namespace billstack::stripe {

inline constexpr int rate_accounts = 128;
inline constexpr int rate_endpoints = 1024; // of all accounts together

// 64 bits of each name; where a bucket is.
struct RateNames {
    std::uint64_t account = 0;
    std::uint64_t endpoint = 0; // of this account
};
RateNames names_of(const RateKey &key);

// Requests/s; 0: unlimited.
struct RateLimits {
    std::int32_t account = 0;
    std::int32_t endpoint = 0;
};
// What Stripe publishes for the call. account_setting, endpoint_setting: requests/s, 0 unlimited,
// -1 by mode and operation.
RateLimits limits_of(const RateKey &key, int account_setting, int endpoint_setting);

template <int count> struct RateBuckets {
    std::uint64_t names[count]; // 0: free
    std::int64_t used_us[count];
    RateBucket buckets[count];
};

struct RateTable {
    RateBuckets<rate_accounts> accounts;
    RateBuckets<rate_endpoints> endpoints;
};

// Of this process, of the account and of the endpoint.
struct RequestsInFlight {
    std::int32_t account = 0;
    std::int32_t endpoint = 0;
};

// 0: it goes, and its tokens are taken. Else how long to wait; a user's wait claims the next token.
std::int64_t admit(RateTable &table, const RateNames &names, const RateLimits &limits,
                   Priority priority, const RequestsInFlight &in_flight, std::int64_t now_us);

// Stripe's reasons, docs.stripe.com/rate-limits.
enum class LimitReason {
    none, // an object's lock, or not limited at all
    global_rate,
    endpoint_rate,
    global_concurrency,
    endpoint_concurrency,
    resource_specific // of one object: the call waits, nothing else does
};
LimitReason limit_reason_of(std::string_view header);

struct RateRefusal {
    LimitReason reason = LimitReason::none;
    std::int64_t retry_after_us = 0;
    std::int64_t sent_us = 0;
    RequestsInFlight in_flight; // the refused one included
};
void note_refusal(RateTable &table, const RateNames &names, const RateLimits &limits,
                  const RateRefusal &refusal, std::int64_t now_us);

} // namespace billstack::stripe
