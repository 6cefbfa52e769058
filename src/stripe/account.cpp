// Keys by their shape, and the account object.
#include "stripe/account.hpp"

#include "core/error.hpp"
#include "json/json.hpp"

#include <algorithm>

namespace billstack::stripe {

namespace {

constexpr std::size_t max_secret = 255;
constexpr std::size_t least_key_run = 10;
constexpr std::size_t least_webhook_run = 24;

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_run(std::string_view text, std::string_view others, std::size_t least) {
    return text.size() >= least && std::all_of(text.begin(), text.end(), [&](char c) {
               return is_word(c) || others.find(c) != std::string_view::npos;
           });
}

[[noreturn]] void refuse(const char *message, const char *rule, const char *act) {
    throw core::Error(core::Code::bad_argument, message, rule, act);
}

// The key without its prefix when it starts with one of the two.
bool strip_prefix(std::string_view &key, std::string_view test, std::string_view live,
                  bool &livemode) {
    livemode = key.starts_with(live);
    if (!livemode && !key.starts_with(test))
        return false;
    key.remove_prefix(livemode ? live.size() : test.size());
    return true;
}

} // namespace

KeyShape check_secret_key(std::string_view key) {
    static constexpr const char *rule =
        "A secret key is sk_test_, sk_live_, rk_test_ or rk_live_ and at least 10 letters, digits "
        "or underscores, 255 bytes at most.";
    static constexpr const char *act =
        "Copy the secret or restricted key from the Stripe dashboard, Developers, API keys.";
    if (key.empty())
        refuse("the secret key is empty", rule, act);
    if (key.starts_with("pk_"))
        refuse("the secret key is a publishable key", rule, act);
    if (key.size() > max_secret)
        refuse("the secret key is too long", rule, act);
    KeyShape shape{SecretKeyKind::secret, false};
    if (!strip_prefix(key, "sk_test_", "sk_live_", shape.livemode)) {
        shape.kind = SecretKeyKind::restricted;
        if (!strip_prefix(key, "rk_test_", "rk_live_", shape.livemode))
            refuse("the secret key does not start as Stripe's keys do", rule, act);
    }
    if (!is_run(key, "", least_key_run))
        refuse("the secret key is cut short or holds other characters", rule, act);
    return shape;
}

void check_publishable_key(std::string_view key, const KeyShape &secret_key) {
    static constexpr const char *rule =
        "A publishable key is pk_test_ or pk_live_ and at least 10 letters, digits or "
        "underscores, 255 bytes at most.";
    static constexpr const char *act =
        "Copy the publishable key from the Stripe dashboard, Developers, API keys.";
    bool livemode = false;
    if (key.size() > max_secret || !strip_prefix(key, "pk_test_", "pk_live_", livemode) ||
        !is_run(key, "", least_key_run))
        refuse("the publishable key is not valid", rule, act);
    if (livemode != secret_key.livemode)
        refuse("the keys are of different modes",
               livemode ? "The publishable key is for live mode, the secret key for test mode."
                        : "The publishable key is for test mode, the secret key for live mode.",
               "Take both keys from the same mode of the Stripe dashboard.");
}

const char *name_of(WebhookSecretState state) {
    switch (state) {
    case WebhookSecretState::unset:
        return "unset";
    case WebhookSecretState::placeholder:
        return "placeholder";
    case WebhookSecretState::set:
        return "set";
    }
    return "unset";
}

WebhookSecretState check_webhook_secret(std::string_view secret) {
    static constexpr std::string_view prefix = "whsec_";
    static constexpr const char *act =
        "Copy the signing secret from the Stripe dashboard, Developers, Webhooks.";
    if (secret.empty())
        return WebhookSecretState::unset;
    if (secret.size() > max_secret)
        refuse("the webhook secret is too long", "A webhook secret has at most 255 bytes.", act);
    if (std::any_of(secret.begin(), secret.end(), [](char c) { return c <= 0x20 || c >= 0x7f; }))
        refuse("the webhook secret holds white space or other characters",
               "A webhook secret is printable ASCII without white space.", act);
    const bool real = secret.starts_with(prefix) &&
                      is_run(secret.substr(prefix.size()), "+/=-", least_webhook_run);
    return real ? WebhookSecretState::set : WebhookSecretState::placeholder;
}

// Only what is long enough to keep at least eight characters hidden shows its end.
std::string mask_key(std::string_view key) {
    std::size_t shown = 0;
    for (const char *prefix :
         {"sk_test_", "sk_live_", "rk_test_", "rk_live_", "pk_test_", "pk_live_", "whsec_"})
        if (key.starts_with(prefix))
            shown = std::string_view(prefix).size();
    std::string masked(key.substr(0, shown));
    masked += "...";
    if (key.size() >= shown + 12)
        masked += key.substr(key.size() - 4);
    return masked;
}

Account parse_account(std::string_view body) {
    try {
        const json::Node node = json::Node::parse(body);
        if (node.text_at("object") == "account") {
            Account account;
            account.id = node.text_at("id");
            for (const char *path : {"settings.dashboard.display_name", "business_profile.name"})
                if (!account.name || account.name->empty())
                    account.name = node.text_at(path);
            if (account.name && account.name->empty())
                account.name.reset();
            account.country = node.text_at("country");
            account.default_currency = node.text_at("default_currency");
            account.created = node.integer_at("created");
            account.charges_enabled = node.boolean_at("charges_enabled");
            return account;
        }
    } catch (const core::Error &error) {
        if (error.code != core::Code::bad_argument)
            throw;
    }
    throw core::Error(core::Code::stripe_unreachable, "the answer is not an account",
                      "GET /v1/account answers with an object whose \"object\" is \"account\".",
                      "Check that the base URL leads to Stripe and not to a proxy or portal.");
}

} // namespace billstack::stripe
