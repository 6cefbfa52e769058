// A backend's side of the network's one room: hand requests to the sync worker of this database
// through shared memory and wait on the own latch. Ends at once on cancel, terminate and
// statement_timeout; the worker drops what nobody waits for any more.
#pragma once
#include "pg/guard.hpp"

namespace billstack::pg {

struct StripeRequest {
    std::string method = "GET";
    std::string path;
    stripe::Params params;
    const core::SecretBytes *key = nullptr; // borrowed for the length of the call
    std::string idempotency_key;
    bool body_wanted = true;    // false: only the status matters, the body stays in the worker
    bool secret_answer = false; // the body holds a secret: it comes as secret_body, 64 KiB at most
};

// Only the members id, window_start and window_end of the result may be missing (0).
using StripeAnswer = stripe::CallResult;

// Sends all at once and waits for all, answers in the order of the requests. Throws
// core::Error(in_recovery) on a standby; not_ready without preloading or worker, with the line to
// add; cap_reached when a request is larger than a slot; PgError for cancel.
std::vector<StripeAnswer> ask_stripe(const std::vector<StripeRequest> &requests);

} // namespace billstack::pg
