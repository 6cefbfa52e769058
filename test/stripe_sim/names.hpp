// Names, e-mail addresses and metadata of generated objects, awkward ones among them. Everything is
// returned as it stands inside a JSON string, escapes included.
#pragma once

#include "rng.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace stripe_sim {

/// Empty for a customer without an address.
std::string customer_email(Rng rng, uint64_t index);
/// A name, with its escapes, without quotes. Empty for null.
std::string customer_name(Rng rng);
std::string_view product_name(Rng rng);
/// A JSON object.
void append_metadata(std::string &out, Rng rng, uint64_t index);

} // namespace stripe_sim
