// How parameters and ids become bytes of a request.
#pragma once
#include "core/pure.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace billstack::stripe {

using Params = std::vector<std::pair<std::string, std::string>>; // in order; keys may repeat

// RFC 3986 unreserved characters stay, everything else becomes %XX. Throws
// core::Error(bad_argument) for an empty segment, ".", ".." or more than 255 bytes.
std::string encode_path_segment(std::string_view segment);
// "a=1&b%5Bc%5D=2" with the same encoding; nested names come ready-made ("b[c]").
std::string encode_form(const Params &params);

} // namespace billstack::stripe
