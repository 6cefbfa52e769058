// Events as they arrive at a webhook endpoint: signed, and by script doubled, lost, out of order or
// thin.
#pragma once

#include "store.hpp"

#include <string>
#include <string_view>

namespace stripe_sim {

/// "t=...,v1=..." over `payload`, see https://docs.stripe.com/webhooks#verify-manually. The
/// secret's bytes are the whole text, "whsec_" included.
std::string signature_header(std::string_view secret, std::string_view payload, int64_t at);

/// Appends {"deliveries": [...], "next": sequence} for a script:
///   secret     signs; without one there is no signature
///   endpoint   id of a webhook endpoint instead: its secret, and only what it is enabled for
///   from       first event by sequence or id; default 1
///   events     ids instead of from, in this order
///   limit      events at most, before doubling and losing; default all
///   order      "as_is" (default), "reverse", "random"
///   duplicates share of events delivered twice; losses share not delivered; thin share that comes
///              as its thin twin too
///   seed       of all that is random; default 1
///   at         second of the signatures; default the clock's
/// Throws JsonError.
void append_deliveries(std::string &out, Store &store, const json_t *script);

} // namespace stripe_sim
