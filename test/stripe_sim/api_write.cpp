// POST and DELETE of the API: each becomes a change that an event tells of.
#include "api.hpp"

#include "api_error.hpp"
#include "billing.hpp"
#include "form.hpp"
#include "maker.hpp"
#include "parameters.hpp"

#include <algorithm>

namespace stripe_sim {

namespace {

// What can be written, and what a creation must name.
struct Writable {
    Kind kind;
    std::array<std::string_view, 2> required;
    /// Parameters that are no members of the object.
    std::array<std::string_view, 4> extra;
    /// What an object made from Stripe's example must not keep of it.
    std::string_view cleared;
    bool deletes;
};

constexpr Writable writables[] = {
    {Kind::customer, {}, {"source", "payment_method"}, R"({"email": null, "name": null})", true},
    {Kind::product, {"name"}, {}, R"({"description": null, "unit_label": null})", true},
    {Kind::price, {"currency", "product"}, {}, R"({"recurring": null, "type": "one_time"})", false},
    {Kind::plan, {"currency", "interval"}, {}, "{}", true},
    {Kind::subscription,
     {"customer", "items"},
     {"payment_behavior", "proration_behavior"},
     R"({"status": "active", "cancel_at": null, "cancel_at_period_end": false})",
     true},
    {Kind::invoice, {"customer"}, {"subscription", "pending_invoice_items_behavior"}, "{}", true},
    {Kind::refund, {}, {}, "{}", false},
    {Kind::checkout_session, {}, {}, "{}", false},
    {Kind::coupon,
     {},
     {},
     R"({"amount_off": null, "percent_off": null, "duration": "once",
         "duration_in_months": null, "redeem_by": null, "name": null})",
     true},
    {Kind::promotion_code, {}, {"coupon"}, R"({"active": true, "expires_at": null})", false},
    {Kind::tax_rate, {"display_name", "percentage"}, {}, "{}", false},
    {Kind::tax_id, {"type", "value"}, {}, "{}", true},
    {Kind::feature, {"lookup_key", "name"}, {}, "{}", false},
    {Kind::payment_intent, {"amount", "currency"}, {"confirm"}, R"({"customer": null})", false},
    {Kind::webhook_endpoint,
     {"url", "enabled_events"},
     {"disabled", "connect"},
     R"({"description": null})",
     true},
};

const Writable *find_writable(Kind kind) {
    for (const Writable &one : writables)
        if (one.kind == kind)
            return &one;
    return nullptr;
}

bool has(const json_t *form, const char *name) {
    const json_t *value = json_object_get(form, name);
    return value != nullptr && !json_is_null(value);
}

void check_names(const Writable &of, const json_t *form, const json_t *example, bool creates) {
    if (std::string_view taken = parameters_of_kind(of.kind, creates); !taken.empty())
        return check_parameters(taken, form);
    bool own_id = of.kind == Kind::coupon || of.kind == Kind::product || of.kind == Kind::plan;
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(form), name, value) {
        std::string_view given{name};
        bool fixed = given == "object" || given == "created" || given == "livemode" ||
                     (given == "id" && !own_id);
        bool extra = std::find(of.extra.begin(), of.extra.end(), given) != of.extra.end();
        bool known = given == "expand" || extra || json_object_get(example, name) != nullptr;
        if (!known || fixed)
            throw unknown_parameter(given);
    }
}

void check_required(const Writable &of, const json_t *form) {
    for (std::string_view name : of.required)
        if (!name.empty() && !has(form, std::string{name}.c_str()))
            throw ApiError{400, "Missing required param: " + std::string{name} + ".",
                           "parameter_missing", std::string{name}};
}

void check_references(Store &store, Kind of, const json_t *form) {
    if (of == Kind::refund)
        return;
    for (auto [member, kind] : {std::pair{"customer", Kind::customer},
                                {"product", Kind::product},
                                {"charge", Kind::charge},
                                {"payment_intent", Kind::payment_intent}})
        if (json_is_string(json_object_get(form, member)) &&
            !store.find(kind, get_string(form, member)))
            throw no_such(info(kind).name, get_string(form, member), 400, member);
}

// {"items": [{"price": id}]} as the object has it: a list of items with whole prices.
void shape_items(Store &store, json_t *form) {
    json_t *items = json_object_get(form, "items");
    if (!json_is_array(items))
        return;
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) {
        std::string id = get_string(item, "price");
        std::optional<Key> key = store.find(Kind::price, id);
        if (!key)
            throw no_such("price", id, 400, "items[" + std::to_string(i) + "][price]");
        Json whole = item_for(store.document(Kind::price, *key).get(), get_int(item, "quantity", 1),
                              store.clock().now());
        json_object_del(item, "price");
        json_object_update_missing(item, whole.get());
    }
    Json data{json_incref(items)};
    json_t *list = json_object();
    json_object_set(list, "data", data.get());
    json_object_set_new(form, "items", list);
}

