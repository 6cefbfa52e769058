// The check of Stripe-Signature headers: Stripe's rules one by one, and random damage. Digests come
// from OpenSSL's one-shot call, not from ours. Stripe's own library is compared in
// test/t/082_signature_differential.pl.
#include "stripe/webhook_signature.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/hmac.hpp"
#include "test_random.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <vector>

namespace billstack::stripe {
namespace {

using enum SignatureVerdict;

constexpr std::int64_t now = 1700000000;
constexpr std::string_view secret = "whsec_test_0123456789abcdef";
constexpr std::string_view body = "{\n  \"id\": \"evt_1\"\n}";

std::string digest_of(std::string_view key, const std::string &message) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char *>(message.data()), message.size(), digest, &size);
    return core::to_hex(std::span<const unsigned char>(digest, size));
}

std::string sign(const std::string &timestamp, std::string_view text = body,
                 std::string_view key = secret) {
    return digest_of(key, timestamp + "." + std::string(text));
}

std::string header_of(std::int64_t timestamp) {
    const std::string digits = std::to_string(timestamp);
    return "t=" + digits + ",v1=" + sign(digits);
}

SignatureVerdict verify(std::string_view header, std::string_view text = body,
                        std::vector<std::string_view> secrets = {secret}) {
    return verify_signature(header, text, secrets, now);
}

