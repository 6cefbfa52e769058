#include "pg/stripe_write.hpp"

#include "pg/intent_store.hpp"
#include "pg/mirror_answer.hpp"

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

// What every key of this integration begins with: a copy of the database makes others.
std::string scope_of(const Integration &integration) {
    return std::to_string(integration.system_identifier) + "/" +
           std::to_string(integration.database_oid) + "/" + std::to_string(integration.id);
}

// The count's row lock makes sessions that do the same wait for each other, with a key of the
// caller's too.
std::string key_of(const Integration &integration, const StripeWrite &write) {
    std::string scope = scope_of(integration);
    stripe::IntentDigest digest;
    std::string uses;
    if (write.caller_key) {
        check_caller_key(*write.caller_key);
        digest = stripe::digest_of({"given", scope, write.project_id, *write.caller_key});
        (void)count_use(digest);
    } else {
        stripe::IntentDigest request =
            stripe::request_digest(write.method, write.path, write.params);
        digest =
            stripe::digest_of({"derived",
                               scope,
                               write.project_id,
                               write.operation,
                               {reinterpret_cast<const char *>(request.data()), request.size()}});
        uses = "-" + std::to_string(count_use(digest));
    }
    return "billstack-" + core::to_hex(digest) + uses;
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

bool is_list(const std::string &body) {
    static constexpr std::string_view paths[] = {"object"};
    std::array<json::Token, 1> found;
    json::PathReader(paths).read(body, found);
    return found[0].kind == json::TokenKind::string && found[0].text == "list";
}

} // namespace

StripeObject write_to_stripe(const Integration &integration, const StripeWrite &write) {
    std::string idempotency_key = key_of(integration, write);
    core::SecretBytes key = open_secret_key(integration);
    StripeRequest request;
    request.method = write.method;
    request.path = write.path;
    request.params = write.params;
    request.key = &key;
    request.idempotency_key = idempotency_key;
    if (write.creates && write.kind != nullptr) {
        request.params.emplace_back(stripe::intent_param, idempotency_key);
    }
    std::optional<MirrorAnswer> mirror;
    if (write.kind != nullptr) {
        mirror.emplace(integration, *write.kind);
        if (std::string id = object_id_of(*write.kind, write.path); !id.empty()) {
            mirror->note_sent(id);
        }
    }
    StripeAnswer answer = std::move(ask_stripe({request}).front());
    if (answer.status != stripe::CallStatus::ok) {
        stripe::throw_call_error(answer, describe(write.operation));
    }
    std::string id = look_at_object(answer.body).id;
    if (mirror) {
        mirror->take_object(answer);
    }
    return {std::move(id), std::move(answer.body)};
}

std::string read_from_stripe(const Integration &integration, const std::string &path,
                             const stripe::Params &params, const stripe::Kind *kind) {
    core::SecretBytes key = open_secret_key(integration);
    StripeRequest request;
    request.path = path;
    request.params = params;
    request.key = &key;
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
        mirror->take_list(answer);
    } else if (mirror) {
        mirror->take_object(answer);
    }
    return std::move(answer.body);
}

} // namespace billstack::pg
