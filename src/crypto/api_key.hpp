// The raw API keys that billstack gives out: "bs_" and 24 random bytes as hex.
#pragma once
#include "core/pure.hpp"

#include "core/secret_bytes.hpp"

#include <string_view>

namespace billstack::crypto {

// "bs_" and 48 lower-case hex digits of OpenSSL's private generator. Throws core::Error(internal)
// when it has no randomness.
core::SecretBytes make_api_key();

// Has the shape of make_api_key(); tells nothing about whether it was ever given out.
bool is_api_key_shaped(std::string_view text) noexcept;

} // namespace billstack::crypto
