// See webhook_signature.hpp. Reads the header as stripe-node does: elements split at ",", a value
// lies between the first "=" and the next, nothing is trimmed, of t the number at its beginning is
// taken and the digest is over that number, not over what else the element holds.
#include "stripe/webhook_signature.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "crypto/hmac.hpp"

#include <array>
#include <string>

namespace billstack::stripe {

namespace {

constexpr std::size_t max_timestamp_digits = 15; // far beyond any time, far within int64

struct Header {
    bool malformed = false;
    std::string_view timestamp; // digits without leading zeros, or "0"; empty: none
    std::array<std::string_view, max_signature_elements> v1;
    std::size_t v1_count = 0;
};

bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

// The digits of the number at the beginning; empty when there is none or it is negative.
std::string_view read_timestamp(std::string_view value) {
    std::size_t start = value.find_first_not_of(" \t\r\n\f\v");
    if (start == std::string_view::npos)
        return {};
    if (value[start] == '+')
        ++start;
    std::size_t end = start;
    while (end < value.size() && is_digit(value[end]))
        ++end;
    while (start + 1 < end && value[start] == '0')
        ++start;
    return value.substr(start, end - start);
}

// The value of an element; false when it has no "=".
bool read_value(std::string_view element, std::size_t name_size, std::string_view &value) {
    value = {};
    if (element.size() == name_size)
        return false;
    value = element.substr(name_size + 1);
    value = value.substr(0, value.find('='));
    return true;
}

Header read_header(std::string_view text) {
    Header header;
    int elements = 0;
    for (bool more = true; more;) {
        if (++elements > max_signature_elements) {
            header.malformed = true;
            return header;
        }
        const std::size_t comma = text.find(',');
        const std::string_view element = text.substr(0, comma);
        more = comma != std::string_view::npos;
        text.remove_prefix(more ? comma + 1 : text.size());
        const std::string_view name = element.substr(0, element.find('='));
        std::string_view value;
        if (name == "t") {
            read_value(element, name.size(), value);
            header.timestamp = read_timestamp(value);
        } else if (name == "v1") {
            // one empty signature and the header is none of Stripe's
            if (!read_value(element, name.size(), value) || value.empty())
                header.malformed = true;
            header.v1[header.v1_count++] = value;
        }
    }
    return header;
}

bool is_blank(std::string_view secret) {
    return secret.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

// Every signature is compared with the digest of every secret, whatever was found before.
bool any_matches(const Header &header, std::string_view body,
                 std::span<const std::string_view> secrets) {
    bool found = false;
    for (std::string_view secret : secrets) {
        if (is_blank(secret))
            continue;
        const std::string expected =
            core::to_hex(crypto::hmac_sha256(secret, {header.timestamp, ".", body}));
        for (std::size_t i = 0; i < header.v1_count; ++i)
            found = core::equal_constant_time(expected, header.v1[i]) | found;
    }
    return found;
}

SignatureVerdict judge_time(std::string_view timestamp, std::int64_t now, std::int64_t tolerance) {
    if (timestamp.size() > max_timestamp_digits)
        return SignatureVerdict::too_new;
    std::int64_t signed_at = 0;
    for (char digit : timestamp)
        signed_at = signed_at * 10 + (digit - '0');
    if (signed_at < now && now - signed_at > tolerance)
        return SignatureVerdict::too_old;
    if (signed_at > now && signed_at - now > tolerance)
        return SignatureVerdict::too_new;
    return SignatureVerdict::valid;
}

} // namespace

SignatureVerdict verify_signature(std::string_view header, std::string_view body,
                                  std::span<const std::string_view> secrets, std::int64_t now,
                                  std::int64_t tolerance) {
    if (tolerance <= 0)
        throw core::Error(core::Code::internal, "the tolerance of signatures is not positive");
    if (header.empty())
        return SignatureVerdict::empty_header;
    if (header.size() > max_signature_header)
        return SignatureVerdict::malformed;
    const Header read = read_header(header);
    if (read.malformed)
        return SignatureVerdict::malformed;
    if (read.timestamp.empty())
        return SignatureVerdict::no_timestamp;
    if (read.v1_count == 0)
        return SignatureVerdict::no_v1;
    if (body.empty() || !any_matches(read, body, secrets))
        return SignatureVerdict::mismatch;
    return judge_time(read.timestamp, now, tolerance);
}

const char *describe(SignatureVerdict verdict) {
    switch (verdict) {
    case SignatureVerdict::valid:
        return "The signature is valid.";
    case SignatureVerdict::empty_header:
        return "The Stripe-Signature header is empty.";
    case SignatureVerdict::malformed:
        return "The Stripe-Signature header is malformed: it has elements like t=1700000000 and "
               "v1=<64 hex digits>, 64 of them and 8 KiB at most.";
    case SignatureVerdict::no_timestamp:
        return "The Stripe-Signature header has no timestamp.";
    case SignatureVerdict::no_v1:
        return "The Stripe-Signature header has no v1 signature.";
    case SignatureVerdict::mismatch:
        return "No v1 signature is that of these bytes under a live webhook secret.";
    case SignatureVerdict::too_old:
        return "The signature is too old.";
    case SignatureVerdict::too_new:
        return "The signature's time is too far in the future.";
    }
    return "The signature is not valid.";
}

} // namespace billstack::stripe
