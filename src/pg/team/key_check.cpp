#include "pg/team/key_check.hpp"

#include "pg/team/integration_store.hpp"

namespace billstack::pg {

void hide_statement() {
    call([] {
        pgstat_report_activity(STATE_RUNNING, "billstack: statement with a secret, hidden");
    });
}

std::optional<GivenWebhookSecret> webhook_secret_argument(const Args &args, int position) {
    std::optional<core::SecretBytes> secret = args.optional_secret(position);
    if (!secret) {
        return std::nullopt;
    }
    if (secret->empty()) {
        throw core::Error(core::Code::bad_argument, "webhook secret must not be empty", "",
                          "Leave the argument out, or give the endpoint's signing secret.");
    }
    stripe::WebhookSecretState state = stripe::check_webhook_secret(secret->view());
    return GivenWebhookSecret{std::move(*secret), state};
}

std::optional<std::string> publishable_key_argument(const Args &args, int position,
                                                    const stripe::KeyShape &secret_key) {
    std::optional<std::string> key = args.optional_text(position);
    if (key) {
        stripe::check_publishable_key(*key, secret_key);
    }
    return key;
}

StripeRequest account_request(const core::SecretBytes &key) {
    StripeRequest request;
    request.path = "/v1/account";
    request.key = &key;
    return request;
}

VerifiedKey read_account_answer(const StripeAnswer &answer) {
    switch (answer.status) {
    case stripe::CallStatus::ok:
        return {stripe::parse_account(answer.body), true};
    case stripe::CallStatus::forbidden:
        return {}; // a restricted key without that permission
    default:
        stripe::throw_call_error(answer, "reading the account");
    }
}

VerifiedKey verify_secret_key(const core::SecretBytes &key) {
    std::vector<StripeRequest> requests(1, account_request(key));
    return read_account_answer(ask_stripe(requests).at(0));
}

std::string rate_account_of(const Integration &integration, const core::SecretBytes &key) {
    return stripe::rate_account(integration.account.id.value_or(""), integration.livemode,
                                key.view());
}

void apply_verified_key(Integration &integration, const core::SecretBytes &key,
                        const stripe::KeyShape &shape, const VerifiedKey &verified) {
    integration.account = verified.account;
    integration.livemode = shape.livemode;
    integration.key_restricted = shape.kind == stripe::SecretKeyKind::restricted;
    integration.key_masked = stripe::mask_key(key.view());
    integration.key_valid = true;
    integration.last_validated_at = GetCurrentTimestamp();
}

} // namespace billstack::pg
