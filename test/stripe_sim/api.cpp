// See api.hpp.
#include "api.hpp"

#include "api_error.hpp"
#include "lists.hpp"

#include <algorithm>

namespace stripe_sim {

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
        stores_.push_back(std::make_unique<Store>(account, cache_, clock_));
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

void require_permission(std::string_view kind, const KeyConfig &key, const AccountConfig &account,
                        std::string_view access) {
    std::string full = std::string{kind} + std::string{access};
    bool denied = std::any_of(key.denied.begin(), key.denied.end(),
                              [&](const std::string &one) { return one == kind || one == full; });
    if (!denied)
        return;
    throw ApiError{403,
                   "The provided key '" + mask_key(key.key) +
                       "' does not have the required permissions for this endpoint on account '" +
                       account.id + "'. Having the 'rak_" + full +
                       "' permission would allow this request to continue."};
}

static void add_headers(const Request &request, Response &response) {
    std::string_view version = request.header("stripe-version");
    response.headers.emplace_back("Stripe-Version", version.empty() ? "2025-03-31.basil" : version);
    if (std::string_view key = request.header("idempotency-key"); !key.empty())
        response.headers.emplace_back("Idempotency-Key", key);
}

static const std::string &required_parameter(const std::vector<Parameter> &query,
                                             const std::string &name) {
    for (const Parameter &one : query)
        if (one.full_name == name)
            return one.value;
    throw ApiError{400, "Missing required param: " + name + ".", "parameter_missing", name};
}

void Api::handle(const Request &request, Response &response) {
    add_headers(request, response);
    try {
        route(request, response);
    } catch (const JsonError &error) {
        response.status = 400;
        response.body = error_body({400, error.what()});
    } catch (const ApiError &error) {
        response.status = error.status;
        response.body = error_body(error);
        if (error.status == 401)
            response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"Stripe\"");
    }
}

void Api::route(const Request &request, Response &response) {
    const Caller &caller = authenticate(request);
    if (request.method == "GET")
        return get(caller, request, response);
    if (request.method != "POST" && request.method != "DELETE")
        throw unrecognized_url(request.method, request.path);
    const std::string &account = caller.store->config().id;
    if (answered_.replay(account, request, clock_, response))
        return;
    write(caller, request, response);
    answered_.keep(account, request, clock_, response);
}

void Api::hold(const Request &request, int64_t ms) {
    if (const Store *store = caller_account(request))
        answered_.hold(store->config().id, request, ms);
}

bool Api::is_kept(const Request &request) {
    const Store *store = caller_account(request);
    Response ignored;
    try {
        return store != nullptr && answered_.replay(store->config().id, request, clock_, ignored);
    } catch (const ApiError &) {
        return true; // the API refuses it by itself
    }
}

void Api::keep(const Request &request, const Response &response) {
    if (const Store *store = caller_account(request))
        answered_.keep(store->config().id, request, clock_, response);
}

void Api::get_account(const Caller &caller, const std::string &id,
                      const std::vector<Parameter> &query, Response &response) {
    const AccountConfig &account = caller.store->config();
    only_expand(query);
    require_permission("account", caller.key, account);
    if (!id.empty() && id != account.id)
        throw ApiError{403,
                       "The provided key '" + mask_key(caller.key.key) +
                           "' does not have access to account '" + id +
                           "' (or that account does not exist). Application access may have "
                           "been revoked.",
                       "account_invalid"};
    response.body = caller.store->account_text() + "\n";
}

