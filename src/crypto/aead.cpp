// AES-256-GCM through EVP. Random 96-bit nonces: NIST SP 800-38D allows 2^32 seals under one key,
// which counts keys of Stripe accounts, not events.
#include "crypto/aead.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace billstack::crypto {

namespace {

constexpr unsigned char format_version = 1;
constexpr std::size_t key_size = 32;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t head_size = 1 + nonce_size;
constexpr std::size_t max_plain = 1U << 20; // OpenSSL counts in int

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>; // free wipes

[[noreturn]] void fail(const char *reason) {
    throw core::Error(core::Code::internal, "could not seal or open a secret",
                      std::string(reason) + ".");
}

[[noreturn]] void refuse() {
    throw core::Error(core::Code::data_corrupted, "a sealed secret cannot be opened",
                      "It was changed, moved to another row, or sealed with another root key.",
                      "Set the secret anew with billstack.rotate_keys().");
}

// Version and fields, each with its length before it, so that ("ab","c") and ("a","bc") differ.
std::string associated_data(const SealContext &context) {
    std::string data = "billstack seal";
    data += static_cast<char>(format_version);
    for (const std::string *field : {&context.team, &context.integration, &context.key_kind}) {
        const auto size = static_cast<std::uint32_t>(field->size());
        for (int shift = 24; shift >= 0; shift -= 8)
            data += static_cast<char>((size >> shift) & 0xffU);
        data += *field;
    }
    return data;
}

// Looked up once: OpenSSL's own look-up takes longer than opening a key. Null where it cannot be
// had.
const EVP_CIPHER *algorithm() {
    static const EVP_CIPHER *const found = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    return found;
}

const unsigned char *bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char *>(text.data());
}

Cipher start(const core::SecretBytes &root_key, const SealContext &context,
             const unsigned char *nonce, bool sealing) {
    if (root_key.size() != key_size)
        fail("A root key has 32 bytes");
    Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    if (!cipher)
        throw core::Error(core::Code::out_of_memory, "out of memory while sealing or opening");
    const std::string data = associated_data(context);
    int size = 0;
    if (algorithm() == nullptr ||
        EVP_CipherInit_ex(cipher.get(), algorithm(), nullptr, bytes_of(root_key.view()), nonce,
                          sealing ? 1 : 0) != 1 ||
        EVP_CipherUpdate(cipher.get(), nullptr, &size, bytes_of(data),
                         static_cast<int>(data.size())) != 1)
        fail("OpenSSL refused AES-256-GCM");
    return cipher;
}

} // namespace

std::vector<unsigned char> seal(const core::SecretBytes &root_key, const SealContext &context,
                                std::string_view plain) {
    if (plain.size() > max_plain)
        fail("The secret is larger than 1 MiB");
    std::vector<unsigned char> sealed(head_size + plain.size() + tag_size);
    sealed[0] = format_version;
    unsigned char *nonce = sealed.data() + 1;
    if (RAND_bytes(nonce, nonce_size) != 1)
        fail("The system's random generator gave nothing");
    const Cipher cipher = start(root_key, context, nonce, true);
    unsigned char *out = sealed.data() + head_size;
    int size = 0;
    int rest = 0;
    if (EVP_CipherUpdate(cipher.get(), out, &size, bytes_of(plain),
                         static_cast<int>(plain.size())) != 1 ||
        EVP_CipherFinal_ex(cipher.get(), out + size, &rest) != 1 ||
        static_cast<std::size_t>(size + rest) != plain.size() ||
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_size, out + plain.size()) != 1)
        fail("OpenSSL failed");
    return sealed;
}

core::SecretBytes open(const core::SecretBytes &root_key, const SealContext &context,
                       std::string_view sealed) {
    if (sealed.size() < head_size + tag_size || sealed.size() > head_size + max_plain + tag_size ||
        bytes_of(sealed)[0] != format_version)
        refuse();
    const Cipher cipher = start(root_key, context, bytes_of(sealed) + 1, false);
    const std::size_t plain_size = sealed.size() - head_size - tag_size;
    unsigned char tag[tag_size];
    std::copy_n(bytes_of(sealed) + head_size + plain_size, tag_size, tag);
    core::SecretBytes plain = core::SecretBytes::of_size(plain_size);
    unsigned char none = 0; // an empty secret has no buffer of its own
    unsigned char *out = plain_size > 0 ? plain.bytes().data() : &none;
    int size = 0;
    int rest = 0;
    if (EVP_CipherUpdate(cipher.get(), out, &size, bytes_of(sealed) + head_size,
                         static_cast<int>(plain_size)) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_size, tag) != 1 ||
        EVP_CipherFinal_ex(cipher.get(), out + size, &rest) != 1)
        refuse(); // plain is wiped on the way out
    return plain;
}

} // namespace billstack::crypto
