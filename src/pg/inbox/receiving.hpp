// What a backend keeps to receive events: which integration a name means, who may hand in its
// events, and its open webhook secrets. A change of team, integration, sealed_key or access_grant
// by anybody, committed or the own transaction's, empties it before the next event: triggers on
// these tables send the server's own invalidation messages.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct ReceivingSecret {
    core::SecretBytes bytes;
    std::optional<TimestampTz> valid_until; // nullopt: for ever
};

struct Receiving {
    std::int32_t id = 0;
    std::string team;
    std::string name;
    std::string secret_state; // unset, placeholder or set
    std::vector<ReceivingSecret> secrets;
    std::vector<std::string> roles; // whose members may hand in events
    // Whose right was checked in which transaction.
    LocalTransactionId checked_in = InvalidLocalTransactionId;
    Oid checked_for = InvalidOid;
    Oid extension_owner = InvalidOid;
};

// Checks names and the caller's right to hand in events, once for each transaction and role. Valid
// until the next call. Throws core::Error: bad_argument, unknown_object, not_allowed; key_ring and
// data_corrupted when a secret cannot be opened.
const Receiving &require_receiving(std::string_view team, std::string_view integration);

} // namespace billstack::pg
