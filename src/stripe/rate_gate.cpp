#include "stripe/rate_gate.hpp"

#include "crypto/sha256.hpp"

#include <algorithm>
#include <array>

namespace billstack::stripe {

namespace {

// First segments that only group collections: /v1/checkout/sessions.
constexpr std::array<std::string_view, 17> groups{
    "apps",       "billing",  "billing_portal", "checkout",     "climate", "entitlements",
    "forwarding", "identity", "issuing",        "radar",        "sigma",   "financial_connections",
    "reporting",  "tax",      "terminal",       "test_helpers", "treasury"};

// In the place of an id, but operations of the whole collection.
constexpr std::array<std::string_view, 3> whole_collection{"create_preview", "search", "upcoming"};

template <std::size_t n>
bool contains(const std::array<std::string_view, n> &words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

} // namespace

// Collection and id take turns; which one a segment is cannot be told from its letters, since ids
// of products, prices and coupons are whatever the merchant wants.
std::string endpoint_of(std::string_view method, std::string_view path) {
    std::string endpoint(method);
    endpoint += ' ';
    std::size_t at = 0;
    int place = 0; // 0: version, then collection, id, collection, ...
    while (at < path.size()) {
        std::size_t end = path.find('/', at + 1);
        if (end == std::string_view::npos) {
            end = path.size();
        }
        const std::string_view segment = path.substr(at + 1, end - at - 1);
        const bool id = place > 0 && place % 2 == 0 && !contains(whole_collection, segment);
        endpoint += '/';
        endpoint += id ? std::string_view("{id}") : segment;
        if (place != 1 || !contains(groups, segment)) {
            ++place;
        }
        at = end;
    }
    return endpoint;
}

std::string rate_account(std::string_view account_id, bool livemode, std::string_view key) {
    std::string name(account_id);
    if (name.empty()) {
        static constexpr char digits[] = "0123456789abcdef";
        const auto digest = crypto::sha256(key);
        name = "key_";
        for (std::size_t i = 0; i < 8; ++i) {
            name += digits[digest[i] >> 4];
            name += digits[digest[i] & 15];
        }
    }
    return name + (livemode ? "/live" : "/test");
}

} // namespace billstack::stripe
