#include "stripe/intent_key.hpp"

namespace billstack::stripe {

std::string key_of_intent(const IntentDigest &digest) {
    std::string key = "billstack-";
    for (unsigned char byte : digest) {
        key += static_cast<char>('a' + (byte >> 4));
        key += static_cast<char>('a' + (byte & 15));
    }
    return key;
}

std::string key_of_intent(const IntentDigest &digest, std::int64_t uses) {
    return key_of_intent(digest) + "-" + std::to_string(uses);
}

} // namespace billstack::stripe
