// SQL on api_key, and the lookup of a key by its hash. No rule about who may do what lives here. A
// transaction must be open; all but store_key_uses() open SPI themselves, as the extension's owner.
#pragma once
#include "pg/access/key_uses.hpp"
#include "pg/bridge/datum.hpp"

namespace billstack::pg {

// A row of billstack_internal.api_key without the hash.
struct ApiKey {
    std::string id, team, name, prefix;
    std::optional<std::string> project_id;
    std::vector<std::string> scopes; // empty: all
    std::string created_by;
    TimestampTz created_at = 0;
    std::optional<TimestampTz> expires_at, revoked_at, last_used_at;
};

using KeyHash = std::array<unsigned char, 32>; // SHA-256 of the raw key

// created_at is read back from the row.
void insert_api_key(ApiKey &key, const KeyHash &hash);
// Newest first, revoked and expired ones too.
std::vector<ApiKey> api_keys_of(const std::string &team);
// nullopt: there is none. lock: until the transaction ends.
std::optional<ApiKey> find_api_key(const std::string &id, bool lock);
// Keeps the time of an earlier revocation.
void revoke_api_key(const std::string &id);

// What authenticate() looks at, as of now, whatever snapshot the transaction has: a revocation that
// has committed is seen. Without SPI.
struct KnownKey {
    std::string id, team;
    std::optional<std::string> project_id;
    std::vector<std::string> scopes;
    std::optional<TimestampTz> expires_at;
    bool revoked = false;
};
std::optional<KnownKey> known_key(const KeyHash &hash);

bool team_has_project(const std::string &team, const std::string &project_id);

// In a StoreTransaction. Keys whose row somebody holds are passed over.
void store_key_uses(const std::vector<KeyUseFlush> &uses);

} // namespace billstack::pg
