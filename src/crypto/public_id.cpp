#include "crypto/public_id.hpp"

#include "core/error.hpp"

#include <array>
#include <openssl/rand.h>

namespace billstack::crypto {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t random_length = 16;
// Bytes from here on would favour the first letters.
constexpr unsigned fair_limit = 256 - 256 % alphabet.size();

} // namespace

std::string make_public_id(std::string_view prefix) {
    std::string id(prefix);
    const std::size_t wanted = prefix.size() + random_length;
    id.reserve(wanted);
    std::array<unsigned char, 2 * random_length> bytes{};
    while (id.size() < wanted) {
        if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
            throw core::Error(core::Code::internal, "could not make a random id");
        for (unsigned char byte : bytes) {
            if (byte < fair_limit && id.size() < wanted)
                id += alphabet[byte % alphabet.size()];
        }
    }
    return id;
}

} // namespace billstack::crypto
