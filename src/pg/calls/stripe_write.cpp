#include "pg/calls/stripe_write.hpp"

#include "pg/access/team_access.hpp"
#include "pg/calls/intent_store.hpp"
#include "pg/calls/mirror_answer.hpp"
#include "pg/team/key_check.hpp"
#include "stripe/intent_key.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t longest_caller_key = 200;

void check_caller_key(const std::string &key) {
    bool clean = !key.empty() && key.size() <= longest_caller_key;
    for (char c : key) {
        clean = clean && c >= ' ' && c < 0x7f;
    }
    if (!clean) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"idempotency_key\" is not an idempotency key",
                          "A key has 1 to 200 printable ASCII characters.",
                          "Give a random key such as gen_random_uuid()::text, and the same one "
                          "when the call is repeated.");
    }
}

// No card number is stored, whatever it was meant for.
std::string shown_key(std::string key) {
    std::size_t digits = 0;
    bool masked = json::holds_card_number(key);
    for (auto at = key.rbegin(); masked && at != key.rend(); ++at) {
        if (*at >= '0' && *at <= '9' && ++digits > 4) {
            *at = '*';
        }
    }
    return key;
}

// What a derived key begins with: a copy of the database makes others.
std::string scope_of(const Integration &integration) {
    return std::to_string(integration.system_identifier) + "/" +
           std::to_string(integration.database_oid) + "/" + std::to_string(integration.id);
}

// What a key of the caller's is good for: nothing of it changes with arm(), or when the account is
// disconnected and connected again.
std::string account_of(const Integration &integration) {
    std::string account = integration.account.id.value_or("");
    if (account.empty()) { // the key may not tell
        account = integration.team + "/" + integration.name;
    }
    return account + (integration.livemode ? "/live" : "/test");
}

std::string describe(const std::string &operation) {
    return "billstack." + operation + "()";
}

// Of a path that leads to one object of the kind, or to something below it; "" for others.
std::string object_id_of(const stripe::Kind &kind, const std::string &path) {
    std::string_view pattern = kind.retrieve_path;
    std::size_t at = pattern.find("{id}");
    if (at == std::string_view::npos || !path.starts_with(pattern.substr(0, at))) {
        return {};
    }
    std::string id = path.substr(at, path.find('/', at) - at);
    return id.find('%') == std::string::npos ? id : std::string();
}

struct IntentKey {
    std::string text;
    stripe::IntentDigest request;
};

std::string_view bytes_of(const stripe::IntentDigest &digest) {
    return {reinterpret_cast<const char *>(digest.data()), digest.size()};
}

// The count's row lock makes sessions that do the same wait for each other, with a key of the
// caller's too.
IntentKey key_of(const Integration &integration, const StripeWrite &write) {
    IntentKey key;
    key.request = write.same_as ? stripe::digest_of({"same", *write.same_as})
                                : stripe::request_digest(write.method, write.path, write.params);
    if (write.caller_key) {
        check_caller_key(*write.caller_key);
        std::string account = account_of(integration);
        stripe::IntentDigest digest =
            stripe::digest_of({"given", account, write.project_id, *write.caller_key});
        (void)count_use(digest);
        key.text = stripe::key_of_intent(digest);
    } else {
        std::string scope = scope_of(integration);
        stripe::IntentDigest digest = stripe::digest_of(
            {"derived", scope, write.project_id, write.operation, bytes_of(key.request)});
        key.text = stripe::key_of_intent(digest, count_use(digest));
    }
    return key;
}

// The lists that Stripe leaves out otherwise: the mirror need not read the object again. No part of
// what the key stands for.
void expand_lists(const stripe::Kind &kind, StripeRequest &request) {
    for (const stripe::ChildList &list : kind.children) {
        if (!list.embedded && request.method == "POST") {
            request.params.emplace_back("expand[]", list.field);
        }
    }
}

