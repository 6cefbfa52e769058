// Refunds and subscriptions, and what checkout shares with them. See billing.hpp.
#include "billing.hpp"

#include "api_error.hpp"
#include "maker.hpp"

#include <ctime>

namespace stripe_sim {

static json_t *text(const std::string &value) {
    return json_stringn(value.data(), value.size());
}

ChangeResult apply(const Writing &writing, Op op, Kind kind, const std::string &id, Json fields,
                   const std::string &type, bool silent) {
    Change change{op, kind, id};
    change.fields = fields.get();
    change.type = type;
    change.idempotency_key = writing.idempotency_key;
    change.silent = silent;
    return apply_change(writing.store, change, writing.rng);
}

Json require_price(Store &store, const std::string &id, const std::string &param) {
    std::optional<Key> key = store.find(Kind::price, id);
    if (!key)
        throw no_such("price", id, 400, param);
    return store.document(Kind::price, *key);
}

int64_t add_interval(int64_t at, const std::string &interval, int64_t count) {
    if (interval == "day" || interval == "week")
        return at + count * (interval == "day" ? 1 : 7) * 86400;
    std::time_t seconds = at;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    int day = parts.tm_mday;
    parts.tm_mday = 1;
    parts.tm_mon += static_cast<int>(interval == "year" ? 12 * count : count);
    timegm(&parts); // brings the month into its year
    static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = parts.tm_year + 1900;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int last = days[parts.tm_mon] + (parts.tm_mon == 1 && leap ? 1 : 0);
    parts.tm_mday = std::min(day, last);
    return timegm(&parts);
}

int64_t amount_of(const json_t *price, int64_t quantity) {
    const json_t *amount = json_object_get(price, "unit_amount");
    return json_is_integer(amount) ? json_integer_value(amount) * quantity : 0;
}

// Stripe still answers with a plan beside the price.
static Json plan_of(const json_t *price) {
    Json plan = example(Kind::plan, get_int(price, "created", 0));
    const json_t *recurring = json_object_get(price, "recurring");
    for (const char *name : {"id", "active", "billing_scheme", "currency", "livemode", "nickname",
                             "product", "tiers_mode"})
        if (json_t *value = json_object_get(price, name))
            json_object_set(plan.get(), name, value);
    for (const char *name : {"interval", "interval_count", "usage_type"})
        if (json_t *value = json_object_get(recurring, name))
            json_object_set(plan.get(), name, value);
    json_object_set(plan.get(), "amount", json_object_get(price, "unit_amount"));
    json_object_set(plan.get(), "amount_decimal", json_object_get(price, "unit_amount_decimal"));
    return plan;
}

Json item_for(const json_t *price, int64_t quantity, int64_t at) {
    const json_t *recurring = json_object_get(price, "recurring");
    Json item{json_object()};
    json_object_set_new(item.get(), "created", json_integer(at));
    json_object_set_new(item.get(), "price", json_deep_copy(price));
    json_object_set_new(item.get(), "plan", plan_of(price).release());
    json_object_set_new(item.get(), "quantity", json_integer(quantity));
    json_object_set_new(item.get(), "current_period_start", json_integer(at));
    int64_t end = add_interval(at, get_string(recurring, "interval", "month"),
                               get_int(recurring, "interval_count", 1));
    json_object_set_new(item.get(), "current_period_end", json_integer(end));
    json_object_set_new(item.get(), "billing_thresholds", json_null());
    return item;
}

namespace {

// The charge a refund is of.
std::string charge_of(Store &store, const json_t *form) {
    std::string charge = get_string(form, "charge");
    std::string intent = get_string(form, "payment_intent");
    if (charge.empty() && intent.empty())
        throw ApiError{400, "One of the following params should be provided for this request: "
                            "payment_intent or charge."};
    if (!charge.empty()) {
        if (!store.find(Kind::charge, charge))
            throw no_such("charge", charge, 404, "charge");
        return charge;
    }
    if (std::optional<Key> key = store.find(Kind::payment_intent, intent)) {
        charge = get_string(store.document(Kind::payment_intent, *key).get(), "latest_charge");
        if (charge.empty() || !store.find(Kind::charge, charge))
            throw ApiError{400,
                           "This PaymentIntent (" + intent +
                               ") does not have a successful charge to refund.",
                           "payment_intent_unexpected_state", "payment_intent"};
        return charge;
    }
    Store::Walk walk{store, Kind::charge, true};
    while (std::optional<Key> key = walk.next())
        if (store.field_is(Kind::charge, *key, "payment_intent", intent))
            return store.id_of(Kind::charge, *key);
    throw no_such("payment_intent", intent, 404, "payment_intent");
}

int64_t refundable(const json_t *charge, const std::string &id) {
    if (get_string(charge, "status") != "succeeded")
        throw ApiError{400, "Charge " + id + " cannot be refunded: it has not succeeded."};
    int64_t left = get_int(charge, "amount", 0) - get_int(charge, "amount_refunded", 0);
    if (left <= 0)
        throw ApiError{400, "Charge " + id + " has already been refunded.",
                       "charge_already_refunded"};
    return left;
}

int64_t refund_amount(const json_t *form, int64_t left) {
    int64_t amount = get_int(form, "amount", left);
    if (amount <= 0)
        throw ApiError{400, "Invalid positive integer", "parameter_invalid_integer", "amount"};
    if (amount > left)
        throw ApiError{400,
                       "Refund amount (" + std::to_string(amount) +
                           ") is greater than unrefunded amount on charge (" +
                           std::to_string(left) + ")",
                       "", "amount"};
    return amount;
}

void check_reason(const json_t *form) {
    std::string reason = get_string(form, "reason");
    if (!reason.empty() && reason != "duplicate" && reason != "fraudulent" &&
        reason != "requested_by_customer")
        throw ApiError{400,
                       "Invalid reason: must be one of duplicate, fraudulent, or "
                       "requested_by_customer",
                       "", "reason"};
}

} // namespace

std::string create_refund(const Writing &writing, const json_t *form) {
    Store &store = writing.store;
    check_reason(form);
    std::string charge_id = charge_of(store, form);
    Json charge = store.document(Kind::charge, *store.find(Kind::charge, charge_id));
    int64_t left = refundable(charge.get(), charge_id);
    int64_t amount = refund_amount(form, left);
    Json fields = parse_json(R"({"status": "succeeded", "reason": null, "metadata": {}})");
    for (const char *name : {"reason", "metadata"})
        if (json_t *value = json_object_get(form, name))
            json_object_set(fields.get(), name, value);
    for (const char *name : {"currency", "payment_intent"})
        json_object_set(fields.get(), name, json_object_get(charge.get(), name));
    json_object_set_new(fields.get(), "charge", text(charge_id));
    json_object_set_new(fields.get(), "amount", json_integer(amount));
    int64_t refunded = get_int(charge.get(), "amount_refunded", 0) + amount;
    Json change{json_object()};
    json_object_set_new(change.get(), "amount_refunded", json_integer(refunded));
    json_object_set_new(change.get(), "refunded",
                        json_boolean(refunded == get_int(charge.get(), "amount", 0)));
    apply(writing, Op::update, Kind::charge, charge_id, std::move(change));
    return apply(writing, Op::create, Kind::refund, "", std::move(fields)).id;
}

namespace {

// {"items": [{"id", "price", "quantity", "deleted"}]} on the items there are.
class ItemChange {
  public:
    ItemChange(const Writing &writing, const json_t *before) : writing_{writing} {
        items_.reset(json_deep_copy(json_object_get(json_object_get(before, "items"), "data")));
    }

