// When an attempt is repeated and how long to wait: the table of stripe-node 22
// (docs/architecture.md, "Calling Stripe"), as pure functions.
#pragma once
#include "core/clock.hpp"
#include "http/transport.hpp"

#include <string>

namespace billstack::stripe {

struct RetryPolicy;

// attempts: made so far, the answered one included. Rules, the first that fits decides:
//   request refused here, or answer too large          no
//   connection closed on the first attempt             yes, even if max_attempts is 1
//   max_attempts made                                  no
//   no HTTP answer                                     yes
//   Stripe-Should-Retry: true / false                  yes / no
//   409, 500 and above                                 yes
//   429                                                as policy.retry_rate_limited says
//   2xx without a JSON object, method GET              yes (a read may be repeated)
//   anything else                                      no
bool should_retry(const http::Response &response, const std::string &method, int attempts,
                  const RetryPolicy &policy);

// min(0.5 s * 2^(attempts - 1), 5 s) times 0.5 to 1, never under 0.5 s, and at least Retry-After,
// of which 60 s at most are honoured. unit_random: from [0, 1).
core::Milliseconds retry_delay(const http::Response &response, int attempts, double unit_random);

// Retry-After in whole seconds, 60 at most; 0 when there is none.
core::Milliseconds retry_after(const http::Response &response);

// The outer braces of a body: the only look at it on this path, where bodies are large.
bool looks_like_object(std::string_view body);

} // namespace billstack::stripe
