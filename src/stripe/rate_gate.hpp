// The port through which a Caller asks whether Stripe's limits leave room for a request. What
// implements it may be shared with other processes; it is asked before each attempt, from one
// thread, and never waits.
#pragma once
#include "core/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace billstack::stripe {

// Who waits for the answer: a user's call is never queued behind a backfill's pages.
enum class Priority { user, background };

// Whose limits a call counts against and which operation it is. Stripe limits each named operation
// by itself, whatever the id (docs.stripe.com/rate-limits): "GET /v1/invoices" and
// "GET /v1/invoices/{id}" are two.
struct RateKey {
    std::string account;  // Call::account
    std::string endpoint; // endpoint_of()
};

class RateGate {
  public:
    virtual ~RateGate() = default;
    // nullopt: go now; a token is taken, and answered() follows exactly once. Otherwise: ask again
    // after so long, more than 0.
    virtual std::optional<core::Milliseconds> admit(const RateKey &key, Priority priority) = 0;
    // http_status 0: no answer, or the call was dropped. limited_reason: of a 429, the value of
    // Stripe-Rate-Limited-Reason, else "". retry_after: 0 when the answer names none.
    struct Answer {
        int http_status = 0;
        std::string_view limited_reason;
        core::Milliseconds retry_after{0};
        core::Milliseconds latency{0}; // from admit() to here
    };
    virtual void answered(const RateKey &key, const Answer &answer) = 0;
};

// The operation a path stands for: ids become "{id}". method as in Call; path without query.
std::string endpoint_of(std::string_view method, std::string_view path);

// Names whose limits a key counts against: "acct_x/live", "acct_x/test"; with an unknown account
// ("") a digest of the key stands for it. Never a secret.
std::string rate_account(std::string_view account_id, bool livemode, std::string_view key);

} // namespace billstack::stripe
