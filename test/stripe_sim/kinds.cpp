// See kinds.hpp. Filters as of https://docs.stripe.com/api; those that hang on what is not
// simulated (test clocks, connected accounts) are left out.
#include "kinds.hpp"

namespace stripe_sim {

static constexpr KindInfo generated[] = {
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
};

static constexpr KindInfo payments[] = {
    {Kind::plan, "plan", "plans", "plan_", 14, {"created", "active", "product"}},
    {Kind::payment_intent, "payment_intent", "payment_intents", "pi_", 24, {"created", "customer"}},
    {Kind::payment_method,
     "payment_method",
     "payment_methods",
     "pm_",
     24,
     {"customer", "type", "allow_redisplay"},
     "",
     "payment_methods"},
    {Kind::setup_intent,
     "setup_intent",
     "setup_intents",
     "seti_",
     24,
     {"created", "customer", "payment_method"}},
    {Kind::refund, "refund", "refunds", "re_", 24, {"created", "charge", "payment_intent"}},
    {Kind::dispute, "dispute", "disputes", "dp_", 24, {"created", "charge", "payment_intent"}},
    {Kind::credit_note,
     "credit_note",
     "credit_notes",
     "cn_",
     24,
     {"created", "customer", "invoice"}},
};

static constexpr KindInfo billing[] = {
    {Kind::coupon, "coupon", "coupons", "", 10, {"created"}},
    {Kind::promotion_code,
     "promotion_code",
     "promotion_codes",
     "promo_",
     24,
     {"created", "active", "code", "coupon", "customer"}},
    {Kind::tax_id, "tax_id", "tax_ids", "txi_", 24, {}, "", "tax_ids"},
    {Kind::tax_rate, "tax_rate", "tax_rates", "txr_", 24, {"created", "active", "inclusive"}},
    {Kind::subscription_schedule,
     "subscription_schedule",
     "subscription_schedules",
     "sub_sched_",
     24,
     {"created", "customer"}},
    {Kind::checkout_session,
     "checkout_session",
     "checkout/sessions",
     "cs_test_",
     40,
     {"created", "customer", "payment_intent", "payment_link", "status", "subscription"},
     "checkout.session",
     "",
     "line_items"},
};

static constexpr KindInfo money[] = {
    {Kind::balance_transaction,
     "balance_transaction",
     "balance_transactions",
     "txn_",
     24,
     {"created", "currency", "source", "type"}},
    {Kind::payout, "payout", "payouts", "po_", 24, {"created", "destination", "status"}},
    {Kind::transfer, "transfer", "transfers", "tr_", 24, {"created", "destination"}},
    {Kind::application_fee,
     "application_fee",
     "application_fees",
     "fee_",
     24,
     {"created", "charge"}},
    {Kind::quote, "quote", "quotes", "qt_", 24, {"customer", "status"}},
    {Kind::payment_link, "payment_link", "payment_links", "plink_", 24, {"active"}},
    {Kind::invoice_payment,
     "invoice_payment",
     "invoice_payments",
     "inpay_",
     24,
     {"created", "invoice", "status"}},
    {Kind::customer_balance_transaction,
     "customer_balance_transaction",
     "",
     "cbtxn_",
     24,
     {"created", "invoice"},
     "",
     "balance_transactions"},
};

static constexpr KindInfo other[] = {
    {Kind::early_fraud_warning,
     "early_fraud_warning",
     "radar/early_fraud_warnings",
     "issfr_",
     24,
     {"created", "charge", "payment_intent"},
     "radar.early_fraud_warning"},
    {Kind::review, "review", "reviews", "prv_", 24, {"created"}},
    {Kind::feature,
     "feature",
     "entitlements/features",
     "feat_",
     24,
     {"archived", "lookup_key"},
     "entitlements.feature"},
    {Kind::active_entitlement,
     "active_entitlement",
     "entitlements/active_entitlements",
     "ent_",
     24,
     {"customer"},
     "entitlements.active_entitlement",
     "",
     "customer"},
    {Kind::billing_meter,
     "billing_meter",
     "billing/meters",
     "mtr_",
     24,
     {"status"},
     "billing.meter"},
    {Kind::credit_grant,
     "credit_grant",
     "billing/credit_grants",
     "credgr_",
     24,
     {"customer"},
     "billing.credit_grant"},
    {Kind::invoice_item,
     "invoice_item",
     "invoiceitems",
     "ii_",
     24,
     {"created", "customer", "invoice", "pending"},
     "invoiceitem"},
    {Kind::webhook_endpoint,
     "webhook_endpoint",
     "webhook_endpoints",
     "we_",
     24,
     {},
     "",
     "",
     "secret"},
};

static constexpr KindInfo children[] = {
    {Kind::subscription_item, "subscription_item", "subscription_items", "si_", 14, {}},
    {Kind::invoice_line_item, "invoice_line_item", "", "il_", 24, {}, "line_item"},
    {Kind::credit_note_line_item, "credit_note_line_item", "", "cnli_", 24, {}},
    {Kind::checkout_session_line_item, "checkout_session_line_item", "", "li_", 24, {}, "item"},
    {Kind::transfer_reversal, "transfer_reversal", "", "trr_", 24, {}},
};

// In the order of Kind.
static constexpr std::array<KindInfo, all_kinds> make_table() {
    std::array<KindInfo, all_kinds> out{};
    size_t at = 0;
    for (std::span<const KindInfo> part : std::initializer_list<std::span<const KindInfo>>{
             generated, payments, billing, money, other, children})
        for (const KindInfo &one : part)
            out[at++] = one;
    return out;
}

static constexpr std::array<KindInfo, all_kinds> table = make_table();

static constexpr bool in_order() {
    for (size_t i = 0; i < all_kinds; ++i)
        if (static_cast<size_t>(table[i].kind) != i)
            return false;
    return true;
}
static_assert(in_order());

static constexpr ChildList child_lists[] = {
    {Kind::subscription_item, Kind::subscription, "items", "", true},
    {Kind::invoice_line_item, Kind::invoice, "lines", "lines", true},
    {Kind::credit_note_line_item, Kind::credit_note, "lines", "lines", true},
    {Kind::checkout_session_line_item, Kind::checkout_session, "line_items", "line_items", false},
    {Kind::transfer_reversal, Kind::transfer, "reversals", "reversals", true},
};

const KindInfo &info(Kind kind) {
    return table[static_cast<size_t>(kind)];
}

std::span<const KindInfo> kinds() {
    return table;
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

const KindInfo *find_kind_under_customer(std::string_view segment) {
    for (const KindInfo &one : table)
        if (!one.under_customer.empty() && one.under_customer == segment)
            return &one;
    return nullptr;
}

const ChildList *children_of(Kind parent) {
    for (const ChildList &one : child_lists)
        if (one.parent == parent)
            return &one;
    return nullptr;
}

const ChildList *child_list(Kind child) {
    for (const ChildList &one : child_lists)
        if (one.child == child)
            return &one;
    return nullptr;
}

} // namespace stripe_sim
