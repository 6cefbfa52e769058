// Percent-encoding. An id with "/", "?" or ".." in it could otherwise reach another resource.
#include "stripe/form.hpp"

#include "core/error.hpp"

namespace billstack::stripe {

namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void append_encoded(std::string &out, std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
}

} // namespace

std::string encode_path_segment(std::string_view segment) {
    if (segment.empty() || segment == "." || segment == ".." || segment.size() > 255)
        throw core::Error(core::Code::bad_argument, "the Stripe id is not valid",
                          "An id has 1 to 255 bytes and is neither \".\" nor \"..\".",
                          "Give the id as Stripe shows it, for example \"cus_NffrFeUfNV2Hib\".");
    std::string encoded;
    append_encoded(encoded, segment);
    return encoded;
}

std::string encode_form(const Params &params) {
    std::string encoded;
    for (const auto &[name, value] : params) {
        if (!encoded.empty())
            encoded += '&';
        append_encoded(encoded, name);
        encoded += '=';
        append_encoded(encoded, value);
    }
    return encoded;
}

} // namespace billstack::stripe
