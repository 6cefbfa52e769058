// Calls to Stripe with its authentication, version header, idempotency keys, retries and error
// bodies. Retry table: stripe-node 22 (docs/architecture.md, "Calling Stripe").
#pragma once
#include "core/clock.hpp"
#include "core/secret_bytes.hpp"
#include "http/transport.hpp"
#include "stripe/api_error.hpp"
#include "stripe/call_lanes.hpp"
#include "stripe/form.hpp"
#include "stripe/scrub.hpp"
#include "stripe/stripe_clock.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace billstack::stripe {

struct RetryPolicy {
    int max_attempts = 3;            // the first one included; see should_retry() for the table
    bool retry_rate_limited = true;  // 429 after Retry-After or back-off
    core::Milliseconds total{80000}; // no attempt starts later than this after submit()
};

struct Call {
    std::string method = "GET";
    std::string path; // "/v1/customers": unreserved characters, "/" and %XX only; segments already
                      // encoded with encode_path_segment()
    Params params;    // query of a GET or DELETE, form body of a POST; encoded by the Caller
    std::shared_ptr<const core::SecretBytes> key;
    std::string account;         // whose limits it counts against: rate_account()
    bool secret_answer = false;  // the body holds a secret: see CallResult::secret_body
    std::string idempotency_key; // POST: required, 255 bytes at most; the same on every attempt
    Priority priority = Priority::background;
    RetryPolicy retry;
    core::Milliseconds timeout{30000}; // of one attempt
};

enum class CallStatus {
    ok,           // 2xx
    refused,      // Stripe answered 4xx other than those below
    key_rejected, // 401
    forbidden,    // 403: the key lacks the permission
    rate_limited, // 429 after the last attempt
    unreachable,  // no answer, 5xx or 409 after the last attempt
    bad_answer    // an answer that is no JSON object (its outer braces are looked at), or too large
};

struct CallResult {
    CallId id = 0;
    CallStatus status = CallStatus::unreachable;
    int http_status = 0;
    std::string body; // of an ok answer: its bytes, card numbers masked; else empty
    std::shared_ptr<const core::SecretBytes> secret_body; // in its place for a secret_answer
    std::string request_id;                               // may be empty
    ApiError error;
    std::string failure_text; // of a transport failure
    bool too_large = false;   // bad_answer because of its size
    bool replayed = false;    // Stripe has repeated its first answer to the idempotency key
    int attempts = 0;
    core::Milliseconds latency{0}; // of the last attempt: from sending it to its answer
    // The window in which Stripe read the state, unix seconds on Stripe's clock (sync.md section
    // 2): window_start is at or before the moment the last attempt was sent, window_end at or after
    // the moment it was answered. 0/0 when unknown.
    std::int64_t window_start = 0;
    std::int64_t window_end = 0;
};

// Throws core::Error(stripe_*) that describes a result which is not ok; what names the call,
// e.g. "reading the account".
[[noreturn]] void throw_call_error(const CallResult &result, const std::string &what);

struct CallerOptions {
    std::string api_version;
    // Requests on the wire at most; user calls may use 4 more. Background calls take as many of
    // them as Stripe's limits need at its latency, 20 at least.
    int max_in_flight = 20;
    RateGate *gate = nullptr; // outlives the Caller; none: no limits
};

// Since construction.
struct CallerStats {
    std::uint64_t requests = 0;     // given to the transport
    std::uint64_t retries = 0;      // of these, second and further attempts
    std::uint64_t rate_limited = 0; // answers 429
};

class Caller {
  public:
    // transport and clock outlive this object.
    Caller(http::Transport &transport, const core::Clock &clock, CallerOptions options,
           std::uint64_t jitter_seed);
    ~Caller();
    Caller(const Caller &) = delete;
    Caller &operator=(const Caller &) = delete;

    // Throws core::Error(bad_argument), before anything is sent: unknown method, no key, a path
    // that is not encoded, a POST without idempotency key.
    CallId submit(Call call);
    // No result follows. Unknown ids are ignored.
    void cancel(CallId id);
    // Starts what is due, moves transfers on, appends the results of calls that have ended.
    void step(std::vector<CallResult> &out);
    // The caller may sleep so long unless the transport's poll_fd becomes readable first.
    std::optional<core::Milliseconds> next_timeout() const;
    std::size_t pending() const; // submitted and not ended
    const CallerStats &stats() const;
    // What phase a call is in, for tests and the `calls` view: queued, sent, backing off, unknown.
    const char *phase(CallId id) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace billstack::stripe
