// Keys given to a function: their shape, their account at Stripe, and keeping them out of sight.
#pragma once
#include "pg/bridge/datum.hpp"
#include "pg/worker/requests.hpp"

namespace billstack::pg {

struct Integration;

// What pg_stat_activity shows of the running statement from here on. First call of every function
// with a secret argument.
void hide_statement();

struct GivenWebhookSecret {
    core::SecretBytes secret;
    stripe::WebhookSecretState state;
};

// nullopt for NULL. Throws core::Error(bad_argument): empty, or not of its shape.
std::optional<GivenWebhookSecret> webhook_secret_argument(const Args &args, int position);
std::optional<std::string> publishable_key_argument(const Args &args, int position,
                                                    const stripe::KeyShape &secret_key);

struct VerifiedKey {
    stripe::Account account; // all unknown when the key may not read the account
    bool account_readable = false;
};

// Asks Stripe whom the key belongs to. Throws core::Error: stripe_key_rejected for Stripe's 401,
// stripe_unreachable and the like when there is no usable answer.
VerifiedKey verify_secret_key(const core::SecretBytes &key);
StripeRequest account_request(const core::SecretBytes &key);
VerifiedKey read_account_answer(const StripeAnswer &answer);

// StripeRequest::account of a call with that key of the integration.
std::string rate_account_of(const Integration &integration, const core::SecretBytes &key);

// Sets the facts that follow from a verified key; its account replaces the known one.
void apply_verified_key(Integration &integration, const core::SecretBytes &key,
                        const stripe::KeyShape &shape, const VerifiedKey &verified);

} // namespace billstack::pg
