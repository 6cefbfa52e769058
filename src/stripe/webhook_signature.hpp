// The check of a Stripe-Signature header, https://docs.stripe.com/webhooks/signature:
// "t=<unix seconds>,v1=<hex>[,v1=<hex>...][,v0=...]", HMAC-SHA256 over "<t>.<body>". It answers as
// Stripe's library for Node does, but for times in the future and the time "NaN", which that one
// takes.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace billstack::stripe {

enum class SignatureVerdict {
    valid,
    empty_header,
    malformed,
    no_timestamp,
    no_v1,
    mismatch, // also for an empty body and for want of a secret
    too_old,
    too_new
};

inline constexpr std::size_t max_signature_header = 8 << 10;
inline constexpr int max_signature_elements = 64;

// header: the value alone; body: the raw bytes as received; secrets: the whole texts "whsec_...",
// of which a blank one matches nothing; now: unix seconds of this server; tolerance: seconds, both
// ways. Of several t the last counts. The time it takes says nothing of where digests differ, nor
// of which secret or signature was the right one. Throws core::Error(internal) for a tolerance of 0
// or less, which at Stripe's libraries would switch the check of the time off.
SignatureVerdict verify_signature(std::string_view header, std::string_view body,
                                  std::span<const std::string_view> secrets, std::int64_t now,
                                  std::int64_t tolerance = 300);

// A sentence for an error's detail.
const char *describe(SignatureVerdict verdict);

} // namespace billstack::stripe
