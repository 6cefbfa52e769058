// See api.hpp.
#include "api.hpp"

#include "api_error.hpp"
#include "lists.hpp"

#include <algorithm>

namespace stripe_sim {

static std::vector<std::string> segments_of(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        path.remove_prefix(1); // the slash
        size_t end = std::min(path.find('/'), path.size());
        out.push_back(percent_decode(path.substr(0, end), false));
        path.remove_prefix(end);
    }
    return out;
}

std::string path_template(std::string_view path) {
    std::vector<std::string> parts = segments_of(path);
    if (parts.size() < 2 || parts[0] != "v1")
        return "other";
    const std::string &top = parts[1];
    if (top == "account" && parts.size() == 2)
        return "/v1/account";
    if (find_kind_by_path(top) == nullptr && top != "accounts")
        return "other";
    std::string out = "/v1/" + top;
    if (parts.size() > 2)
        out += "/{id}";
    if (parts.size() == 4 && top == "invoices" && parts[3] == "lines")
        out += "/lines";
    else if (parts.size() > 3)
        return "other";
    return out;
}

static std::string decode_base64(std::string_view text) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0;
    unsigned held = 0;
    for (char c : text) {
        size_t value = digits.find(c);
        if (value == std::string_view::npos)
            break;
        held = held << 6 | static_cast<unsigned>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>(held >> bits & 0xff);
        }
    }
    return out;
}

std::string caller_key(const Request &request) {
    std::string_view header = request.header("authorization");
    if (header.substr(0, 7) == "Bearer ")
        return std::string{header.substr(7)};
    if (header.substr(0, 6) != "Basic ")
        return {};
    std::string pair = decode_base64(header.substr(6));
    return pair.substr(0, pair.find(':'));
}

Api::Api(const std::vector<AccountConfig> &accounts, size_t cache_bytes) : cache_{cache_bytes} {
    for (const AccountConfig &account : accounts)
        stores_.push_back(std::make_unique<Store>(account, cache_));
    for (auto &store : stores_)
        for (const KeyConfig &key : store->config().keys)
            callers_[key.key] = Caller{store.get(), key};
}

bool Api::set_key(std::string_view account, const KeyConfig &key) {
    Store *store = find_account(account);
    if (store != nullptr)
        callers_[key.key] = Caller{store, key};
    return store != nullptr;
}

Store *Api::find_account(std::string_view id) {
    for (auto &store : stores_)
        if (id.empty() || store->config().id == id)
            return store.get();
    return nullptr;
}

const Store *Api::caller_account(const Request &request) const {
    auto found = callers_.find(caller_key(request));
    return found == callers_.end() ? nullptr : found->second.store;
}

const Api::Caller &Api::authenticate(const Request &request) const {
    std::string key = caller_key(request);
    if (key.empty())
        throw ApiError{401,
                       "You did not provide an API key. You need to provide your API key in the "
                       "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
                       "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for "
                       "details, or we can help at https://support.stripe.com/."};
    auto found = callers_.find(key);
    if (found == callers_.end())
        throw ApiError{401, "Invalid API Key provided: " + mask_key(key)};
    return found->second;
}

static void require_permission(std::string_view kind, const KeyConfig &key,
                               const AccountConfig &account) {
    if (std::find(key.denied.begin(), key.denied.end(), kind) == key.denied.end())
        return;
    throw ApiError{403,
                   "The provided key '" + mask_key(key.key) +
                       "' does not have the required permissions for this endpoint on account '" +
                       account.id + "'. Having the 'rak_" + std::string{kind} +
                       "_read' permission would allow this request to continue."};
}

static void add_headers(const Request &request, Response &response) {
    std::string_view version = request.header("stripe-version");
    response.headers.emplace_back("Stripe-Version", version.empty() ? "2025-03-31.basil" : version);
    if (std::string_view key = request.header("idempotency-key"); !key.empty())
        response.headers.emplace_back("Idempotency-Key", key);
}

void Api::handle(const Request &request, Response &response) {
    add_headers(request, response);
    try {
        route(request, response);
    } catch (const ApiError &error) {
        response.status = error.status;
        response.body = error_body(error);
        if (error.status == 401)
            response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"Stripe\"");
    }
}

