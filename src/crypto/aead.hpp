// AES-256-GCM sealing of secrets. Format: version byte, 12-byte nonce (fresh from the system's
// generator for every seal), ciphertext, 16-byte tag.
#pragma once
#include "core/secret_bytes.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace billstack::crypto {

// What a sealed value is bound to; moving it to another row makes it unreadable.
struct SealContext {
    std::string team;
    std::string integration;
    std::string key_kind; // "secret_key", "webhook_secret", ...
};

// root_key: 32 bytes. Throws core::Error(internal) when OpenSSL fails.
std::vector<unsigned char> seal(const core::SecretBytes &root_key, const SealContext &context,
                                std::string_view plain);
// Throws core::Error(data_corrupted), with one text for every cause.
core::SecretBytes open(const core::SecretBytes &root_key, const SealContext &context,
                       std::string_view sealed);

} // namespace billstack::crypto
