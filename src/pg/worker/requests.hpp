// A backend's side of the network's one room: hand requests to the sync worker of this database
// through shared memory and wait on the own latch. Ends at once on cancel, terminate and
// statement_timeout; the worker drops what nobody waits for any more.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// What makes a request a write that is carried out once (docs/architecture.md, "A write to
// Stripe").
struct RequestIntent {
    std::int32_t integration_id = 0;
    std::string operation;
    std::string project_id;    // "": of none
    std::string kind;          // of the answered object, "": of none
    bool creates = true;       // the object is new and names the key in its metadata
    bool caller_named = false; // the caller gave the key
    std::string object_id;     // of a change
    std::string digest;        // of what the key stands for, 32 bytes
    std::string caller;        // role
    std::string caller_key;    // as it is shown, "": derived
};

struct StripeRequest {
    std::string method = "GET";
    std::string path;
    stripe::Params params;
    const core::SecretBytes *key = nullptr; // borrowed for the length of the call
    std::string account;                    // stripe::rate_account(); "": not known, the key's own
    std::string idempotency_key;
    bool body_wanted = true;    // false: only the status matters, the body stays in the worker
    bool secret_answer = false; // the body holds a secret: it comes as secret_body, 64 KiB at most
    // Recorded before it is sent; carried out also when nobody waits any more.
    std::optional<RequestIntent> intent = std::nullopt;
};

// Why a write was not sent; the answer's failure_text says more.
enum class Unsent : std::int32_t {
    no,        // it was
    key_used,  // the key stands for something else; failure_text: the operation
    not_noted, // the record of it could not be written
};

// Only the members id, window_start and window_end of the result may be missing (0).
struct StripeAnswer : stripe::CallResult {
    Unsent unsent = Unsent::no;
    // The body is a repeated one, of the object as it once was; so it is now, as of the window, or
    // "" when that could not be read.
    bool repeated = false;
    std::string current_body = {};
    std::uint64_t outcome = 0; // of a write: for wait_for_outcome()
};

// Sends all at once and waits for all, answers in the order of the requests. Throws
// core::Error(in_recovery) on a standby; not_ready without preloading or worker, with the line to
// add; cap_reached when a request is larger than a slot; PgError for cancel.
std::vector<StripeAnswer> ask_stripe(const std::vector<StripeRequest> &requests);

// Until the worker has recorded the outcome of a write, which it does while its caller goes on with
// the answer. Not where a lock keeps it from that, and not for ever. Throws PgError for cancel.
void wait_for_outcome(const StripeAnswer &answer);

} // namespace billstack::pg
