// What the worker's services share: the secret key of an integration, the owner its mirror is
// written as, and which errors are somebody's lock.
#pragma once
#include "pg/bridge/store_transaction.hpp"

namespace billstack::pg {

struct SealedSecretKey {
    std::string team;
    std::string integration;
    std::string fingerprint;
    std::string sealed;
};
// Throws core::Error(key_ring, data_corrupted).
std::shared_ptr<const core::SecretBytes> open_sealed_key(const SealedSecretKey &key);

// Needs an open transaction. Throws core::Error(not_ready) when the role or the schema has gone.
Oid require_mirror_owner(const std::string &owner_name, const std::string &schema_name,
                         Oid schema_oid);

// Somebody else's lock, or a time limit: nothing is wrong with what was to be written.
bool is_lock_trouble(const PgError &error);

// An error's text as it is stored: 2,000 bytes at most, cut at a character.
std::string short_text(const std::string &message);

} // namespace billstack::pg
