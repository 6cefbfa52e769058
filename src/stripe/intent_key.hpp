// The text of the key of a write. Pure.
#pragma once
#include "stripe/intent.hpp"

namespace billstack::stripe {

// In letters: among hexadecimal digits one key in thousands has what looks like a card number, is
// masked in Stripe's answers and would not be known again.
std::string key_of_intent(const IntentDigest &digest);
// That of the uses-th time that such a write is made.
std::string key_of_intent(const IntentDigest &digest, std::int64_t uses);

} // namespace billstack::stripe
