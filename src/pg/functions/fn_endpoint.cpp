// billstack.set_webhook_secret and create_webhook_endpoint: where Stripe sends events to, and the
// secret they are verified with.
#include "pg/config.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/team/key_check.hpp"

namespace billstack::pg {

namespace {

void store_secret(const Integration &integration, const core::SecretBytes &secret,
                  stripe::WebhookSecretState state) {
    crypto::KeyRing ring = ring_to_seal(integration.livemode);
    store_webhook_secret(ring, integration, integration.webhook_secret_state == "set", secret);
    store_webhook_secret_state(integration.id, stripe::name_of(state));
    notify_change("rotate", integration);
}

// --- the endpoint --------------------------------------------------------------------------------

void check_endpoint_url(const std::string &url) {
    constexpr const char *rule = "An address is https://host/path; plain http is taken for a "
                                 "loopback address only.";
    bool clean = url.size() <= 2048;
    for (char c : url) {
        clean = clean && c > ' ' && c < 0x7f && std::strchr("\"<>\\^`{|}#", c) == nullptr;
    }
    std::size_t scheme = url.find("://");
    if (!clean || scheme == std::string::npos) {
        throw core::Error(core::Code::bad_argument, "argument \"url\" is not an address", rule);
    }
    try {
        http::check_base_url(url.substr(0, url.find_first_of("/?", scheme + 3)));
    } catch (const core::Error &error) {
        throw core::Error(core::Code::bad_argument, "argument \"url\" is not an address", rule);
    }
}

std::string url_argument(const Args &args, const Integration &integration) {
    std::optional<std::string> url = args.optional_text(1);
    if (!url) {
        url = webhook_url_of(integration.team, integration.name);
    }
    if (!url) {
        throw core::Error(core::Code::bad_argument, "there is no address to register",
                          "Without the argument \"url\" it is made from billstack.public_url, "
                          "which is empty.",
                          "Give a url, or set billstack.public_url.");
    }
    check_endpoint_url(*url);
    return *url;
}

bool is_event_type(std::string_view type) {
    if (type == "*") {
        return true;
    }
    bool clean = !type.empty() && type.size() <= 255 && type.find('.') != std::string_view::npos &&
                 type.front() != '.' && type.back() != '.';
    for (char c : type) {
        clean = clean && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.');
    }
    return clean;
}

// By default what billstack applies. Others are taken as well: handlers are called for them.
std::vector<std::string> events_argument(const Args &args) {
    std::optional<std::vector<std::string>> given = args.optional_text_array(2);
    std::vector<std::string> events;
    if (!given) {
        for (const stripe::EventType &type : stripe::event_types()) {
            events.emplace_back(type.name);
        }
        return events;
    }
    for (const std::string &type : *given) {
        if (!is_event_type(type)) {
            throw core::Error(core::Code::bad_argument,
                              "argument \"events\" holds what is no type of event",
                              "A type is lower-case words with points in between, such as "
                              "invoice.paid; * alone is all of them.");
        }
        if (std::find(events.begin(), events.end(), type) == events.end()) {
            events.push_back(type);
        }
    }
    if (events.empty()) {
        throw core::Error(core::Code::bad_argument, "argument \"events\" is empty", "",
                          "Leave it out for the events that billstack applies.");
    }
    return events;
}

stripe::Params endpoint_params(const Integration &integration, const std::string &url,
                               const std::vector<std::string> &events) {
    stripe::Params params{{"url", url}, {"api_version", config::api_version()}};
    for (const std::string &type : events) {
        params.emplace_back("enabled_events[]", type);
    }
    params.emplace_back("description", "billstack");
    params.emplace_back("metadata[billstack_team]", integration.team);
    params.emplace_back("metadata[billstack_integration]", integration.name);
    return params;
}

// The same until a secret is stored: a call that is repeated after a rollback finds the endpoint of
// the first one, one that is repeated after a commit makes another.
std::string idempotency_key_of(const Integration &integration, const stripe::Params &params) {
    std::string text = std::to_string(integration.system_identifier) + "/" +
                       std::to_string(integration.database_oid) + "/" +
                       std::to_string(integration.id) + "/" + integration.webhook_secret_state;
    for (const SealedKey &sealed : sealed_keys_of(integration.id)) {
        if (sealed.key_kind == webhook_secret_kind) {
            text += core::to_hex(sealed.sealed);
        }
    }
    for (const auto &[name, value] : params) {
        text += "\n" + name + "=" + value;
    }
    return "billstack-endpoint-" + core::to_hex(crypto::sha256(text));
}

struct Endpoint {
    std::string id;
    core::SecretBytes secret;
};

Endpoint read_endpoint(const StripeAnswer &answer) {
    static constexpr std::string_view paths[] = {"id", "secret"};
    std::array<json::Token, 2> found;
    if (answer.secret_body) {
        json::PathReader(paths).read(answer.secret_body->view(), found);
    }
    for (const json::Token &token : found) {
        if (token.kind != json::TokenKind::string || token.escaped || token.text.empty()) {
            throw core::Error(core::Code::stripe_unreachable,
                              "Stripe's answer is not a webhook endpoint with a signing secret");
        }
    }
    return {std::string(found[0].text), core::SecretBytes::copy_of(found[1].text)};
}

Endpoint create_endpoint(const Integration &integration, const stripe::Params &params) {
    core::SecretBytes key = open_secret_key(integration);
    StripeRequest request;
    request.method = "POST";
    request.path = "/v1/webhook_endpoints";
    request.params = params;
    request.key = &key;
    request.account = rate_account_of(integration, key);
    request.idempotency_key = idempotency_key_of(integration, params);
    request.secret_answer = true;
    StripeAnswer answer = std::move(ask_stripe({request}).front());
    if (answer.status != stripe::CallStatus::ok) {
        stripe::throw_call_error(answer, "creating the webhook endpoint");
    }
    return read_endpoint(answer);
}

} // namespace

BILLSTACK_SQL_FUNCTION(billstack_set_webhook_secret) {
    hide_statement();
    std::string team = args.text(0, "team");
    std::optional<GivenWebhookSecret> given = webhook_secret_argument(args, 1);
    std::string name = args.text(2, "integration");
    if (!given) {
        throw core::Error(core::Code::bad_argument, "argument \"webhook_secret\" must not be null");
    }
    Integration integration = require_integration(team, name, Need::act);
    require_writable("set_webhook_secret");
    require_armed(integration);
    store_secret(integration, given->secret, given->state);
    json::Node answer = json::Node::object();
    answer.set("success", true);
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_create_webhook_endpoint) {
    Integration integration =
        require_integration(args.text(0, "team"), args.text(3, "integration"), Need::act);
    require_writable("create_webhook_endpoint");
    require_armed(integration);
    std::string url = url_argument(args, integration);
    std::vector<std::string> events = events_argument(args);
    check_sealing_possible(integration.livemode);
    Endpoint endpoint = create_endpoint(integration, endpoint_params(integration, url, events));
    store_secret(integration, endpoint.secret,
                 stripe::check_webhook_secret(endpoint.secret.view()));
    json::Node list = json::Node::array();
    for (const std::string &type : events) {
        list.append(type);
    }
    json::Node answer = json::Node::object();
    answer.set("endpointId", endpoint.id).set("url", url).set("events", std::move(list));
    return return_jsonb(answer);
}

} // namespace billstack::pg