void Api::get(const Caller &caller, const Request &request, Response &response) {
    std::vector<std::string> parts = segments_of(request.path);
    std::vector<Parameter> query = parse_query(request.query);
    if (parts.size() == 2 && parts[0] == "v1" && parts[1] == "account")
        return get_account(caller, "", query, response);
    if (parts.size() == 3 && parts[0] == "v1" && parts[1] == "accounts" && !parts[2].empty())
        return get_account(caller, parts[2], query, response);
    std::optional<Route> route = find_route(parts);
    if (!route || !route->action.empty())
        throw unrecognized_url(request.method, request.path);
    const KindInfo &kind = *route->kind;
    bool item = kind.kind == Kind::subscription_item;
    bool of_customer = route->sub != nullptr && kind.kind == Kind::customer;
    require_permission(item          ? "subscription"
                       : of_customer ? route->sub->name
                                     : kind.name,
                       caller.key, caller.store->config());
    if (of_customer)
        return get_of_customer(caller, *route, query, response);
    if (route->sub != nullptr)
        return list_children(caller, *route->sub, route->id, request, response);
    if (!route->id.empty()) {
        only_expand(query);
        return read_one(caller, kind, route->id, response);
    }
    if (item)
        return list_children(caller, kind, required_parameter(query, "subscription"), request,
                             response);
    if (kind.kind == Kind::active_entitlement)
        required_parameter(query, "customer");
    ListParameters parameters = read_list_parameters(kind, query);
    if (kind.kind == Kind::tax_id) // without a customer: the account's own
        parameters.filters.push_back({"customer", {""}});
    list_page(response.body, *caller.store, kind, parameters, "/v1/" + std::string{kind.path});
}

// What hangs on a customer: /v1/customers/{id}/tax_ids, /v1/customers/{id}/tax_ids/{id}.
void Api::get_of_customer(const Caller &caller, const Route &route,
                          const std::vector<Parameter> &query, Response &response) {
    Store &store = *caller.store;
    if (!store.find(Kind::customer, route.id))
        throw no_such("customer", route.id, 404, "customer");
    if (!route.sub_id.empty()) {
        only_expand(query);
        std::optional<Key> key = store.find(route.sub->kind, route.sub_id);
        if (key && !store.field_is(route.sub->kind, *key, "customer", route.id))
            throw no_such(route.sub->name, route.sub_id, 404, "id");
        return read_one(caller, *route.sub, route.sub_id, response);
    }
    ListParameters parameters = read_list_parameters(*route.sub, query);
    parameters.filters.push_back({"customer", {route.id}});
    list_page(response.body, store, *route.sub, parameters,
              "/v1/customers/" + route.id + "/" + std::string{route.sub->under_customer});
}

std::string deleted_stub(const KindInfo &kind, const std::string &id) {
    return "{\n  \"id\": " + quoted(id) + ",\n  \"object\": " + quoted(kind.object_name()) +
           ",\n  \"deleted\": true\n}";
}

void Api::require_write(const Caller &caller, const KindInfo &kind) const {
    require_permission(kind.name, caller.key, caller.store->config(), "_write");
}

void Api::read_one(const Caller &caller, const KindInfo &kind, const std::string &id,
                   Response &response) {
    Store &store = *caller.store;
    bool found = false;
    if (kind.kind == Kind::subscription_item) {
        found = store.append_item(response.body, id);
    } else if (std::optional<Key> key = store.find(kind.kind, id);
               key && !store.is_forgotten(kind.kind, *key)) {
        store.append_text(response.body, kind.kind, *key);
        found = true;
    } else if (kind.kind == Kind::customer && store.was_deleted(kind.kind, id)) {
        // A deleted customer is still answered, as a stub.
        response.body = deleted_stub(kind, id);
        found = true;
    }
    if (!found)
        throw no_such(kind.name, id, 404, "id");
    response.body += '\n';
}

void Api::list_children(const Caller &caller, const KindInfo &kind, const std::string &parent,
                        const Request &request, Response &response) {
    const ChildList &list = *child_list(kind.kind);
    bool items = list.path.empty();
    ListParameters parameters =
        read_paging(parse_query(request.query), items ? "subscription" : "");
    std::optional<std::vector<Store::Child>> children = caller.store->children(kind.kind, parent);
    const KindInfo &of = info(list.parent);
    if (!children)
        throw no_such(of.name, parent, 404, items ? "subscription" : "id");
    std::string url = "/v1/" + std::string{of.path} + "/" + parent + "/" + std::string{list.path};
    children_page(response.body, *children, parameters, kind.name,
                  items ? "/v1/subscription_items" : url);
}

} // namespace stripe_sim
