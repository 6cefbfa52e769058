// {"error": {"type", "code", "param", "message", "decline_code"}},
// https://docs.stripe.com/api/errors
#include "stripe/api_error.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "stripe/scrub.hpp"
#include "json/card_numbers.hpp"
#include "json/json.hpp"

namespace billstack::stripe {

namespace {

constexpr std::size_t max_text = 500;

std::string text_of(const json::Node &body, const char *path) {
    std::string text = body.text_at(path).value_or(std::string());
    (void)json::mask_card_numbers(text); // before cutting, as keys
    return harmless_text(text);
}

} // namespace

std::string harmless_text(std::string_view text) {
    std::string clean = scrub_keys(text); // before cutting: half a key is still a secret
    for (char &c : clean)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    if (clean.size() > max_text) {
        std::size_t end = max_text - 3;
        while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0U) == 0x80U)
            --end; // not inside a character
        clean.resize(end);
        clean += "...";
    }
    return core::valid_utf8(clean);
}

ApiError parse_api_error(std::string_view body) {
    ApiError error;
    try {
        const json::Node node = json::Node::parse(body);
        error.type = text_of(node, "error.type");
        error.code = text_of(node, "error.code");
        error.param = text_of(node, "error.param");
        error.message = text_of(node, "error.message");
        error.decline_code = text_of(node, "error.decline_code");
    } catch (const core::Error &unreadable) {
        if (unreadable.code != core::Code::bad_argument)
            throw;
    }
    return error;
}

} // namespace billstack::stripe
