#include "stripe/event_types.hpp"

#include "stripe/object_catalog.hpp"

#include <algorithm>

namespace billstack::stripe {

namespace {

constexpr EventType types[] = {
    {"application_fee.created", Effect::state},
    {"application_fee.refunded", Effect::state},
    {"billing.credit_grant.created", Effect::state},
    {"billing.credit_grant.updated", Effect::state},
    {"billing.meter.created", Effect::state},
    {"billing.meter.deactivated", Effect::state},
    {"billing.meter.reactivated", Effect::state},
    {"billing.meter.updated", Effect::state},
    {"charge.captured", Effect::state},
    {"charge.dispute.closed", Effect::state},
    {"charge.dispute.created", Effect::state},
    {"charge.dispute.funds_reinstated", Effect::state},
    {"charge.dispute.funds_withdrawn", Effect::state},
    {"charge.dispute.updated", Effect::state},
    {"charge.expired", Effect::state},
    {"charge.failed", Effect::state},
    {"charge.pending", Effect::state},
    {"charge.refund.updated", Effect::state},
    {"charge.refunded", Effect::state},
    {"charge.succeeded", Effect::state},
    {"charge.updated", Effect::state},
    {"checkout.session.async_payment_failed", Effect::state},
    {"checkout.session.async_payment_succeeded", Effect::state},
    {"checkout.session.completed", Effect::state},
    {"checkout.session.expired", Effect::state},
    {"coupon.created", Effect::state},
    {"coupon.deleted", Effect::deletion},
    {"coupon.updated", Effect::state},
    {"credit_note.created", Effect::state},
    {"credit_note.updated", Effect::state},
    {"credit_note.voided", Effect::state},
    {"customer.created", Effect::state},
    {"customer.deleted", Effect::deletion},
    {"customer.subscription.created", Effect::state},
    {"customer.subscription.deleted", Effect::state}, // canceled; it can still be read
    {"customer.subscription.paused", Effect::state},
    {"customer.subscription.pending_update_applied", Effect::state},
    {"customer.subscription.pending_update_expired", Effect::state},
    {"customer.subscription.resumed", Effect::state},
    {"customer.subscription.trial_will_end", Effect::state},
    {"customer.subscription.updated", Effect::state},
    {"customer.tax_id.created", Effect::state},
    {"customer.tax_id.deleted", Effect::deletion},
    {"customer.tax_id.updated", Effect::state},
    {"customer.updated", Effect::state},
    {"entitlements.active_entitlement_summary.updated", Effect::entitlements},
    {"invoice.created", Effect::state},
    {"invoice.deleted", Effect::deletion},
    {"invoice.finalization_failed", Effect::state},
    {"invoice.finalized", Effect::state},
    {"invoice.marked_uncollectible", Effect::state},
    {"invoice.overdue", Effect::state},
    {"invoice.overpaid", Effect::state},
    {"invoice.paid", Effect::state},
    {"invoice.payment_action_required", Effect::state},
    {"invoice.payment_attempt_required", Effect::state},
    {"invoice.payment_failed", Effect::state},
    {"invoice.payment_succeeded", Effect::state},
    {"invoice.sent", Effect::state},
    {"invoice.updated", Effect::state},
    {"invoice.voided", Effect::state},
    {"invoice.will_be_due", Effect::state},
    {"invoice_payment.paid", Effect::state},
    {"invoiceitem.created", Effect::state},
    {"invoiceitem.deleted", Effect::deletion},
    {"payment_intent.amount_capturable_updated", Effect::state},
    {"payment_intent.canceled", Effect::state},
    {"payment_intent.created", Effect::state},
    {"payment_intent.partially_funded", Effect::state},
    {"payment_intent.payment_failed", Effect::state},
    {"payment_intent.processing", Effect::state},
    {"payment_intent.requires_action", Effect::state},
    {"payment_intent.succeeded", Effect::state},
    {"payment_link.created", Effect::state},
    {"payment_link.updated", Effect::state},
    {"payment_method.attached", Effect::state},
    {"payment_method.automatically_updated", Effect::state},
    {"payment_method.detached", Effect::state},
    {"payment_method.updated", Effect::state},
    {"payout.canceled", Effect::state},
    {"payout.created", Effect::state},
    {"payout.failed", Effect::state},
    {"payout.paid", Effect::state},
    {"payout.reconciliation_completed", Effect::state},
    {"payout.updated", Effect::state},
    {"plan.created", Effect::state},
    {"plan.deleted", Effect::deletion},
    {"plan.updated", Effect::state},
    {"price.created", Effect::state},
    {"price.deleted", Effect::deletion},
    {"price.updated", Effect::state},
    {"product.created", Effect::state},
    {"product.deleted", Effect::deletion},
    {"product.updated", Effect::state},
    {"promotion_code.created", Effect::state},
    {"promotion_code.updated", Effect::state},
    {"quote.accepted", Effect::state},
    {"quote.canceled", Effect::state},
    {"quote.created", Effect::state},
    {"quote.finalized", Effect::state},
    {"radar.early_fraud_warning.created", Effect::state},
    {"radar.early_fraud_warning.updated", Effect::state},
    {"refund.created", Effect::state},
    {"refund.failed", Effect::state},
    {"refund.updated", Effect::state},
    {"review.closed", Effect::state},
    {"review.opened", Effect::state},
    {"setup_intent.canceled", Effect::state},
    {"setup_intent.created", Effect::state},
    {"setup_intent.requires_action", Effect::state},
    {"setup_intent.setup_failed", Effect::state},
    {"setup_intent.succeeded", Effect::state},
    {"subscription_schedule.aborted", Effect::state},
    {"subscription_schedule.canceled", Effect::state},
    {"subscription_schedule.completed", Effect::state},
    {"subscription_schedule.created", Effect::state},
    {"subscription_schedule.expiring", Effect::state},
    {"subscription_schedule.released", Effect::state},
    {"subscription_schedule.updated", Effect::state},
    {"tax_rate.created", Effect::state},
    {"tax_rate.updated", Effect::state},
    {"transfer.created", Effect::state},
    {"transfer.reversed", Effect::state},
    {"transfer.updated", Effect::state},
};

} // namespace

std::span<const EventType> event_types() {
    return types;
}

Effect effect_of(std::string_view type, std::string_view object) {
    auto found =
        std::lower_bound(std::begin(types), std::end(types), type,
                         [](const EventType &a, std::string_view name) { return a.name < name; });
    if (found != std::end(types) && found->name == type)
        return found->effect;
    // The invoice of that event is only about to be: it cannot be read, and may have no id.
    bool is_preview = type == "invoice.upcoming";
    if (is_preview || find_kind_by_object(object) == nullptr)
        return Effect::ignored;
    return type.ends_with(".deleted") ? Effect::deletion : Effect::state;
}

} // namespace billstack::stripe
