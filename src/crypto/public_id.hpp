// Ids that users see: a prefix that tells the kind ("pc_") and random letters and digits.
#pragma once
#include "core/pure.hpp"

#include <string>
#include <string_view>

namespace billstack::crypto {

// prefix and 16 of [A-Za-z0-9], each as likely as the others: 95 bits from OpenSSL. Throws
// core::Error(internal) when OpenSSL has no randomness.
std::string make_public_id(std::string_view prefix);

} // namespace billstack::crypto