void shape_webhook(json_t *form) {
    std::string url = get_string(form, "url");
    if (!url.empty() && !url.starts_with("https://") && !url.starts_with("http://"))
        throw ApiError{400, "Invalid URL: An explicit scheme (such as https) must be provided.",
                       "url_invalid", "url"};
    const json_t *events = json_object_get(form, "enabled_events");
    if (events != nullptr && json_array_size(events) == 0)
        throw ApiError{400, "Invalid array", "", "enabled_events"};
    for (size_t i = 0; i < json_array_size(events); ++i) {
        const char *type = json_string_value(json_array_get(events, i));
        std::string_view name{type != nullptr ? type : ""};
        bool dotted = name.find('.') != std::string_view::npos &&
                      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") ==
                          std::string_view::npos;
        if (name != "*" && !dotted)
            throw ApiError{400, "Invalid enabled_events[" + std::to_string(i) + "]", "",
                           "enabled_events[" + std::to_string(i) + "]"};
    }
    if (const json_t *disabled = json_object_get(form, "disabled")) {
        json_object_set_new(form, "status",
                            json_string(json_is_true(disabled) ? "disabled" : "enabled"));
    }
}

void shape_customer(const json_t *form) {
    std::string email = get_string(form, "email");
    if (!email.empty() && (email.find('@') == std::string::npos || email.size() > 512))
        throw ApiError{400, "Invalid email address: " + email, "email_invalid", "email"};
}

void check_price(const json_t *form) {
    if (get_int(form, "unit_amount", 0) < 0)
        throw ApiError{400, "Invalid non-negative integer", "parameter_invalid_integer",
                       "unit_amount"};
    const json_t *recurring = json_object_get(form, "recurring");
    std::string interval = get_string(recurring, "interval");
    if (recurring != nullptr && interval != "day" && interval != "week" && interval != "month" &&
        interval != "year")
        throw ApiError{400, "Invalid recurring[interval]: must be one of day, month, week, or year",
                       "", "recurring[interval]"};
}

void shape_price(json_t *form) {
    check_price(form);
    if (json_is_object(json_object_get(form, "recurring"))) {
        json_object_set_new(form, "type", json_string("recurring"));
        Json whole = parse_json(R"({"interval_count": 1, "meter": null, "trial_period_days": null,
                                    "usage_type": "licensed"})");
        json_object_update_missing(json_object_get(form, "recurring"), whole.get());
    }
    if (has(form, "unit_amount"))
        json_object_set_new(form, "unit_amount_decimal",
                            json_string(std::to_string(get_int(form, "unit_amount", 0)).c_str()));
}

void shape(Store &store, Kind kind, json_t *form) {
    json_object_del(form, "expand");
    if (kind == Kind::subscription)
        shape_items(store, form);
    else if (kind == Kind::webhook_endpoint)
        shape_webhook(form);
    else if (kind == Kind::price)
        shape_price(form);
    else if (kind == Kind::customer)
        shape_customer(form);
    else if (kind == Kind::promotion_code && has(form, "coupon"))
        set_path(form, "promotion.coupon", json_incref(json_object_get(form, "coupon")));
    const Writable &of = *find_writable(kind);
    for (std::string_view extra : of.extra)
        if (!extra.empty())
            json_object_del(form, std::string{extra}.c_str());
}

// Whether a member is asked for that is left out otherwise.
bool expands_hidden(const KindInfo &kind, const json_t *expand) {
    for (size_t i = 0; i < json_array_size(expand); ++i) {
        const char *path = json_string_value(json_array_get(expand, i));
        if (path != nullptr && kind.kind == Kind::checkout_session && path == kind.hidden)
            return true;
    }
    return false;
}

// What /v1/invoices/{id}/{action} and the like make of the object; null for an unknown action.
const char *action_fields(Kind kind, const std::string &action) {
    struct {
        Kind kind;
        std::string_view action;
        const char *fields;
    } static constexpr actions[] = {
        {Kind::invoice, "finalize", R"({"status": "open"})"},
        {Kind::invoice, "pay", R"({"status": "paid"})"},
        {Kind::invoice, "void", R"({"status": "void"})"},
        {Kind::invoice, "mark_uncollectible", R"({"status": "uncollectible"})"},
        {Kind::payment_intent, "cancel", R"({"status": "canceled"})"},
        {Kind::payment_intent, "confirm", R"({"status": "succeeded"})"},
        {Kind::payment_method, "detach", R"({"customer": null})"},
    };
    for (const auto &one : actions)
        if (one.kind == kind && one.action == action)
            return one.fields;
    return nullptr;
}

} // namespace

