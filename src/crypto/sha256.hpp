// SHA-256 (FIPS 180-4) of a whole byte string.
#pragma once
#include "core/pure.hpp"

#include <array>
#include <string_view>

namespace billstack::crypto {

// Throws core::Error(internal) when OpenSSL fails.
std::array<unsigned char, 32> sha256(std::string_view bytes);

} // namespace billstack::crypto
