// Catalogue: subscriptions with their items, invoices with their lines. API version 2025-03-31
// (basil) moved many members; the old place comes first, since only one of the two is ever filled.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column subscription_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    reference<"customer">,
    text<"customer_account">,
    text<"status">,
    text<"currency">,
    // basil: on the items only
    timestamp<"current_period_start", "current_period_start", "items.data.0.current_period_start">,
    timestamp<"current_period_end", "current_period_end", "items.data.0.current_period_end">,
    boolean<"cancel_at_period_end">,
    timestamp<"cancel_at">,
    timestamp<"canceled_at">,
    text<"cancellation_reason", "cancellation_details.reason">,
    timestamp<"ended_at">,
    timestamp<"start_date">,
    timestamp<"trial_start">,
    timestamp<"trial_end">,
    timestamp<"billing_cycle_anchor">,
    text<"collection_method">,
    bigint<"days_until_due">,
    // Stripe fills these two for subscriptions of one item only; see subscription_items.
    reference<"plan">,
    bigint<"quantity">,
    reference<"latest_invoice">,
    reference<"schedule">,
    reference<"default_payment_method">,
    reference<"default_source">,
    reference<"pending_setup_intent">,
    timestamp<"next_pending_invoice_item_invoice">,
    text<"pause_collection_behavior", "pause_collection.behavior">,
    text<"description">,
    reference<"application">,
    numeric<"application_fee_percent">,
    reference<"on_behalf_of">,
    reference<"test_clock">,
    jsonb<"metadata">,
};
constexpr Index subscription_indexes[] = {
    {"customer", "customer"},
    {"status", "status"},
    {"created", "created"},
};
constexpr ChildList subscription_children[] = {
    {"items", &subscription_item, "subscription", "/v1/subscription_items", "subscription"},
};

constexpr Column subscription_item_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"deleted">,
    reference<"subscription">,
    reference<"price">,
    reference<"plan">,
    reference<"product", "price.product", "plan.product">,
    bigint<"quantity">,
    timestamp<"current_period_start">,
    timestamp<"current_period_end">,
    jsonb<"metadata">,
};
constexpr Index subscription_item_indexes[] = {
    {"subscription", "subscription"},
    {"price", "price"},
};

constexpr Column invoice_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"number">,
    reference<"customer">,
    text<"customer_account">,
    text<"customer_email">,
    text<"customer_name">,
    text<"customer_phone">,
    text<"customer_tax_exempt">,
    reference<"subscription", "subscription", "parent.subscription_details.subscription">,
    timestamp<"subscription_proration_date", "subscription_proration_date",
              "parent.subscription_details.subscription_proration_date">,
    reference<"quote", "quote", "parent.quote_details.quote">,
    text<"status">,
    boolean<"paid">, // gone since basil: status = 'paid'
    text<"billing_reason">,
    text<"collection_method">,
    text<"currency">,
    bigint<"amount_due">,
    bigint<"amount_paid">,
    bigint<"amount_remaining">,
    bigint<"amount_overpaid">,
    bigint<"amount_shipping">,
    bigint<"subtotal">,
    bigint<"subtotal_excluding_tax">,
    bigint<"tax">,
    bigint<"total">,
    bigint<"total_excluding_tax">,
    bigint<"starting_balance">,
    bigint<"ending_balance">,
    bigint<"pre_payment_credit_notes_amount">,
    bigint<"post_payment_credit_notes_amount">,
    reference<"charge", "charge", "payments.data.0.payment.charge">,
    reference<"payment_intent", "payment_intent", "payments.data.0.payment.payment_intent">,
    reference<"default_payment_method">,
    reference<"default_source">,
    timestamp<"period_start">,
    timestamp<"period_end">,
    timestamp<"due_date">,
    timestamp<"effective_at">,
    timestamp<"automatically_finalizes_at">,
    timestamp<"next_payment_attempt">,
    timestamp<"finalized_at", "status_transitions.finalized_at">,
    timestamp<"paid_at", "status_transitions.paid_at">,
    timestamp<"voided_at", "status_transitions.voided_at">,
    timestamp<"marked_uncollectible_at", "status_transitions.marked_uncollectible_at">,
    timestamp<"webhooks_delivered_at">,
    bigint<"attempt_count">,
    boolean<"attempted">,
    boolean<"auto_advance">,
    text<"account_country">,
    text<"account_name">,
    text<"description">,
    text<"footer">,
    text<"statement_descriptor">,
    text<"receipt_number">,
    text<"hosted_invoice_url">,
    text<"invoice_pdf">,
    reference<"latest_revision">,
    reference<"application">,
    bigint<"application_fee_amount">,
    reference<"on_behalf_of">,
    reference<"test_clock">,
    jsonb<"metadata">,
};
constexpr Index invoice_indexes[] = {
    {"customer", "customer"}, {"subscription", "subscription"},     {"status", "status"},
    {"created", "created"},   {"payment_intent", "payment_intent"},
};
constexpr ChildList invoice_children[] = {
    {"lines", &invoice_line_item, "invoice", "/v1/invoices/{id}/lines", ""},
};

