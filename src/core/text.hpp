// Small text tools: hex, comparison of secrets, times as text, repair of UTF-8.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace billstack::core {

std::string to_hex(std::span<const unsigned char> bytes); // lower case
std::string to_hex(std::string_view bytes);
// Fills out exactly; false, and out is wiped, when the text is not 2 * out.size() hex digits.
bool from_hex(std::string_view text, std::span<unsigned char> out) noexcept;

// Time depends on the lengths only, never on where the contents differ.
bool equal_constant_time(std::string_view a, std::string_view b) noexcept;

// "2024-01-31T23:59:59Z"; ".123Z" or ".123456Z" when the microseconds are not whole seconds.
std::string iso8601_utc(std::int64_t unix_us);
// An HTTP Date header (RFC 9110 IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT") as unix seconds;
// nullopt for any other form.
std::optional<std::int64_t> parse_http_date(std::string_view text);

// Each byte that begins no well-formed sequence becomes U+FFFD, and so does U+0000, which the
// server's text type cannot hold. RFC 3629: no surrogates, nothing over U+10FFFF, no overlong
// forms.
std::string valid_utf8(std::string_view text);

} // namespace billstack::core
