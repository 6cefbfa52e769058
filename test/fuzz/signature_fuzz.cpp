// The check of signature headers. The input's first line is the header, the rest the body. A fuzzer
// cannot find a digest, so "$" in the header stands for the right one of the time 1700000000 and
// "%" for that of a secret that is not live.
#include "fuzz_target.hpp"

#include "core/text.hpp"
#include "crypto/hmac.hpp"
#include "stripe/webhook_signature.hpp"

#include <array>
#include <string>

using namespace billstack;

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    constexpr std::string_view time = "1700000000";
    constexpr std::array<std::string_view, 3> secrets = {"whsec_test_old", "", "whsec_test_new"};
    const std::string_view input = fuzz::text_of(data, size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const fuzz::ExactCopy body(input.substr(std::min(end + 1, input.size())));
    const auto sign = [&](std::string_view secret) {
        return core::to_hex(crypto::hmac_sha256(secret, {time, ".", body.view()}));
    };
    std::string text;
    bool holds_digest = false;
    for (char byte : input.substr(0, end)) {
        holds_digest = holds_digest || byte == '$';
        if (byte == '$')
            text += sign(secrets[text.size() % 2 == 0 ? 0 : 2]);
        else if (byte == '%')
            text += sign("whsec_test_gone");
        else
            text += byte;
    }
    const fuzz::ExactCopy header(text);
    const auto verify = [&](std::int64_t now, std::string_view what) {
        return stripe::verify_signature(header.view(), what, secrets, now);
    };
    using enum stripe::SignatureVerdict;
    const stripe::SignatureVerdict verdict = verify(1700000300, body.view());
    fuzz::require(*stripe::describe(verdict) != '\0', "a verdict has words");
    fuzz::require(verdict != too_new || text.find(time) == std::string::npos || !holds_digest,
                  "a time of the past is not too new");
    if (verdict == valid) {
        fuzz::require(holds_digest, "a valid header holds a digest");
        fuzz::require(text.find(time) != std::string::npos, "a valid header holds its time");
        fuzz::require(verify(1700000301, body.view()) == too_old, "the tolerance ends");
        fuzz::require(verify(1699999699, body.view()) == too_new, "the tolerance begins");
        fuzz::require(verify(1700000000, std::string(body.view()) + "x") == mismatch,
                      "another body does not fit");
    } else {
        fuzz::require(verify(1700000299, body.view()) != valid || verdict == too_old,
                      "only its age makes a valid header invalid");
    }
    return 0;
}
