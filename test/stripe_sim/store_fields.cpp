// The fields lists may filter by: computed for generated objects, looked up in changed ones.
#include "store.hpp"

namespace stripe_sim {

static std::string_view text_of(const json_t *value) {
    if (json_is_string(value))
        return {json_string_value(value), json_string_length(value)};
    if (json_is_object(value)) // an expanded reference
        return text_of(json_object_get(value, "id"));
    return json_is_true(value) ? "true" : json_is_false(value) ? "false" : "";
}

static bool subscription_has_price(const json_t *doc, std::string_view price) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json_object_get(doc, "items"), "data"), i,
                       item) if (text_of(json_object_get(item, "price")) == price) return true;
    return false;
}

static bool doc_field_is(Kind kind, const json_t *doc, std::string_view field,
                         std::string_view value) {
    if (field == "delivery_success")
        return value == "true";
    if (kind == Kind::promotion_code && field == "coupon")
        return text_of(json_object_get(doc, "coupon")) == value ||
               text_of(json_object_get(json_object_get(doc, "promotion"), "coupon")) == value;
    if (field == "archived")
        return (value == "false") == json_is_true(json_object_get(doc, "active"));
    if (field == "pending")
        return (value == "true") == json_is_null(json_object_get(doc, "invoice"));
    if (kind == Kind::subscription && field == "price")
        return subscription_has_price(doc, value);
    if (kind == Kind::invoice && field == "subscription") {
        const json_t *details =
            json_object_get(json_object_get(doc, "parent"), "subscription_details");
        return text_of(json_object_get(doc, "subscription")) == value ||
               text_of(json_object_get(details, "subscription")) == value;
    }
    return text_of(json_object_get(doc, std::string{field}.c_str())) == value;
}

bool Store::field_is(Kind kind, Key key, std::string_view field, std::string_view value) {
    if (const Changed *changed = find_changed(kind, key))
        return doc_field_is(kind, changed->doc.get(), field, value);
    return generated_field_is(kind, key.sequence, field, value);
}

static bool subscription_field_is(const World &world, uint64_t index, std::string_view field,
                                  std::string_view value) {
    SubscriptionFacts facts = world.subscription(index);
    if (field == "status")
        return facts.status == value;
    if (field == "customer")
        return world.ids().encode(Kind::customer, facts.customer) == value;
    if (field == "collection_method")
        return value == (facts.send_invoice ? "send_invoice" : "charge_automatically");
    for (unsigned i = 0; i < facts.items; ++i)
        if (world.ids().encode(Kind::price, world.item_price(index, i)) == value)
            return true;
    return false;
}

static bool invoice_field_is(const World &world, uint64_t index, std::string_view field,
                             std::string_view value) {
    InvoiceFacts facts = world.invoice(index);
    if (field == "status")
        return facts.status == value;
    if (field == "customer")
        return world.ids().encode(Kind::customer, facts.customer) == value;
    if (field == "collection_method")
        return value == (facts.send_invoice ? "send_invoice" : "charge_automatically");
    return facts.of_subscription &&
           world.ids().encode(Kind::subscription, facts.subscription) == value;
}

static bool price_field_is(const World &world, uint64_t index, std::string_view field,
                           std::string_view value) {
    PriceFacts facts = world.price(index);
    if (field == "active")
        return value == (facts.active ? "true" : "false");
    if (field == "currency")
        return facts.currency == value;
    if (field == "type")
        return value == (facts.recurring ? "recurring" : "one_time");
    if (field == "product")
        return world.ids().encode(Kind::product, facts.product) == value;
    return world.lookup_key(index) == value;
}

bool Store::generated_field_is(Kind kind, uint64_t index, std::string_view field,
                               std::string_view value) {
    const World &world = this->world();
    switch (kind) {
    case Kind::customer:
        return world.email(index) == value;
    case Kind::price:
        return price_field_is(world, index, field, value);
    case Kind::subscription:
        return subscription_field_is(world, index, field, value);
    case Kind::invoice:
        return invoice_field_is(world, index, field, value);
    case Kind::charge: {
        if (field == "customer") {
            ChargeFacts facts = world.charge(index);
            return facts.has_customer &&
                   world.ids().encode(Kind::customer, facts.customer) == value;
        }
        break;
    }
    default:
        break;
    }
    // The rest is rare or cheap enough to be read from the object itself.
    std::string text;
    append_text(text, kind, Key{world.created(kind, index), index});
    return doc_field_is(kind, parse_json(text).get(), field, value);
}

} // namespace stripe_sim
