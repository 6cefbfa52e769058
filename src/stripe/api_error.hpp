// Stripe's error body as plain, harmless texts.
#pragma once
#include "core/pure.hpp"

#include <string>
#include <string_view>

namespace billstack::stripe {

// Each text is scrubbed of key-shaped strings and card numbers, free of control characters, UTF-8
// and at most 500 bytes long; empty when absent.
struct ApiError {
    std::string type, code, param, message, decline_code;
};

// Never throws for a strange body: then every text is empty.
ApiError parse_api_error(std::string_view body);
// The same treatment for one text, for example a header value.
std::string harmless_text(std::string_view text);

} // namespace billstack::stripe
