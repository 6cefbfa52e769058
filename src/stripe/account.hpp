// What billstack keeps of Stripe's account object, and what a key's own text says of it.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace billstack::stripe {

enum class SecretKeyKind { secret, restricted };

struct KeyShape {
    SecretKeyKind kind;
    bool livemode;
};

// sk_test_, sk_live_, rk_test_, rk_live_ followed by at least 10 of [A-Za-z0-9_], 255 bytes at
// most. Throws core::Error(bad_argument) whose texts never hold any part of the key.
KeyShape check_secret_key(std::string_view key);
// pk_test_ / pk_live_; its mode must be the secret key's.
void check_publishable_key(std::string_view key, const KeyShape &secret_key);

enum class WebhookSecretState { unset, placeholder, set };
const char *name_of(WebhookSecretState state);
// A real secret is whsec_ and at least 24 of [A-Za-z0-9+/=_-]; any other non-empty text is a
// placeholder. Over 255 bytes or with white space inside: core::Error(bad_argument).
WebhookSecretState check_webhook_secret(std::string_view secret);

// Shown in place of a stored key: prefix and last four characters, e.g. "sk_test_...4242"; without
// the last four when fewer than eight others would stay hidden.
std::string mask_key(std::string_view key);

struct Account {
    std::optional<std::string> id;
    // settings.dashboard.display_name, else business_profile.name; never an e-mail address
    std::optional<std::string> name;
    std::optional<std::string> country;
    std::optional<std::string> default_currency;
    std::optional<std::int64_t> created; // unix seconds
    std::optional<bool> charges_enabled;
};

// Throws core::Error(stripe_unreachable) when the body is not an account object.
Account parse_account(std::string_view body);

} // namespace billstack::stripe
