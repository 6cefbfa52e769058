// Sealing: what is sealed opens, and nothing else does.
#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/aead.hpp"
#include "crypto/sha256.hpp"

#include <gtest/gtest.h>
#include <set>

namespace billstack::crypto {
namespace {

core::SecretBytes root_key(unsigned char fill) {
    core::SecretBytes key = core::SecretBytes::of_size(32);
    std::fill(key.bytes().begin(), key.bytes().end(), fill);
    return key;
}

std::string text_of(const std::vector<unsigned char> &bytes) {
    return {bytes.begin(), bytes.end()};
}

// The message and detail, to be compared: every cause must read the same.
std::string refusal(const core::SecretBytes &key, const SealContext &context,
                    std::string_view sealed) {
    try {
        open(key, context, sealed);
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::data_corrupted);
        return error.message + "|" + error.detail + "|" + error.hint;
    }
    return "opened";
}

const SealContext context{"acme", "default", "secret_key"};

TEST(Aead, opens_what_it_sealed) {
    const auto key = root_key(7);
    for (const std::string &plain :
         {std::string(), std::string("x"), std::string("sk_test_abcdefghij"),
          std::string("a\0b", 3), std::string(100000, 'z')}) {
        const std::string sealed = text_of(seal(key, context, plain));
        EXPECT_EQ(sealed.size(), 1 + 12 + plain.size() + 16);
        EXPECT_EQ(open(key, context, sealed).view(), plain);
        if (plain.size() > 3) {
            EXPECT_EQ(sealed.find(plain), std::string::npos);
        }
    }
}

TEST(Aead, refuses_every_flipped_bit_and_every_truncation_alike) {
    const auto key = root_key(7);
    const std::string sealed = text_of(seal(key, context, "sk_test_abcdefghij"));
    const std::string refused = refusal(root_key(8), context, sealed);
    ASSERT_NE(refused, "opened");
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
        std::string changed = sealed;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_EQ(refusal(key, context, changed), refused) << "bit " << bit;
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        ASSERT_EQ(refusal(key, context, sealed.substr(0, size)), refused) << size;
        ASSERT_EQ(refusal(key, context, sealed.substr(size + 1)), refused) << size;
    }
    EXPECT_EQ(refusal(key, context, sealed + "x"), refused);
}

TEST(Aead, is_bound_to_its_row) {
    const auto key = root_key(7);
    const SealContext contexts[] = {
        {"acme", "default", "secret_key"}, {"acme", "default", "webhook_secret"},
        {"acme", "eu", "secret_key"},      {"beta", "default", "secret_key"},
        {"acmed", "efault", "secret_key"}, {"acme", "defaults", "ecret_key"},
        {"acmedefault", "", "secret_key"}, {"", "acmedefault", "secret_key"},
        {"acme", "defaultsecret_key", ""},
    };
    for (const SealContext &sealed_for : contexts) {
        const std::string sealed = text_of(seal(key, sealed_for, "secret"));
        for (const SealContext &opened_for : contexts) {
            const bool same = &sealed_for == &opened_for;
            EXPECT_EQ(refusal(key, opened_for, sealed) == "opened", same)
                << sealed_for.team << " " << opened_for.team;
        }
    }
}

TEST(Aead, nonces_are_never_repeated) {
    const auto key = root_key(7);
    std::set<std::string> nonces;
    for (int i = 0; i < 100000; ++i)
        nonces.insert(text_of(seal(key, context, "")).substr(1, 12));
    EXPECT_EQ(nonces.size(), 100000U);
}

TEST(Aead, takes_only_32_byte_keys) {
    EXPECT_THROW(seal(core::SecretBytes::of_size(16), context, "x"), core::Error);
    EXPECT_THROW(seal(core::SecretBytes(), context, "x"), core::Error);
}

TEST(Sha256, matches_the_published_values) { // FIPS 180-2, appendix B
    EXPECT_EQ(core::to_hex(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(core::to_hex(sha256("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(core::to_hex(sha256(std::string(1000000, 'a'))),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

} // namespace
} // namespace billstack::crypto
