// The receipt of one event: verified on its raw bytes before anything is written, durable when the
// transaction commits, whatever synchronous_commit says.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct Delivery {
    std::string_view team;
    std::string_view integration;
    Datum body;                 // text or bytea, as it came to the function
    std::string_view signature; // the Stripe-Signature header
};

struct Receipt {
    std::string event_id;
    bool duplicate = false;
    TimestampTz received_at = 0;
};

// Throws core::Error: bad_credential for a signature that does not hold, with nothing written;
// bad_argument for a body over 16 MiB; cap_reached; what require_receiving throws.
Receipt receive_event(const Delivery &delivery);

} // namespace billstack::pg
