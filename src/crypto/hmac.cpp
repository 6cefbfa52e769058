// HMAC through OpenSSL's EVP_MAC. The algorithm is looked up once per process, on first use: the
// look-up costs as much as a short message, and nothing of OpenSSL may be initialised at load time,
// which happens in the postmaster.
#include "crypto/hmac.hpp"

#include "core/error.hpp"

#include <memory>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace billstack::crypto {

namespace {

using Context = std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)>; // free wipes the key

[[noreturn]] void fail() {
    throw core::Error(core::Code::internal, "could not compute an HMAC-SHA256");
}

// With the digest set, without a key. Never freed: a destructor would run when the backend exits.
const EVP_MAC_CTX *prototype() {
    static const EVP_MAC_CTX *const made = [] {
        EVP_MAC *mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
        EVP_MAC_CTX *context = mac != nullptr ? EVP_MAC_CTX_new(mac) : nullptr;
        EVP_MAC_free(mac); // the context holds its own reference
        char digest[] = "SHA256";
        const OSSL_PARAM parameters[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_end()};
        if (context == nullptr || EVP_MAC_CTX_set_params(context, parameters) != 1)
            fail();
        return context;
    }();
    return made;
}

const unsigned char *bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char *>(text.data());
}

} // namespace

std::array<unsigned char, 32> hmac_sha256(std::string_view key,
                                          std::initializer_list<std::string_view> message) {
    // OpenSSL takes a null key for "the key of before"
    static constexpr std::string_view empty{""};
    const std::string_view given = key.empty() ? empty : key;
    const Context context(EVP_MAC_CTX_dup(prototype()), EVP_MAC_CTX_free);
    if (!context || EVP_MAC_init(context.get(), bytes_of(given), given.size(), nullptr) != 1)
        fail();
    for (std::string_view piece : message)
        if (!piece.empty() && EVP_MAC_update(context.get(), bytes_of(piece), piece.size()) != 1)
            fail();
    std::array<unsigned char, 32> digest{};
    std::size_t size = 0;
    if (EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) != 1 ||
        size != digest.size())
        fail();
    return digest;
}

} // namespace billstack::crypto
