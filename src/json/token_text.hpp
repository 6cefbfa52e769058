// What stands in a JSON text, made fit for PostgreSQL: strings without escapes, JSON that jsonb
// accepts. All input is text that the scanner has passed; nothing here throws on bad input.
#pragma once
#include "core/pure.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace billstack::json {

// Resolves the escapes of a string token into out, which must have room for escaped.size() bytes:
// the result is never longer. U+0000, which text cannot hold, and lone surrogates become U+FFFD.
// Returns the bytes written.
std::size_t unescape(std::string_view escaped, char *out);
std::string unescaped(std::string_view escaped);

// No number of more than 100 characters or with an exponent beyond 100: a short token may otherwise
// become 131,072 digits of numeric.
bool is_sane_number(std::string_view number);

// Whether jsonb takes the value once clean_json has gone over it: nested at most 64 deep, numbers
// sane, at most 1 MiB.
bool fits_jsonb(std::string_view value);
// True when clean_json would change it.
bool needs_cleaning(std::string_view value);
// Copies value.size() bytes to out, escapes for U+0000 and lone surrogates replaced by \ufffd.
void clean_json(std::string_view value, char *out);

// SIMD check; strings of any length, no padding needed.
bool is_utf8(std::string_view bytes);

} // namespace billstack::json