    void take(const json_t *form) {
        size_t i;
        json_t *one;
        json_array_foreach(json_object_get(form, "items"), i, one)
            item("items[" + std::to_string(i) + "]", one);
    }

    bool price_changed() const { return price_changed_; }
    Json items() { return std::move(items_); }

  private:
    size_t find(const std::string &id, const std::string &at) const {
        for (size_t i = 0; i < json_array_size(items_.get()); ++i)
            if (get_string(json_array_get(items_.get(), i), "id") == id)
                return i;
        throw no_such("subscription item", id, 404, at + "[id]");
    }

    Json checked_price(const std::string &id, const std::string &at) const {
        Json price = require_price(writing_.store, id, at + "[price]");
        if (!get_bool(price.get(), "active", true))
            throw ApiError{400,
                           "The price specified is inactive. This field only accepts active "
                           "prices.",
                           "", at + "[price]"};
        if (get_string(price.get(), "type") != "recurring")
            throw ApiError{400,
                           "The price specified is set to `type=one_time` but this field only "
                           "accepts prices with `type=recurring`.",
                           "", at + "[price]"};
        return price;
    }

    void item(const std::string &at, const json_t *one) {
        std::string id = get_string(one, "id");
        std::string price = get_string(one, "price");
        if (id.empty() && price.empty())
            throw ApiError{400, "Missing required param: " + at + "[price].", "parameter_missing",
                           at + "[price]"};
        int64_t now = writing_.store.clock().now();
        if (id.empty()) {
            Json whole = checked_price(price, at);
            json_array_append_new(
                items_.get(), item_for(whole.get(), get_int(one, "quantity", 1), now).release());
            price_changed_ = true;
            return;
        }
        size_t place = find(id, at);
        json_t *have = json_array_get(items_.get(), place);
        if (get_bool(one, "deleted", false)) {
            json_array_remove(items_.get(), place);
            price_changed_ = true;
            return;
        }
        int64_t quantity = get_int(one, "quantity", get_int(have, "quantity", 1));
        price_changed_ = price_changed_ || quantity != get_int(have, "quantity", 1);
        json_object_set_new(have, "quantity", json_integer(quantity));
        if (price.empty() || price == get_string(json_object_get(have, "price"), "id"))
            return;
        change_price(have, checked_price(price, at).get(), quantity, now);
    }

