// Which event Stripe sends for which change: https://docs.stripe.com/api/events/types.
#include "events.hpp"

namespace stripe_sim {

namespace {

// How the events of a kind are called: "<prefix>.created" and so on. A kind without a deletion of
// its own has none; one that says more by its status does so below.
struct Family {
    Kind kind;
    std::string_view prefix;
    bool deletes;
};

constexpr Family families[] = {
    {Kind::customer, "customer", true},
    {Kind::product, "product", true},
    {Kind::price, "price", true},
    {Kind::plan, "plan", true},
    {Kind::subscription, "customer.subscription", true},
    {Kind::invoice, "invoice", true},
    {Kind::charge, "charge", false},
    {Kind::payment_intent, "payment_intent", false},
    {Kind::payment_method, "payment_method", false},
    {Kind::setup_intent, "setup_intent", false},
    {Kind::refund, "refund", false},
    {Kind::dispute, "charge.dispute", false},
    {Kind::credit_note, "credit_note", false},
    {Kind::coupon, "coupon", true},
    {Kind::promotion_code, "promotion_code", false},
    {Kind::tax_id, "customer.tax_id", true},
    {Kind::tax_rate, "tax_rate", false},
    {Kind::subscription_schedule, "subscription_schedule", false},
    {Kind::payout, "payout", false},
    {Kind::transfer, "transfer", false},
    {Kind::application_fee, "application_fee", false},
    {Kind::quote, "quote", false},
    {Kind::payment_link, "payment_link", false},
    {Kind::early_fraud_warning, "radar.early_fraud_warning", false},
    {Kind::billing_meter, "billing.meter", false},
    {Kind::credit_grant, "billing.credit_grant", false},
    {Kind::invoice_item, "invoiceitem", true},
};

// A status that has an event of its own when it is reached.
struct Reached {
    Kind kind;
    std::string_view status;
    std::string_view type;
};

constexpr Reached reached[] = {
    {Kind::payment_intent, "succeeded", "payment_intent.succeeded"},
    {Kind::payment_intent, "canceled", "payment_intent.canceled"},
    {Kind::payment_intent, "processing", "payment_intent.processing"},
    {Kind::payment_intent, "requires_action", "payment_intent.requires_action"},
    {Kind::payment_intent, "requires_payment_method", "payment_intent.payment_failed"},
    {Kind::setup_intent, "succeeded", "setup_intent.succeeded"},
    {Kind::setup_intent, "canceled", "setup_intent.canceled"},
    {Kind::setup_intent, "requires_payment_method", "setup_intent.setup_failed"},
    {Kind::refund, "failed", "refund.failed"},
    {Kind::dispute, "won", "charge.dispute.closed"},
    {Kind::dispute, "lost", "charge.dispute.closed"},
    {Kind::credit_note, "void", "credit_note.voided"},
    {Kind::subscription_schedule, "canceled", "subscription_schedule.canceled"},
    {Kind::subscription_schedule, "completed", "subscription_schedule.completed"},
    {Kind::subscription_schedule, "released", "subscription_schedule.released"},
    {Kind::payout, "paid", "payout.paid"},
    {Kind::payout, "failed", "payout.failed"},
    {Kind::payout, "canceled", "payout.canceled"},
    {Kind::quote, "open", "quote.finalized"},
    {Kind::quote, "accepted", "quote.accepted"},
    {Kind::quote, "canceled", "quote.canceled"},
    {Kind::invoice, "paid", "invoice.paid"},
    {Kind::invoice, "void", "invoice.voided"},
    {Kind::invoice, "uncollectible", "invoice.marked_uncollectible"},
    {Kind::charge, "succeeded", "charge.succeeded"},
    {Kind::charge, "failed", "charge.failed"},
    {Kind::charge, "pending", "charge.pending"},
    {Kind::billing_meter, "inactive", "billing.meter.deactivated"},
    {Kind::billing_meter, "active", "billing.meter.reactivated"},
};

std::string_view status_of(const json_t *doc) {
    const char *text = json_string_value(json_object_get(doc, "status"));
    return text != nullptr ? text : std::string_view{};
}

// Empty when the kind has no event for the status.
std::string_view type_of_status(Kind kind, std::string_view status) {
    for (const Reached &one : reached)
        if (one.kind == kind && one.status == status)
            return one.type;
    return {};
}

// Kinds whose names follow no rule.
std::string special_type(Kind kind, Op op, const json_t *after) {
    switch (kind) {
    case Kind::checkout_session:
        return status_of(after) == "expired" ? "checkout.session.expired"
                                             : "checkout.session.completed";
    case Kind::review:
        return json_is_true(json_object_get(after, "open")) ? "review.opened" : "review.closed";
    case Kind::invoice_payment:
        return "invoice_payment.paid";
    case Kind::active_entitlement:
        return "entitlements.active_entitlement_summary.updated";
    case Kind::payment_method:
        return op == Op::create   ? "payment_method.attached"
               : op == Op::remove ? "payment_method.detached"
                                  : "payment_method.updated";
    default:
        return {};
    }
}

std::string update_type(const Family &family, const json_t *before, const json_t *after) {
    std::string prefix{family.prefix};
    bool moved = status_of(before) != status_of(after);
    std::string_view type = moved ? type_of_status(family.kind, status_of(after)) : "";
    // A paid invoice and a refunded charge are told of as such; the rest of both is "updated".
    if (!type.empty())
        return std::string{type};
    bool refunded = !json_equal(json_object_get(before, "amount_refunded"),
                                json_object_get(after, "amount_refunded"));
    if (family.kind == Kind::charge && before != nullptr && refunded)
        return "charge.refunded";
    if (family.kind == Kind::subscription && moved && status_of(after) == "canceled")
        return "customer.subscription.deleted";
    // Stripe has no "updated" for these; the nearest it has stands for it.
    if (family.kind == Kind::payment_intent)
        return "payment_intent.amount_capturable_updated";
    if (family.kind == Kind::setup_intent)
        return "setup_intent.requires_action";
    if (family.kind == Kind::application_fee)
        return "application_fee.refunded";
    if (family.kind == Kind::quote)
        return "quote.will_expire";
    return prefix + ".updated";
}

} // namespace

std::string event_type(Kind kind, Op op, const json_t *before, const json_t *after) {
    if (std::string special = special_type(kind, op, after); !special.empty())
        return special;
    for (const Family &family : families) {
        if (family.kind != kind)
            continue;
        if (op == Op::update)
            return update_type(family, before, after);
        if (op == Op::remove)
            return family.deletes ? std::string{family.prefix} + ".deleted" : std::string{};
        if (kind == Kind::charge)
            return std::string{type_of_status(kind, status_of(after))};
        return std::string{family.prefix} + ".created";
    }
    return {};
}

bool tells_previous(std::string_view type) {
    return type.ends_with(".updated") || type == "charge.refunded" ||
           type == "payment_method.detached";
}

} // namespace stripe_sim
