#include "stripe/intent.hpp"

#include "crypto/sha256.hpp"

#include <algorithm>

namespace billstack::stripe {

IntentDigest digest_of(const std::vector<std::string_view> &texts) {
    std::string bytes;
    for (std::string_view text : texts) {
        bytes += std::to_string(text.size());
        bytes += ':';
        bytes += text;
    }
    return crypto::sha256(bytes);
}

IntentDigest request_digest(std::string_view method, std::string_view path, const Params &params) {
    std::vector<std::pair<std::string_view, std::string_view>> sorted;
    for (const auto &[name, value] : params) {
        if (name != intent_param) {
            sorted.emplace_back(name, value);
        }
    }
    // Of a name that is there several times (a list) the order counts.
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    std::vector<std::string_view> texts{method, path};
    for (const auto &[name, value] : sorted) {
        texts.push_back(name);
        texts.push_back(value);
    }
    return digest_of(texts);
}

std::string round_key(const std::string &key, std::int32_t round) {
    return round == 0 ? key : key + "-" + std::to_string(round);
}

} // namespace billstack::stripe
