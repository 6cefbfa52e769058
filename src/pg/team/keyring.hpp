// The root keys as the server uses them: where the file is, when it may be created, what it seals.
// Read from disk at each use, never kept: a root key is in memory only while something is sealed
// or opened.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct Integration;

inline constexpr const char *secret_key_kind = "secret_key";
inline constexpr const char *webhook_secret_kind = "webhook_secret";
// The one before, which goes on to verify events for a day after another was stored.
inline constexpr const char *previous_webhook_secret_kind = "webhook_secret_previous";

// Before Stripe is asked: throws core::Error(key_ring) when keys of that mode could not be sealed
// afterwards. Creates nothing.
void check_sealing_possible(bool livemode);

// The ring to seal with. Created when the file does not exist and nothing is sealed in this
// database; core::Error(key_ring) naming the fingerprints needed when something is, and for live
// keys when the file lies inside the data directory.
crypto::KeyRing ring_to_seal(bool livemode);

// Seals under the ring's active key with a fresh nonce and stores the result; an older value of
// that kind is replaced.
void seal_and_store(const crypto::KeyRing &ring, const Integration &integration,
                    const char *key_kind, const core::SecretBytes &secret,
                    std::optional<TimestampTz> valid_until = std::nullopt);

// Stores a new webhook secret. The one before, when it was a real one and another, verifies events
// for a day more; one that does not open any more is replaced all the same.
void store_webhook_secret(const crypto::KeyRing &ring, const Integration &integration,
                          bool replaces_real_one, const core::SecretBytes &secret);

// Throws core::Error(key_ring) without the root key, data_corrupted when the value does not open,
// unknown_object when none is stored. In a worker: inside a transaction.
core::SecretBytes open_key(const Integration &integration, const char *key_kind);
core::SecretBytes open_secret_key(const Integration &integration);

struct OpenedKey {
    core::SecretBytes secret;
    std::optional<TimestampTz> valid_until;
};
// The webhook secret and the one before, as far as they are stored.
std::vector<OpenedKey> open_webhook_secrets(const Integration &integration);

// Opens every sealed value of the integration once; throws what open_key throws.
void check_sealed_keys(const Integration &integration);

} // namespace billstack::pg