void Api::route(const Request &request, Response &response) {
    const Caller &caller = authenticate(request);
    if (request.method != "GET")
        throw unrecognized_url(request.method, request.path);
    get(caller, request, response);
}

void Api::get(const Caller &caller, const Request &request, Response &response) {
    std::vector<std::string> parts = segments_of(request.path);
    const AccountConfig &account = caller.store->config();
    bool v1 = parts.size() >= 2 && parts.size() <= 4 && parts[0] == "v1";
    if (!v1 || std::any_of(parts.begin(), parts.end(), [](const auto &one) { return one.empty(); }))
        throw unrecognized_url(request.method, request.path);
    std::vector<Parameter> query = parse_query(request.query);
    bool own = parts.size() == 2 && parts[1] == "account";
    if (own || (parts.size() == 3 && parts[1] == "accounts")) {
        only_expand(query);
        require_permission("account", caller.key, account);
        if (!own && parts[2] != account.id)
            throw ApiError{403,
                           "The provided key '" + mask_key(caller.key.key) +
                               "' does not have access to account '" + parts[2] +
                               "' (or that account does not exist). Application access may have "
                               "been revoked.",
                           "account_invalid"};
        response.body = caller.store->account_text() + "\n";
        return;
    }
    const KindInfo *kind = find_kind_by_path(parts[1]);
    if (kind == nullptr)
        throw unrecognized_url(request.method, request.path);
    bool item = kind->kind == Kind::subscription_item;
    require_permission(item ? "subscription" : kind->name, caller.key, account);
    if (parts.size() == 4) {
        if (kind->kind != Kind::invoice || parts[3] != "lines")
            throw unrecognized_url(request.method, request.path);
        return list_children(caller, info(Kind::invoice_line_item), parts[2], request, response);
    }
    if (parts.size() == 3) {
        only_expand(query);
        return read_one(caller, *kind, parts[2], response);
    }
    if (!item)
        return list_page(response.body, *caller.store, *kind, read_list_parameters(*kind, query));
    auto at = std::find_if(query.begin(), query.end(),
                           [](const auto &one) { return one.full_name == "subscription"; });
    if (at == query.end())
        throw ApiError{400, "Missing required param: subscription.", "parameter_missing",
                       "subscription"};
    list_children(caller, *kind, at->value, request, response);
}

static bool append_child(std::string &out, Store &store, Kind child, const std::string &id) {
    std::optional<uint64_t> number = store.world().ids().decode(child, id);
    if (!number || *number / max_items >= store.world().size(Kind::subscription))
        return false;
    std::string parent = store.world().ids().encode(Kind::subscription, *number / max_items);
    std::optional<std::vector<Store::Child>> children = store.children(child, parent);
    if (!children)
        return false;
    for (const Store::Child &one : *children)
        if (one.id == id) {
            out += one.text;
            return true;
        }
    return false;
}

void Api::read_one(const Caller &caller, const KindInfo &kind, const std::string &id,
                   Response &response) {
    Store &store = *caller.store;
    bool found = false;
    if (kind.kind == Kind::subscription_item) {
        found = append_child(response.body, store, kind.kind, id);
    } else if (std::optional<Key> key = store.find(kind.kind, id)) {
        store.append_text(response.body, kind.kind, *key);
        found = true;
    } else if (kind.kind == Kind::customer && store.was_deleted(kind.kind, id)) {
        // A deleted customer is still answered, as a stub.
        response.body =
            "{\n  \"id\": " + quoted(id) + ",\n  \"object\": \"customer\",\n  \"deleted\": true\n}";
        found = true;
    }
    if (!found)
        throw no_such(kind.name, id, 404, "id");
    response.body += '\n';
}

void Api::list_children(const Caller &caller, const KindInfo &kind, const std::string &parent,
                        const Request &request, Response &response) {
    bool items = kind.kind == Kind::subscription_item;
    ListParameters parameters =
        read_paging(parse_query(request.query), items ? "subscription" : "");
    std::optional<std::vector<Store::Child>> children = caller.store->children(kind.kind, parent);
    if (!children)
        throw no_such(items ? "subscription" : "invoice", parent, 404,
                      items ? "subscription" : "id");
    children_page(response.body, *children, parameters, kind.name,
                  items ? "/v1/subscription_items" : "/v1/invoices/" + parent + "/lines");
}

} // namespace stripe_sim
