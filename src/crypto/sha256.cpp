// SHA-256 through OpenSSL's EVP interface. The algorithm is looked up on each call: OpenSSL caches
// it, and nothing of OpenSSL may be initialised at load time, which happens in the postmaster.
#include "crypto/sha256.hpp"

#include "core/error.hpp"

#include <openssl/evp.h>

namespace billstack::crypto {

std::array<unsigned char, 32> sha256(std::string_view bytes) {
    std::array<unsigned char, 32> digest{};
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1 ||
        size != digest.size())
        throw core::Error(core::Code::internal, "could not compute a SHA-256 digest");
    return digest;
}

} // namespace billstack::crypto
