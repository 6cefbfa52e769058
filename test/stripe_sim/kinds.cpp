// See kinds.hpp.
#include "kinds.hpp"

namespace stripe_sim {

static const std::array<KindInfo, all_kinds> table{{
    {Kind::customer, "customer", "customers", "cus_", 14, {"created", "email"}},
    {Kind::product, "product", "products", "prod_", 14, {"created", "active", "ids", "url"}},
    {Kind::price,
     "price",
     "prices",
     "price_",
     24,
     {"created", "active", "currency", "product", "type", "lookup_keys"}},
    {Kind::subscription,
     "subscription",
     "subscriptions",
     "sub_",
     24,
     {"created", "customer", "price", "status", "collection_method"}},
    {Kind::invoice,
     "invoice",
     "invoices",
     "in_",
     24,
     {"created", "customer", "subscription", "status", "collection_method"}},
    {Kind::charge, "charge", "charges", "ch_", 24, {"created", "customer", "payment_intent"}},
    {Kind::event, "event", "events", "evt_", 24, {"created", "type", "types", "delivery_success"}},
    {Kind::subscription_item, "subscription_item", "subscription_items", "si_", 14, {}},
    {Kind::invoice_line_item, "invoice_line_item", "", "il_", 24, {}},
}};

const KindInfo &info(Kind kind) {
    return table[static_cast<size_t>(kind)];
}

const KindInfo *find_kind(std::string_view name) {
    for (const KindInfo &one : table)
        if (one.name == name)
            return &one;
    return nullptr;
}

const KindInfo *find_kind_by_path(std::string_view path) {
    for (const KindInfo &one : table)
        if (!one.path.empty() && one.path == path)
            return &one;
    return nullptr;
}

} // namespace stripe_sim
