// SHA-256 through OpenSSL's EVP interface. The algorithm is looked up on the first call and kept:
// OpenSSL's own look-up, which EVP_sha256() stands for, takes longer than hashing a small object.
// Not at load time, which is in the postmaster.
#include "crypto/sha256.hpp"

#include "core/error.hpp"

#include <openssl/evp.h>

namespace billstack::crypto {

namespace {

// Null where it cannot be had. Never freed: a destructor would run when the backend exits.
const EVP_MD *algorithm() {
    static const EVP_MD *const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return found;
}

} // namespace

std::array<unsigned char, 32> sha256(std::string_view bytes) {
    std::array<unsigned char, 32> digest{};
    unsigned int size = 0;
    if (algorithm() == nullptr ||
        EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, algorithm(), nullptr) != 1 ||
        size != digest.size())
        throw core::Error(core::Code::internal, "could not compute a SHA-256 digest");
    return digest;
}

} // namespace billstack::crypto