StripeRequest request_of(const Integration &integration, const StripeWrite &write,
                         const IntentKey &key) {
    StripeRequest request;
    request.method = write.method;
    request.path = write.path;
    request.params = write.params;
    request.idempotency_key = key.text;
    RequestIntent &intent = request.intent.emplace();
    intent.integration_id = integration.id;
    intent.operation = write.operation;
    intent.project_id = write.project_id;
    intent.creates = write.creates;
    intent.caller_named = write.caller_key.has_value();
    intent.digest = bytes_of(key.request);
    intent.caller = current_role_name();
    intent.caller_key = write.caller_key ? shown_key(*write.caller_key) : std::string();
    if (write.kind != nullptr) {
        intent.kind = write.kind->name;
        expand_lists(*write.kind, request);
        if (write.creates) {
            request.params.emplace_back(stripe::intent_param, key.text);
        } else {
            intent.object_id = object_id_of(*write.kind, write.path);
        }
    }
    return request;
}

[[noreturn]] void throw_unsent(const StripeAnswer &answer, const std::string &what) {
    if (answer.unsent == Unsent::key_used) {
        throw core::Error(core::Code::bad_argument,
                          "idempotency key was used with other parameters",
                          "A key stands for one call with its parameters; this one was first used "
                          "by " +
                              describe(answer.failure_text) + ".",
                          "Give a new key, or repeat the call exactly as it was.");
    }
    throw core::Error(
        core::Code::not_ready, what + " was not sent to Stripe",
        "A write is recorded before it is sent, and that failed: " + answer.failure_text + ".",
        "Repeat the call.");
}

sync::AsOf window_of(const StripeAnswer &answer) {
    return {answer.window_start, answer.window_end};
}

bool is_list(const std::string &body) {
    static constexpr std::string_view paths[] = {"object"};
    std::array<json::Token, 1> found;
    json::PathReader(paths).read(body, found);
    return found[0].kind == json::TokenKind::string && found[0].text == "list";
}

} // namespace

StripeObject write_to_stripe(const Integration &integration, const StripeWrite &write) {
    StripeRequest request = request_of(integration, write, key_of(integration, write));
    core::SecretBytes key = open_secret_key(integration);
    request.key = &key;
    request.account = rate_account_of(integration, key);
    std::optional<MirrorAnswer> mirror;
    if (write.kind != nullptr) {
        mirror.emplace(integration, *write.kind);
        if (const std::string &id = request.intent->object_id; !id.empty()) {
            mirror->note_sent(id);
        }
    }
    StripeAnswer answer = std::move(ask_stripe({request}).front());
    if (answer.unsent != Unsent::no || answer.status != stripe::CallStatus::ok) {
        wait_for_outcome(answer);
    }
    if (answer.unsent != Unsent::no) {
        throw_unsent(answer, describe(write.operation));
    }
    if (answer.status != stripe::CallStatus::ok) {
        stripe::throw_call_error(answer, describe(write.operation));
    }
    std::string id = look_at_object(answer.body).id;
    if (mirror && answer.repeated && answer.current_body.empty()) {
        mirror->ask_for(id);
    } else if (mirror) {
        mirror->take_object(answer.repeated ? answer.current_body : answer.body, window_of(answer));
    }
    wait_for_outcome(answer);
    return {std::move(id), std::move(answer.body)};
}

std::string read_from_stripe(const Integration &integration, const std::string &path,
                             const stripe::Params &params, const stripe::Kind *kind) {
    core::SecretBytes key = open_secret_key(integration);
    StripeRequest request;
    request.path = path;
    request.params = params;
    request.key = &key;
    request.account = rate_account_of(integration, key);
    std::optional<MirrorAnswer> mirror;
    if (kind != nullptr) {
        mirror.emplace(integration, *kind);
        if (std::string id = object_id_of(*kind, path); !id.empty()) {
            mirror->note_sent(id);
        }
    }
    StripeAnswer answer = std::move(ask_stripe({request}).front());
    if (answer.status != stripe::CallStatus::ok) {
        stripe::throw_call_error(answer, "reading from Stripe");
    }
    if (mirror && is_list(answer.body)) {
        mirror->take_list(answer.body, window_of(answer));
    } else if (mirror) {
        mirror->take_object(answer.body, window_of(answer));
    }
    return std::move(answer.body);
}

} // namespace billstack::pg
