// The identity of a write to Stripe: what makes two calls the same, and the idempotency key that
// follows from it. Pure; the rows are in src/pg/intent_store.hpp.
#pragma once
#include "core/pure.hpp"
#include "stripe/form.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::stripe {

// The member of "metadata" that says which write made an object.
inline constexpr std::string_view intent_param = "metadata[billstack_intent]";
inline constexpr std::string_view intent_path = "metadata.billstack_intent";

using IntentDigest = std::array<unsigned char, 32>;

// Of the texts in this order, each with its length, so that no two lists have the same bytes.
IntentDigest digest_of(const std::vector<std::string_view> &texts);

// What a key stands for: method, path and parameters in any order, without intent_param.
IntentDigest request_digest(std::string_view method, std::string_view path, const Params &params);

// The Idempotency-Key of the round-th attempt to have the write made (0: the first). A new round
// has a new key, because what Stripe has stored for the old one is of no use any more.
std::string round_key(const std::string &key, std::int32_t round);

} // namespace billstack::stripe
