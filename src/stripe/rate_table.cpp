#include "stripe/rate_table.hpp"

#include <algorithm>
#include <cstring>

namespace billstack::stripe {

namespace {

constexpr int longest_search = 16;
// A bucket of which nothing is left to remember.
constexpr std::int64_t forgotten_us = 60 * 1000000LL;

// FNV-1a, 64 bits, never 0.
std::uint64_t hash_of(std::string_view text, std::uint64_t hash) {
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 1099511628211ULL;
    }
    return hash == 0 ? 1 : hash;
}

template <int count>
RateBucket &bucket_of(RateBuckets<count> &table, std::uint64_t name, std::int64_t now_us) {
    const int home = static_cast<int>((name ^ name >> 32) % count);
    int usable = -1;
    for (int step = 0; step < longest_search; ++step) {
        const int at = (home + step) % count;
        if (table.names[at] == name) {
            table.used_us[at] = now_us;
            return table.buckets[at];
        }
        const bool free = table.names[at] == 0 || now_us - table.used_us[at] > forgotten_us;
        if (usable < 0 && free)
            usable = at;
    }
    if (usable < 0) {
        table.used_us[home] = now_us;
        return table.buckets[home];
    }
    table.names[usable] = name;
    table.used_us[usable] = now_us;
    std::memset(&table.buckets[usable], 0, sizeof(RateBucket));
    return table.buckets[usable];
}

// Published exceptions from 25 requests/s an operation.
std::int32_t published_limit(std::string_view endpoint) {
    return endpoint.ends_with("/search") || endpoint.find(" /v1/files") != std::string_view::npos
               ? 20
               : 25;
}

// For a user; a little longer than the wait, since a worker needs a moment to come back.
void claim(RateBucket &bucket, std::int64_t wait_us, std::int64_t now_us) {
    if (wait_us > 0)
        claim_token(bucket, now_us + std::min<std::int64_t>(wait_us, 1000000) + 5000);
}

} // namespace

RateNames names_of(const RateKey &key) {
    RateNames names;
    names.account = hash_of(key.account, 14695981039346656037ULL);
    names.endpoint = hash_of(key.endpoint, hash_of(" ", names.account));
    return names;
}

RateLimits limits_of(const RateKey &key, int account_setting, int endpoint_setting) {
    RateLimits limits{account_setting, endpoint_setting};
    if (account_setting < 0)
        limits.account = key.account.ends_with("/live") ? 100 : 25;
    if (endpoint_setting < 0)
        limits.endpoint = published_limit(key.endpoint);
    return limits;
}

std::int64_t admit(RateTable &table, const RateNames &names, const RateLimits &limits,
                   Priority priority, const RequestsInFlight &in_flight, std::int64_t now_us) {
    RateBucket &account = bucket_of(table.accounts, names.account, now_us);
    RateBucket &endpoint = bucket_of(table.endpoints, names.endpoint, now_us);
    const BucketUse of_account{limits.account, priority, in_flight.account, now_us};
    const BucketUse of_endpoint{limits.endpoint, priority, in_flight.endpoint, now_us};
    const std::int64_t account_us = bucket_wait_us(account, of_account);
    const std::int64_t endpoint_us = bucket_wait_us(endpoint, of_endpoint);
    const std::int64_t wait_us = std::max(account_us, endpoint_us);
    if (wait_us <= 0) {
        take_token(account, of_account);
        take_token(endpoint, of_endpoint);
        return 0;
    }
    if (priority == Priority::user) {
        claim(account, account_us, now_us);
        claim(endpoint, endpoint_us, now_us);
    }
    return wait_us;
}

LimitReason limit_reason_of(std::string_view header) {
    if (header == "global-rate")
        return LimitReason::global_rate;
    if (header == "endpoint-rate")
        return LimitReason::endpoint_rate;
    if (header == "global-concurrency")
        return LimitReason::global_concurrency;
    if (header == "endpoint-concurrency")
        return LimitReason::endpoint_concurrency;
    return header.empty() ? LimitReason::none : LimitReason::resource_specific;
}

void note_refusal(RateTable &table, const RateNames &names, const RateLimits &limits,
                  const RateRefusal &refusal, std::int64_t now_us) {
    const bool global = refusal.reason == LimitReason::global_rate ||
                        refusal.reason == LimitReason::global_concurrency;
    const bool rate =
        refusal.reason == LimitReason::global_rate || refusal.reason == LimitReason::endpoint_rate;
    if (refusal.reason == LimitReason::none || refusal.reason == LimitReason::resource_specific)
        return;
    RateBucket &bucket = global ? bucket_of(table.accounts, names.account, now_us)
                                : bucket_of(table.endpoints, names.endpoint, now_us);
    const std::int32_t per_second = global ? limits.account : limits.endpoint;
    const std::int32_t in_flight = global ? refusal.in_flight.account : refusal.in_flight.endpoint;
    if (per_second <= 0)
        return; // the setting says that there is no limit: the call alone waits
    if (rate)
        slow_down(bucket, per_second, refusal.sent_us, now_us);
    else
        narrow(bucket, in_flight, refusal.sent_us, now_us);
    if (refusal.retry_after_us > 0)
        hold(bucket, now_us + refusal.retry_after_us);
}

} // namespace billstack::stripe