TEST(Hmac, test_vectors_of_rfc_4231) {
    const auto hex = [](std::string_view key, std::initializer_list<std::string_view> message) {
        return core::to_hex(crypto::hmac_sha256(key, message));
    };
    EXPECT_EQ(hex(std::string(20, '\x0b'), {"Hi There"}),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex("Jefe", {"what do ya want ", "", "for nothing?"}),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(std::string(131, '\xaa'),
                  {"Test Using Larger Than Block-Size Key", " - Hash Key First"}),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    EXPECT_EQ(hex("", {}), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(WebhookSignature, accepts_what_stripe_sends) {
    const std::string signature = sign(std::to_string(now));
    const std::string other(64, 'a');
    const std::string t = "t=" + std::to_string(now);
    EXPECT_EQ(verify(header_of(now)), valid);
    EXPECT_EQ(verify(t + ",v1=" + signature + ",v0=" + other), valid);
    EXPECT_EQ(verify("v1=" + signature + "," + t), valid); // any order
    EXPECT_EQ(verify(t + ",v1=" + other + ",v1=" + signature), valid);
    EXPECT_EQ(verify(t + ",v1=" + signature + ",v1=" + other), valid);
    EXPECT_EQ(verify("x,y=1," + t + ",,z=,v1=" + signature + ",v2=" + other), valid);
}

TEST(WebhookSignature, every_live_secret_counts) {
    const std::string header = header_of(now);
    EXPECT_EQ(verify(header, body, {"whsec_new", secret}), valid);
    EXPECT_EQ(verify(header, body, {secret, "whsec_new"}), valid);
    EXPECT_EQ(verify(header, body, {"a", "b", secret, "c"}), valid);
    EXPECT_EQ(verify(header, body, {"whsec_new", "whsec_newer"}), mismatch);
    EXPECT_EQ(verify(header, body, {}), mismatch);
}

TEST(WebhookSignature, a_blank_secret_signs_nothing) {
    const std::string digits = std::to_string(now);
    for (std::string blank : {"", " ", "\t\n", "  \r\n"})
        EXPECT_EQ(verify("t=" + digits + ",v1=" + sign(digits, body, blank), body, {blank}),
                  mismatch);
    const std::string spaced =
        std::string(secret) + "\n"; // part of the secret, as for Stripe's own
    EXPECT_EQ(verify(header_of(now), body, {spaced}), mismatch);
    EXPECT_EQ(verify("t=" + digits + ",v1=" + sign(digits, body, spaced), body, {spaced}), valid);
}

TEST(WebhookSignature, only_v1_counts) {
    const std::string digits = std::to_string(now);
    const std::string signature = sign(digits);
    for (std::string name : {"v0", "v2", "V1", "v1 ", " v1", "v", "v11", ""})
        EXPECT_EQ(verify("t=" + digits + "," + name + "=" + signature), no_v1) << name;
}

TEST(WebhookSignature, a_digest_must_be_there_whole_and_in_lower_case) {
    const std::string t = "t=" + std::to_string(now) + ",v1=";
    std::string upper = sign(std::to_string(now));
    for (char &byte : upper)
        byte = static_cast<char>(std::toupper(static_cast<unsigned char>(byte)));
    const std::string right = sign(std::to_string(now));
    for (std::string wrong : {upper, right.substr(0, 63), right.substr(1), right + "0", " " + right,
                              right + " ", std::string("x"), std::string(64, '0')})
        EXPECT_EQ(verify(t + wrong), mismatch) << wrong;
    EXPECT_EQ(verify(t + right + "=x"), valid); // a value ends at the next "="
    EXPECT_EQ(verify(t), malformed);
    EXPECT_EQ(verify(t + right + ",v1="), malformed);
    EXPECT_EQ(verify(t + right + ",v1"), malformed);
}

TEST(WebhookSignature, headers_without_what_is_needed) {
    const std::string v1 = ",v1=" + sign(std::to_string(now));
    EXPECT_EQ(verify(""), empty_header);
    for (std::string header : {",", "x", "v1", "v1=", "=,=,="})
        EXPECT_NE(verify(header), valid) << header;
    for (std::string t : {"", "t", "t=", "t=x", "t=-1", "t=-1700000000", "T=1700000000",
                          " t=1700000000", "t =1700000000", "t= ", "t=+", "t=0x", "t=.5"})
        EXPECT_NE(verify(t + v1), valid) << t;
    EXPECT_EQ(verify("v0=1" + v1), no_timestamp);
    EXPECT_EQ(verify("t=1700000000"), no_v1);
    EXPECT_EQ(verify("t=1700000000,v0=" + sign("1700000000")), no_v1);
}

// The digest is over the number, so what else stands there changes nothing.
TEST(WebhookSignature, a_time_is_the_number_at_its_beginning) {
    const std::string v1 = ",v1=" + sign("1700000000");
    for (std::string t : {"t=1700000000", "t=0001700000000", "t= 1700000000", "t=+1700000000",
                          "t=1700000000x", "t=1700000000.9", "t=1700000000=5"})
        EXPECT_EQ(verify(t + v1), valid) << t;
    EXPECT_EQ(verify("t=1700000001" + v1), mismatch);
    EXPECT_EQ(verify("t=1,t=1700000000" + v1), valid); // the last of several
    EXPECT_EQ(verify("t=1700000000,t=1" + v1), mismatch);
    EXPECT_EQ(verify("t=1700000000,t=" + v1), no_timestamp);
}

TEST(WebhookSignature, tolerance_holds_both_ways) {
    for (std::int64_t off : {0, 1, 299, 300}) {
        EXPECT_EQ(verify(header_of(now - off)), valid) << off;
        EXPECT_EQ(verify(header_of(now + off)), valid) << off;
    }
    for (std::int64_t off : {301, 600, 1000000000}) {
        EXPECT_EQ(verify(header_of(now - off)), too_old) << off;
        EXPECT_EQ(verify(header_of(now + off)), too_new) << off;
    }
    EXPECT_EQ(verify(header_of(0)), too_old);
    for (std::string digits : {"999999999999999", "9223372036854775807", "9223372036854775808",
                               "99999999999999999999999999"})
        EXPECT_EQ(verify("t=" + digits + ",v1=" + sign(digits)), too_new) << digits;
    const std::vector<std::string_view> secrets = {secret};
    EXPECT_EQ(verify_signature(header_of(now - 10), body, secrets, now, 9), too_old);
    EXPECT_EQ(verify_signature(header_of(now - 10), body, secrets, now, 10), valid);
    EXPECT_THROW(verify_signature(header_of(now), body, secrets, now, 0), core::Error);
    EXPECT_THROW(verify_signature(header_of(now), body, secrets, now, -1), core::Error);
    // A forged one is called forged, not late.
    EXPECT_EQ(verify("t=1,v1=" + std::string(64, '0')), mismatch);
}

TEST(WebhookSignature, headers_have_a_size) {
    std::string header = header_of(now);
    for (int i = 2; i < max_signature_elements; ++i)
        header += ",v1=" + std::string(64, 'a');
    EXPECT_EQ(verify(header), valid);
    EXPECT_EQ(verify(header + ",x"), malformed);
    std::string filled = header_of(now) + ",x=";
    filled.resize(max_signature_header, 'y');
    EXPECT_EQ(verify(filled), valid);
    EXPECT_EQ(verify(filled + "y"), malformed);
}

TEST(WebhookSignature, an_empty_body_is_none) {
    EXPECT_EQ(verify("t=1700000000,v1=" + sign("1700000000", ""), ""), mismatch);
}

TEST(WebhookSignature, bodies_are_bytes) {
    for (std::string text : {std::string("\0", 1), std::string("a\0b", 3), std::string("\xff\xfe"),
                             std::string(1 << 20, 'x'), std::string("\r\n")})
        EXPECT_EQ(verify("t=1700000000,v1=" + sign("1700000000", text), text), valid);
}

TEST(WebhookSignature, every_verdict_has_words) {
    for (SignatureVerdict verdict :
         {valid, empty_header, malformed, no_timestamp, no_v1, mismatch, too_old, too_new})
        EXPECT_EQ(std::string_view(describe(verdict)).back(), '.');
}

// Whatever is damaged, the answer is that of the number and the digests that are left.
TEST(WebhookSignature, no_damage_makes_a_forgery) {
    test::Random random;
    for (int i = 0; i < test::rounds(20000); ++i) {
        const std::string key = "whsec_" + random.text_of("abcdefghij0123456789", 32);
        std::string text = random.text_of("{}\"ab:, \n", 1 + random.below(80));
        const std::string digits = std::to_string(now + 20 - static_cast<int>(random.below(40)));
        std::string header = "t=" + digits + ",v1=" + sign(digits, text, key);
        ASSERT_EQ(verify(header, text, {secret, key}), valid);
        ASSERT_EQ(verify(header, text, {secret}), mismatch);
        const std::size_t bit = random.below(8);
        const auto flip = [bit](char &byte) { byte = static_cast<char>(byte ^ (1 << bit)); };
        if (random.one_in(2)) {
            flip(text[random.below(text.size())]);
            ASSERT_EQ(verify(header, text, {key}), mismatch) << header << '\n' << text;
            continue;
        }
        const std::size_t at = random.below(header.size());
        const std::string before = header;
        flip(header[at]);
        // "=" before a digest's end, "," and the name of t: all of them make another header
        ASSERT_NE(verify(header, text, {key}), valid) << before << '\n' << header;
    }
}

} // namespace
} // namespace billstack::stripe
