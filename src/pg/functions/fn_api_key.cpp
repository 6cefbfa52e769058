// API keys of teams: made, listed, revoked, and presented. The raw key is in SecretBytes, in the
// answer that hands it over, and nowhere else; stored is its SHA-256.
#include "crypto/api_key.hpp"
#include "crypto/public_id.hpp"
#include "pg/access/api_key_store.hpp"
#include "pg/access/principal.hpp"
#include "pg/access/team_access.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/key_check.hpp"
#include "stripe/metadata.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t prefix_size = 7; // "bs_" and four digits
constexpr std::size_t longest_name = 200;

std::string name_argument(const Args &args, int position) {
    std::string name = args.text(position, "name");
    if (name.empty() || name.size() > longest_name) {
        throw core::Error(core::Code::bad_argument, "bad name of an API key",
                          "A name has 1 to 200 bytes.");
    }
    stripe::refuse_card_number("name", name);
    return name;
}

// Each once, in the order given. NULL and {} are the same: all scopes.
std::vector<std::string> scopes_argument(const Args &args, int position) {
    std::vector<std::string> scopes;
    for (std::string &scope :
         args.optional_text_array(position).value_or(std::vector<std::string>())) {
        if (!is_scope(scope)) {
            throw core::Error(core::Code::bad_argument, "unknown scope \"" + scope + "\"",
                              "Scopes are customers:read, customers:write, products:read, "
                              "products:write, subscriptions:read, subscriptions:write, "
                              "referrals:read, referrals:write and analytics:read.",
                              "Without scopes the key may do everything in its projects.");
        }
        if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) {
            scopes.push_back(std::move(scope));
        }
    }
    return scopes;
}

std::optional<TimestampTz> expiry_argument(const Args &args, int position) {
    std::optional<TimestampTz> at = args.optional_timestamp(position);
    if (at && (TIMESTAMP_NOT_FINITE(*at) || *at <= GetCurrentTimestamp())) {
        throw core::Error(core::Code::bad_argument, "expires_at must be a time to come",
                          "An API key that has expired is good for nothing.",
                          "Leave it out for a key that never expires.");
    }
    return at;
}

json::Node shown_key(const ApiKey &key) {
    json::Node scopes = json::Node::array();
    for (const std::string &scope : key.scopes) {
        scopes.append(scope);
    }
    json::Node node = json::Node::object();
    node.set("id", key.id)
        .set("name", key.name)
        .set("prefix", key.prefix)
        .set("projectId", key.project_id)
        .set("scopes", std::move(scopes))
        .set("expiresAt", json_time(key.expires_at))
        .set("createdAt", json_time(key.created_at));
    return node;
}

json::Node listed_key(const ApiKey &key) {
    std::optional<TimestampTz> used = last_key_use(key.id);
    if (!used || (key.last_used_at && *key.last_used_at > *used)) {
        used = key.last_used_at;
    }
    json::Node node = shown_key(key);
    node.set("createdBy", key.created_by)
        .set("revokedAt", json_time(key.revoked_at))
        .set("lastUsedAt", json_time(used));
    return node;
}

// {"key":{...},"rawKey":"..."}: the text is put together in memory that is wiped.
Datum answer_with(const ApiKey &key, const core::SecretBytes &raw) {
    json::Node node = json::Node::object();
    node.set("key", shown_key(key));
    std::string shown = node.dump();
    constexpr std::string_view before = ",\"rawKey\":\"";
    constexpr std::string_view after = "\"}";
    shown.pop_back(); // the closing brace
    core::SecretBytes text =
        core::SecretBytes::of_size(shown.size() + before.size() + raw.size() + after.size() + 1);
    auto at = std::copy(shown.begin(), shown.end(), text.bytes().begin());
    at = std::copy(before.begin(), before.end(), at);
    at = std::copy(raw.view().begin(), raw.view().end(), at);
    (void)std::copy(after.begin(), after.end(), at); // the last byte stays zero
    auto *json = reinterpret_cast<char *>(text.bytes().data());
    return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json)); });
}

// Unknown, revoked and expired keys must not be told apart.
[[noreturn]] void refuse_key() {
    throw core::Error(core::Code::bad_credential, "invalid API key",
                      "The key is unknown, revoked or expired.",
                      "Make a new one with billstack.create_api_key().");
}

core::Error unknown_key(const std::string &id) {
    return core::Error(core::Code::unknown_object, "API key \"" + id + "\" does not exist",
                       "There is no such key, or you have no access to its team.",
                       "See billstack.list_api_keys().");
}

json::Node shown_principal(const KnownKey &key) {
    json::Node scopes = json::Node::array();
    for (const std::string &scope : key.scopes) {
        scopes.append(scope);
    }
    json::Node node = json::Node::object();
    node.set("keyId", key.id)
        .set("team", key.team)
        .set("projectId", key.project_id)
        .set("scopes", std::move(scopes));
    return node;
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_create_api_key) {
    ApiKey key;
    key.team = args.text(0, "team");
    key.name = name_argument(args, 1);
    key.project_id = args.optional_text(2);
    key.scopes = scopes_argument(args, 3);
    key.expires_at = expiry_argument(args, 4);
    require_writable("billstack.create_api_key");
    require_team(key.team, Need::act);
    if (key.project_id && !team_has_project(key.team, *key.project_id)) {
        throw unknown_project(*key.project_id);
    }
    core::SecretBytes raw = crypto::make_api_key();
    key.id = crypto::make_public_id("key_");
    key.prefix = raw.view().substr(0, prefix_size);
    key.created_by = current_role_name();
    insert_api_key(key, crypto::sha256(raw.view()));
    return answer_with(key, raw);
}

BILLSTACK_SQL_FUNCTION(billstack_list_api_keys) {
    std::string team = args.text(0, "team");
    require_team(team, Need::act);
    json::Node keys = json::Node::array();
    for (const ApiKey &key : api_keys_of(team)) {
        keys.append(listed_key(key));
    }
    json::Node answer = json::Node::object();
    answer.set("keys", std::move(keys));
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_revoke_api_key) {
    std::string id = args.text(0, "id");
    require_writable("billstack.revoke_api_key");
    refuse_principal();
    std::optional<ApiKey> key = find_api_key(id, false);
    if (!key || !may_use_team(key->team, Need::see)) {
        throw unknown_key(id);
    }
    require_team(key->team, Need::act);
    (void)find_api_key(id, true);
    revoke_api_key(id);
    json::Node answer = json::Node::object();
    answer.set("success", true).set("key", listed_key(find_api_key(id, false).value_or(*key)));
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_authenticate) {
    hide_statement();
    core::SecretBytes raw = args.secret(0, "api_key");
    std::optional<KnownKey> key;
    KeyHash hash = crypto::sha256(raw.view());
    if (crypto::is_api_key_shaped(raw.view())) {
        key = known_key(hash);
    }
    raw.wipe();
    TimestampTz now = GetCurrentTimestamp();
    if (!key || key->revoked || (key->expires_at && *key->expires_at <= now)) {
        refuse_key();
    }
    json::Node answer = shown_principal(*key);
    note_key_use(key->id, now);
    set_principal({key->id, key->team, key->project_id, key->scopes});
    return return_jsonb(answer);
}
