// See old_shapes.hpp. What moved: https://docs.stripe.com/changelog/basil
#include "old_shapes.hpp"

namespace stripe_sim {

static void move_member(json_t *from, json_t *to, const char *name) {
    if (json_t *value = json_object_get(from, name)) {
        json_object_set(to, name, value);
        json_object_del(from, name);
    }
}

// The periods of the items were the subscription's.
static void shape_subscription(json_t *doc) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json_object_get(doc, "items"), "data"), i, item) {
        for (const char *name : {"current_period_start", "current_period_end"}) {
            if (i == 0)
                move_member(item, doc, name);
            else
                json_object_del(item, name);
        }
    }
    json_object_del(doc, "billing_mode");
}

static void shape_line(Store &store, json_t *line) {
    json_t *parent = json_object_get(line, "parent");
    json_t *item = json_object_get(parent, "subscription_item_details");
    json_t *single = json_object_get(parent, "invoice_item_details");
    json_t *details = json_is_object(item) ? item : single;
    for (const char *name : {"proration", "proration_details", "invoice_item"})
        if (json_t *value = json_object_get(details, name))
            json_object_set(line, name, value);
    if (json_is_object(item)) {
        json_object_set(line, "subscription", json_object_get(item, "subscription"));
        json_object_set(line, "subscription_item", json_object_get(item, "subscription_item"));
    }
    json_object_set_new(line, "type",
                        json_string(json_is_object(item) ? "subscription" : "invoiceitem"));
    json_t *price = json_object_get(
        json_object_get(json_object_get(line, "pricing"), "price_details"), "price");
    if (json_is_string(price)) {
        std::optional<Key> key = store.find(Kind::price, json_string_value(price));
        if (key)
            json_object_set_new(line, "price",
                                json_deep_copy(store.document(Kind::price, *key).get()));
    }
    for (const char *name : {"parent", "pricing", "taxes"})
        json_object_del(line, name);
}

static void shape_invoice(Store &store, json_t *doc) {
    json_t *details = json_object_get(json_object_get(doc, "parent"), "subscription_details");
    if (json_t *subscription = json_object_get(details, "subscription"))
        json_object_set(doc, "subscription", subscription);
    json_t *payments = json_object_get(json_object_get(doc, "payments"), "data");
    json_t *payment = json_object_get(json_array_get(payments, 0), "payment");
    for (const char *name : {"charge", "payment_intent"})
        if (json_t *value = json_object_get(payment, name))
            json_object_set(doc, name, value);
    bool paid = get_string(doc, "status") == "paid";
    json_object_set_new(doc, "paid", json_boolean(paid));
    for (const char *name : {"parent", "payments", "total_taxes", "amount_overpaid"})
        json_object_del(doc, name);
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(json_object_get(doc, "lines"), "data"), i, line)
        shape_line(store, line);
}

Json shape_for_version(Store &store, Kind kind, Json doc) {
    // Versions are dates first, so that their texts compare as they follow each other.
    bool old = store.event_version < "2025-03-31";
    if (!old || (kind != Kind::subscription && kind != Kind::invoice))
        return doc;
    Json out{json_deep_copy(doc.get())};
    if (kind == Kind::subscription)
        shape_subscription(out.get());
    else
        shape_invoice(store, out.get());
    return out;
}

} // namespace stripe_sim