void Api::write(const Caller &caller, const Request &request, Response &response) {
    if (request.path == "/v1/billing_portal/sessions" && request.method == "POST")
        return write_portal(caller, request, response);
    std::optional<Route> route = find_route(segments_of(request.path));
    if (!route)
        throw unrecognized_url(request.method, request.path);
    bool of_customer = route->sub != nullptr && route->kind->kind == Kind::customer;
    const KindInfo &kind = of_customer ? *route->sub : *route->kind;
    const std::string &id = of_customer ? route->sub_id : route->id;
    bool acted = !route->action.empty() &&
                 (action_fields(kind.kind, route->action) != nullptr ||
                  (kind.kind == Kind::checkout_session && route->action == "expire"));
    const Writable *of = find_writable(kind.kind);
    bool child = route->sub != nullptr && !of_customer;
    if (child || (!route->action.empty() && !acted) || (!acted && of == nullptr))
        throw unrecognized_url(request.method, request.path);
    require_write(caller, kind);
    Store &store = *caller.store;
    Rng rng{mix64(store.config().seed, ++written_)};
    std::string key{request.header("idempotency-key")};
    if (request.method == "DELETE")
        return erase(store, kind, id, of->deletes, rng, request, response);
    Json form = parse_form(request.body);
    bool whole = expands_hidden(kind, json_object_get(form.get(), "expand"));
    std::string written = write_object(store, kind, *route, std::move(form), rng, key);
    if (id.empty())
        made_.push_back({store.config().id, std::string{kind.name}, written, key});
    // The secret of an endpoint is shown once.
    if (whole || (kind.kind == Kind::webhook_endpoint && id.empty()))
        response.body = pretty(store.document(kind.kind, *store.find(kind.kind, written)).get());
    else
        store.append_text(response.body, kind.kind, *store.find(kind.kind, written));
    response.body += '\n';
}

std::string Api::write_object(Store &store, const KindInfo &kind, const Route &route, Json form,
                              Rng &rng, const std::string &key) {
    bool of_customer = route.sub != nullptr;
    const std::string &id = of_customer ? route.sub_id : route.id;
    Writing writing{store, rng, key};
    if (kind.kind == Kind::checkout_session && !route.action.empty())
        return expire_session(writing, id), id;
    Change change{id.empty() ? Op::create : Op::update, kind.kind, id};
    change.idempotency_key = key;
    if (!route.action.empty())
        form = parse_json(action_fields(kind.kind, route.action));
    else
        form = read_form(store, kind.kind, std::move(form), change.op == Op::create);
    if (kind.kind == Kind::checkout_session && id.empty())
        return create_session(writing, form.get());
    if (kind.kind == Kind::refund && id.empty())
        return create_refund(writing, form.get());
    if (kind.kind == Kind::subscription && !id.empty())
        return update_subscription(writing, id, form.get()), id;
    if (of_customer)
        json_object_set_new(form.get(), "customer", json_string(route.id.c_str()));
    change.fields = form.get();
    return apply_change(store, change, rng).id;
}

void Api::write_portal(const Caller &caller, const Request &request, Response &response) {
    require_permission("customer_portal", caller.key, caller.store->config(), "_write");
    Json form = parse_form(request.body);
    check_parameters(portal_parameters, form.get());
    Rng rng{mix64(caller.store->config().seed, ++written_)};
    std::string key{request.header("idempotency-key")};
    Json session = portal_session({*caller.store, rng, key}, form.get());
    made_.push_back(
        {caller.store->config().id, "portal_session", get_string(session.get(), "id"), key});
    response.body = pretty(session.get()) + "\n";
}

Json Api::read_form(Store &store, Kind kind, Json form, bool creates) {
    const Writable &of = *find_writable(kind);
    Json example = fixture(info(kind).object_name());
    check_names(of, form.get(), example.get(), creates);
    give_types(form.get(), example.get());
    if (creates)
        check_required(of, form.get());
    check_references(store, kind, form.get());
    if (kind == Kind::subscription && !creates) // its items are merged, not replaced
        return form;
    shape(store, kind, form.get());
    if (!creates)
        return form;
    Json fields = parse_json(of.cleared);
    if (kind == Kind::webhook_endpoint) {
        std::string secret;
        store.world().ids().append_foreign(secret, "whsec_", 32, ++written_);
        json_object_set_new(fields.get(), "secret", json_string(secret.c_str()));
    }
    json_object_update(fields.get(), form.get());
    return fields;
}

void Api::erase(Store &store, const KindInfo &kind, const std::string &id, bool deletes, Rng &rng,
                const Request &request, Response &response) {
    if (id.empty() || !deletes)
        throw unrecognized_url(request.method, request.path);
    std::optional<Key> key = store.find(kind.kind, id);
    if (key && kind.kind == Kind::invoice && !store.field_is(kind.kind, *key, "status", "draft"))
        throw ApiError{400, "You can only delete draft invoices. To cancel an invoice, void it.",
                       "invoice_not_editable"};
    if (kind.kind == Kind::subscription)
        require_live_subscription(store, id);
    Change change{Op::remove, kind.kind, id};
    change.idempotency_key = request.header("idempotency-key");
    apply_change(store, change, rng);
    if (std::optional<Key> stays = store.find(kind.kind, id))
        store.append_text(response.body, kind.kind, *stays);
    else
        response.body = deleted_stub(kind, id);
    response.body += '\n';
}

} // namespace stripe_sim
