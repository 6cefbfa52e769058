// HMAC-SHA256 (RFC 2104, FIPS 198-1) of a message that lies in pieces.
#pragma once
#include "core/pure.hpp"

#include <array>
#include <initializer_list>
#include <string_view>

namespace billstack::crypto {

// The pieces are taken one after the other. The key may have any length, none included. Throws
// core::Error(internal) when OpenSSL fails.
std::array<unsigned char, 32> hmac_sha256(std::string_view key,
                                          std::initializer_list<std::string_view> message);

} // namespace billstack::crypto
