// The retry table. Every POST has an idempotency key, so repeating one is safe here.
#include "stripe/retry.hpp"

#include "core/backoff.hpp"
#include "stripe/caller.hpp"

#include <algorithm>
#include <charconv>

namespace billstack::stripe {

namespace {

constexpr core::Milliseconds max_retry_after{60000};
constexpr core::Backoff backoff{core::Milliseconds(500), core::Milliseconds(5000),
                                core::Milliseconds(500), 0.5};

} // namespace

// Whole seconds only; the form with a date is not used by Stripe and counts as absent.
core::Milliseconds retry_after(const http::Response &response) {
    const std::string *value = response.header("retry-after");
    if (value == nullptr)
        return core::Milliseconds(0);
    unsigned long seconds = 0;
    const char *last = value->data() + value->size();
    const auto [end, error] = std::from_chars(value->data(), last, seconds);
    if (error == std::errc::result_out_of_range)
        return max_retry_after;
    if (error != std::errc() || end != last)
        return core::Milliseconds(0);
    return seconds >= 60 ? max_retry_after : core::Milliseconds(seconds * 1000);
}

bool looks_like_object(std::string_view body) {
    static constexpr const char *space = " \t\r\n";
    const std::size_t first = body.find_first_not_of(space);
    const std::size_t last = body.find_last_not_of(space);
    return first != std::string::npos && first < last && body[first] == '{' && body[last] == '}';
}

bool should_retry(const http::Response &response, const std::string &method, int attempts,
                  const RetryPolicy &policy) {
    using http::Failure;
    if (response.failure == Failure::refused_here || response.failure == Failure::too_large)
        return false;
    if (response.failure == Failure::connection && attempts == 1)
        return true;
    if (attempts >= policy.max_attempts)
        return false;
    if (response.failure != Failure::none)
        return true;
    if (const std::string *advice = response.header("stripe-should-retry")) {
        if (*advice == "true")
            return true;
        if (*advice == "false")
            return false;
    }
    if (response.status == 409 || response.status >= 500)
        return true;
    if (response.status == 429)
        return policy.retry_rate_limited;
    // An answer that was cut on the way: of a refusal, too, nobody knows what it says.
    bool has_object = (response.status >= 200 && response.status < 300) ||
                      (response.status >= 400 && response.status != 401 && response.status != 403);
    return has_object && method == "GET" && !looks_like_object(response.content());
}

core::Milliseconds retry_delay(const http::Response &response, int attempts, double unit_random) {
    return std::max(backoff.delay(attempts, unit_random), retry_after(response));
}

} // namespace billstack::stripe
