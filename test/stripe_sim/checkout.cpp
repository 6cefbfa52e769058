// Checkout sessions and the customer portal: what the API makes of them. See billing.hpp.
#include "billing.hpp"

#include "api_error.hpp"

namespace stripe_sim {

static json_t *text(const std::string &value) {
    return json_stringn(value.data(), value.size());
}

namespace {

void check_url(const json_t *form, const char *name, bool required) {
    std::string url = get_string(form, name);
    if (url.empty()) {
        if (required)
            throw ApiError{400, "Missing required param: " + std::string{name} + ".",
                           "parameter_missing", name};
        return;
    }
    bool web = url.starts_with("https://") || url.starts_with("http://");
    if (!web || url.find(' ') != std::string::npos)
        throw ApiError{400, "Not a valid URL", "url_invalid", name};
    if (url.size() > 5000)
        throw ApiError{
            400, "Invalid string: " + url.substr(0, 10) + "...; must be at most 5000 characters",
            "", name};
}

std::string checked_mode(const json_t *form) {
    std::string mode = get_string(form, "mode");
    if (mode.empty())
        throw ApiError{400, "Missing required param: mode.", "parameter_missing", "mode"};
    if (mode != "payment" && mode != "setup" && mode != "subscription")
        throw ApiError{400, "Invalid mode: must be one of payment, setup, or subscription", "",
                       "mode"};
    struct {
        const char *name;
        std::string_view mode;
    } static constexpr belongs[] = {{"subscription_data", "subscription"},
                                    {"payment_intent_data", "payment"},
                                    {"setup_intent_data", "setup"},
                                    {"submit_type", "payment"}};
    for (const auto &one : belongs)
        if (json_object_get(form, one.name) != nullptr && one.mode != mode)
            throw ApiError{
                400, "You can not pass `" + std::string{one.name} + "` in `" + mode + "` mode.", "",
                one.name};
    return mode;
}

void check_trial(const json_t *form) {
    const json_t *data = json_object_get(form, "subscription_data");
    if (json_object_get(data, "trial_period_days") == nullptr)
        return;
    int64_t days = get_int(data, "trial_period_days", 0);
    const char *param = "subscription_data[trial_period_days]";
    if (days < 1)
        throw ApiError{400, "The minimum number of trial period days is 1.", "", param};
    if (days > 730)
        throw ApiError{400, "The maximum number of trial period days is 730 (2 years).", "", param};
}

// The session's own form of its lines.
class Lines {
  public:
    Lines(const Writing &writing, std::string mode) : writing_{writing}, mode_{std::move(mode)} {}

    void take(const json_t *form) {
        const json_t *lines = json_object_get(form, "line_items");
        if (mode_ == "setup") {
            if (lines != nullptr)
                throw ApiError{400, "You can not pass `line_items` in `setup` mode.", "",
                               "line_items"};
            return;
        }
        if (json_array_size(lines) == 0)
            throw ApiError{400, "Missing required param: line_items.", "parameter_missing",
                           "line_items"};
        size_t i;
        json_t *one;
        json_array_foreach(const_cast<json_t *>(lines), i, one)
            line("line_items[" + std::to_string(i) + "]", one);
        if (mode_ == "subscription" && !recurring_)
            throw ApiError{400,
                           "You must provide at least one recurring price in `subscription` "
                           "mode when using prices.",
                           "", "mode"};
    }

    int64_t total() const { return total_; }
    const std::string &currency() const { return currency_; }
    Json data() { return std::move(data_); }

  private:
    void check_active(const json_t *price, const std::string &at) {
        Store &store = writing_.store;
        std::string product = get_string(price, "product");
        std::optional<Key> key = store.find(Kind::product, product);
        bool sold = key && get_bool(store.document(Kind::product, *key).get(), "active", true);
        if (!get_bool(price, "active", true))
            throw ApiError{400,
                           "The price specified is inactive. This field only accepts active "
                           "prices.",
                           "", at + "[price]"};
        if (!sold)
            throw ApiError{400, "The product `" + product + "` of the price is inactive.", "",
                           at + "[price]"};
    }

    void line(const std::string &at, const json_t *one) {
        std::string id = get_string(one, "price");
        if (id.empty())
            throw ApiError{400, "Missing required param: " + at + "[price].", "parameter_missing",
                           at + "[price]"};
        Json price = require_price(writing_.store, id, at + "[price]");
        check_active(price.get(), at);
        bool recurs = get_string(price.get(), "type") == "recurring";
        if (recurs && mode_ == "payment")
            throw ApiError{400,
                           "You specified `payment` mode but passed a recurring price. Either "
                           "switch to `subscription` mode or use only one-time prices.",
                           "", "mode"};
        recurring_ = recurring_ || recurs;
        if (json_object_get(one, "quantity") == nullptr)
            throw ApiError{400, "Quantity is required. Add `quantity` to `" + at + "`.", "",
                           at + "[quantity]"};
        int64_t quantity = get_int(one, "quantity", 1);
        if (quantity < 1 || quantity > 999999)
            throw ApiError{400, "Invalid quantity: must be between 1 and 999999", "",
                           at + "[quantity]"};
        int64_t amount = amount_of(price.get(), quantity);
        total_ += amount;
        std::string currency = get_string(price.get(), "currency");
        if (!currency_.empty() && currency_ != currency)
            throw ApiError{400, "All prices on a Checkout Session must have the same currency.", "",
                           at + "[price]"};
        currency_ = currency;
        Json item = parse_json(R"({"amount_discount": 0, "amount_tax": 0})");
        json_object_set_new(item.get(), "amount_subtotal", json_integer(amount));
        json_object_set_new(item.get(), "amount_total", json_integer(amount));
        json_object_set_new(item.get(), "currency", text(currency));
        json_object_set_new(item.get(), "quantity", json_integer(quantity));
        json_object_set_new(item.get(), "price", price.release());
        json_array_append_new(data_.get(), item.release());
    }