    void change_price(json_t *have, const json_t *price, int64_t quantity, int64_t now) {
        price_changed_ = true;
        Json fresh = item_for(price, quantity, now);
        json_object_set(have, "price", json_object_get(fresh.get(), "price"));
        json_object_set(have, "plan", json_object_get(fresh.get(), "plan"));
    }

    const Writing &writing_;
    Json items_;
    bool price_changed_ = false;
};

int64_t period_end(const json_t *subscription) {
    const json_t *data = json_object_get(json_object_get(subscription, "items"), "data");
    return get_int(json_array_get(data, 0), "current_period_end",
                   get_int(subscription, "current_period_end", 0));
}

void cancel_later(json_t *fields, const json_t *before, bool cancels, int64_t now) {
    json_object_set_new(fields, "cancel_at_period_end", json_boolean(cancels));
    json_object_set_new(fields, "cancel_at",
                        cancels ? json_integer(period_end(before)) : json_null());
    json_object_set_new(fields, "canceled_at", cancels ? json_integer(now) : json_null());
    set_path(fields, "cancellation_details.reason",
             cancels ? json_string("cancellation_requested") : json_null());
}

void check_proration(const json_t *form) {
    std::string behavior = get_string(form, "proration_behavior", "create_prorations");
    if (behavior != "create_prorations" && behavior != "always_invoice" && behavior != "none")
        throw ApiError{400,
                       "Invalid proration_behavior: must be one of always_invoice, "
                       "create_prorations, or none",
                       "", "proration_behavior"};
}

// What is owed and given back for the rest of the period: two pending invoice items.
void prorate(const Writing &writing, const json_t *before, const json_t *after) {
    int64_t now = writing.store.clock().now();
    auto one = [&](const json_t *subscription, int sign, const char *words) {
        const json_t *item =
            json_array_get(json_object_get(json_object_get(subscription, "items"), "data"), 0);
        int64_t start = get_int(item, "current_period_start", now);
        int64_t end = get_int(item, "current_period_end", now);
        const json_t *price = json_object_get(item, "price");
        int64_t whole = amount_of(price, get_int(item, "quantity", 1));
        int64_t amount = end > start ? sign * whole * (end - now) / (end - start) : 0;
        Json fields = parse_json(R"({"proration": true, "invoice": null, "metadata": {}})");
        json_object_set_new(fields.get(), "amount", json_integer(amount));
        json_object_set(fields.get(), "customer", json_object_get(subscription, "customer"));
        json_object_set(fields.get(), "currency", json_object_get(subscription, "currency"));
        json_object_set_new(fields.get(), "description", json_string(words));
        apply(writing, Op::create, Kind::invoice_item, "", std::move(fields));
    };
    one(before, -1, "Unused time");
    one(after, 1, "Remaining time");
}

} // namespace

void require_live_subscription(Store &store, const std::string &id) {
    std::optional<Key> key = store.find(Kind::subscription, id);
    if (!key)
        throw no_such("subscription", id, 404, "id");
    std::string status = get_string(store.document(Kind::subscription, *key).get(), "status");
    if (status == "canceled" || status == "incomplete_expired")
        throw no_such("subscription", id, 404, "id");
}

void update_subscription(const Writing &writing, const std::string &id, const json_t *form) {
    Store &store = writing.store;
    std::optional<Key> key = store.find(Kind::subscription, id);
    if (!key)
        throw no_such("subscription", id, 404, "id");
    Json before{json_deep_copy(store.document(Kind::subscription, *key).get())};
    std::string status = get_string(before.get(), "status");
    Json fields{json_deep_copy(form)};
    for (const char *name : {"expand", "items", "proration_behavior", "payment_behavior",
                             "proration_date", "off_session", "cancel_at_period_end"})
        json_object_del(fields.get(), name);
    bool more = json_object_size(fields.get()) > (json_object_get(form, "metadata") ? 1U : 0U);
    if (status == "canceled" &&
        (more || json_object_get(form, "items") || json_object_get(form, "cancel_at_period_end")))
        throw ApiError{400, "A canceled subscription can only update its cancellation_details and "
                            "metadata."};
    check_proration(form);
    ItemChange change{writing, before.get()};
    change.take(form);
    bool invoices = change.price_changed() &&
                    get_string(form, "proration_behavior", "create_prorations") != "none";
    if (json_object_get(form, "items") != nullptr)
        set_path(fields.get(), "items.data", change.items().release());
    if (const json_t *cancels = json_object_get(form, "cancel_at_period_end"))
        cancel_later(fields.get(), before.get(), json_is_true(cancels), store.clock().now());
    apply(writing, Op::update, Kind::subscription, id, std::move(fields));
    if (invoices && status != "trialing") {
        Json after = store.document(Kind::subscription, *store.find(Kind::subscription, id));
        prorate(writing, before.get(), after.get());
    }
}

} // namespace stripe_sim
