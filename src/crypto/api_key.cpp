#include "crypto/api_key.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <openssl/rand.h>

namespace billstack::crypto {

namespace {

constexpr std::string_view prefix = "bs_";
constexpr std::size_t random_size = 24;
constexpr std::string_view digits = "0123456789abcdef";

} // namespace

core::SecretBytes make_api_key() {
    core::SecretBytes random = core::SecretBytes::of_size(random_size);
    if (RAND_priv_bytes(random.bytes().data(), static_cast<int>(random_size)) != 1) {
        throw core::Error(core::Code::internal, "could not make an API key",
                          "OpenSSL has no randomness.");
    }
    core::SecretBytes key = core::SecretBytes::of_size(prefix.size() + 2 * random_size);
    auto at = std::copy(prefix.begin(), prefix.end(), key.bytes().begin());
    for (unsigned char byte : random.bytes()) {
        *at++ = static_cast<unsigned char>(digits[byte >> 4U]);
        *at++ = static_cast<unsigned char>(digits[byte & 0x0fU]);
    }
    return key;
}

bool is_api_key_shaped(std::string_view text) noexcept {
    return text.size() == prefix.size() + 2 * random_size && text.starts_with(prefix) &&
           text.find_first_not_of(digits, prefix.size()) == std::string_view::npos;
}

} // namespace billstack::crypto