    const Writing &writing_;
    std::string mode_;
    Json data_{json_array()};
    int64_t total_ = 0;
    std::string currency_;
    bool recurring_ = false;
};

std::string drawn(const Writing &writing, std::string_view prefix, size_t length) {
    std::string out;
    writing.store.world().ids().append_foreign(out, prefix, length, writing.rng.below(max_index));
    return out;
}

// What Stripe's example has and an open session has not.
constexpr std::string_view open_session = R"({
    "status": "open", "payment_status": "unpaid", "payment_intent": null, "metadata": {},
    "currency_conversion": null, "customer_details": null, "consent": null, "custom_text":
    {"after_submit": null, "shipping_address": null, "submit": null,
     "terms_of_service_acceptance": null},
    "invoice_creation": null, "saved_payment_method_options": null, "permissions": null,
    "adaptive_pricing": null, "managed_payments": null, "wallet_options": null,
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "cancel_url": null, "success_url": null, "customer": null, "ui_mode": "hosted",
    "billing_address_collection": null, "payment_method_collection": null})";

} // namespace

std::string create_session(const Writing &writing, const json_t *form) {
    Store &store = writing.store;
    std::string mode = checked_mode(form);
    check_url(form, "success_url", true);
    check_url(form, "cancel_url", false);
    check_trial(form);
    Lines lines{writing, mode};
    lines.take(form);
    bool setup = mode == "setup";
    if (setup && !json_object_get(form, "currency") &&
        !json_object_get(form, "payment_method_types"))
        throw ApiError{400,
                       "You must provide `currency` in `setup` mode when "
                       "`payment_method_types` is not set.",
                       "parameter_missing", "currency"};
    Json fields = parse_json(open_session);
    for (const char *name :
         {"customer", "success_url", "cancel_url", "metadata", "mode", "client_reference_id",
          "customer_email", "currency", "locale", "submit_type", "expires_at",
          "payment_method_types", "billing_address_collection", "payment_method_collection"})
        if (json_t *value = json_object_get(form, name))
            json_object_set(fields.get(), name, value);
    std::string id = store.fresh_id(Kind::checkout_session);
    if (store.config().livemode)
        id.replace(0, 8, "cs_live_");
    json_object_set_new(fields.get(), "id", text(id));
    json_object_set_new(fields.get(), "url",
                        text("https://checkout.stripe.com/c/pay/" + id + "#simulated"));
    if (setup) {
        json_object_set_new(fields.get(), "payment_status", json_string("no_payment_required"));
    } else {
        json_object_set_new(fields.get(), "amount_subtotal", json_integer(lines.total()));
        json_object_set_new(fields.get(), "amount_total", json_integer(lines.total()));
        json_object_set_new(fields.get(), "currency", text(lines.currency()));
    }
    set_path(fields.get(), "line_items.data", lines.data().release());
    apply(writing, Op::create, Kind::checkout_session, "", std::move(fields), "", true);
    Json data{json_object()};
    for (const char *name : {"subscription_data", "payment_intent_data", "setup_intent_data"})
        if (json_t *value = json_object_get(form, name))
            json_object_set(data.get(), name, value);
    store.session_data[id] = std::move(data);
    return id;
}

void expire_session(const Writing &writing, const std::string &id) {
    std::optional<Key> key = writing.store.find(Kind::checkout_session, id);
    if (!key)
        throw no_such("checkout.session", id, 404, "id");
    Json session = writing.store.document(Kind::checkout_session, *key);
    std::string status = get_string(session.get(), "status");
    if (status != "open")
        throw ApiError{400, "Only Checkout Sessions with a status in [\"open\"] can be expired. "
                            "This Checkout Session has a status of " +
                                status + "."};
    apply(writing, Op::update, Kind::checkout_session, id,
          parse_json(R"({"status": "expired", "url": null})"));
}

Json portal_session(const Writing &writing, const json_t *form) {
    std::string customer = get_string(form, "customer");
    if (customer.empty())
        throw ApiError{400, "Missing required param: customer.", "parameter_missing", "customer"};
    if (!writing.store.find(Kind::customer, customer))
        throw no_such("customer", customer, 400, "customer");
    check_url(form, "return_url", false);
    Json out{json_object()};
    std::string id = drawn(writing, "bps_", 24);
    json_object_set_new(out.get(), "id", text(id));
    json_object_set_new(out.get(), "object", json_string("billing_portal.session"));
    json_object_set_new(out.get(), "configuration", text(drawn(writing, "bpc_", 24)));
    json_object_set_new(out.get(), "created", json_integer(writing.store.clock().now()));
    json_object_set_new(out.get(), "customer", text(customer));
    json_object_set_new(out.get(), "flow", json_null());
    json_object_set_new(out.get(), "livemode", json_boolean(writing.store.config().livemode));
    json_object_set_new(out.get(), "locale", json_null());
    json_object_set_new(out.get(), "on_behalf_of", json_null());
    json_t *back = json_object_get(form, "return_url");
    json_object_set_new(out.get(), "return_url", back != nullptr ? json_incref(back) : json_null());
    json_object_set_new(out.get(), "url",
                        text("https://billing.stripe.com/p/session/" + id.substr(4)));
    return out;
}

} // namespace stripe_sim