constexpr Column invoice_line_item_columns[] = {
    text<"id">,
    text<"object">,
    boolean<"livemode">,
    reference<"invoice">,
    text<"type">,
    text<"parent_type", "parent.type">, // basil's successor of type, with other words
    bigint<"amount">,
    bigint<"amount_excluding_tax">,
    bigint<"subtotal">,
    text<"currency">,
    bigint<"quantity">,
    text<"quantity_decimal">,
    text<"unit_amount_decimal", "pricing.unit_amount_decimal", "price.unit_amount_decimal">,
    text<"description">,
    boolean<"discountable">,
    timestamp<"period_start", "period.start">,
    timestamp<"period_end", "period.end">,
    boolean<"proration", "proration", "parent.subscription_item_details.proration",
            "parent.invoice_item_details.proration">,
    reference<"price", "price", "pricing.price_details.price">,
    reference<"product", "price.product", "pricing.price_details.product", "plan.product">,
    reference<"plan">,
    reference<"subscription", "subscription", "parent.subscription_item_details.subscription",
              "parent.invoice_item_details.subscription">,
    reference<"subscription_item", "subscription_item",
              "parent.subscription_item_details.subscription_item">,
    reference<"invoice_item", "invoice_item", "parent.invoice_item_details.invoice_item",
              "parent.subscription_item_details.invoice_item">,
    jsonb<"metadata">,
};
constexpr Index invoice_line_item_indexes[] = {
    {"invoice", "invoice"},
    {"subscription", "subscription"},
    {"price", "price"},
};

} // namespace

constexpr Kind subscription = {
    .name = "subscription",
    .object = "subscription",
    .table = "subscriptions",
    .list_path = "/v1/subscriptions",
    .list_params = "status=all", // without it Stripe hides the canceled ones
    .retrieve_path = "/v1/subscriptions/{id}",
    .filters_by_created = true,
    .is_default = true,
    .columns = subscription_columns,
    .indexes = subscription_indexes,
    .children = subscription_children,
};

constexpr Kind subscription_item = {
    .name = "subscription_item",
    .object = "subscription_item",
    .table = "subscription_items",
    .columns = subscription_item_columns,
    .indexes = subscription_item_indexes,
};

constexpr Kind invoice = {
    .name = "invoice",
    .object = "invoice",
    .table = "invoices",
    .list_path = "/v1/invoices",
    .retrieve_path = "/v1/invoices/{id}",
    .filters_by_created = true,
    .is_default = true,
    .columns = invoice_columns,
    .indexes = invoice_indexes,
    .children = invoice_children,
};

constexpr Kind invoice_line_item = {
    .name = "invoice_line_item",
    .object = "line_item",
    .table = "invoice_line_items",
    .columns = invoice_line_item_columns,
    .indexes = invoice_line_item_indexes,
};

} // namespace billstack::stripe::catalog
