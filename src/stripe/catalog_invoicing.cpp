// Catalogue: around subscriptions and invoices: schedules, what was paid on an invoice, and what
// waits for the next one.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column subscription_schedule_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"status">,
    reference<"customer">,
    text<"customer_account">,
    reference<"subscription">,
    reference<"released_subscription">,
    text<"end_behavior">,
    timestamp<"current_phase_start", "current_phase.start_date">,
    timestamp<"current_phase_end", "current_phase.end_date">,
    timestamp<"canceled_at">,
    timestamp<"completed_at">,
    timestamp<"released_at">,
    reference<"application">,
    reference<"test_clock">,
    jsonb<"metadata">,
};

constexpr Index subscription_schedule_indexes[] = {
    {"created", "created"},
    {"customer", "customer"},
    {"subscription", "subscription"},
    {"status", "status"},
};

// Since basil an invoice can be paid by several payments.
constexpr Column invoice_payment_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"status">,
    reference<"invoice">,
    boolean<"is_default">,
    bigint<"amount_requested">,
    bigint<"amount_paid">,
    text<"currency">,
    text<"payment_type", "payment.type">,
    reference<"payment_intent", "payment.payment_intent">,
    reference<"charge", "payment.charge">,
    reference<"payment_record", "payment.payment_record">,
    timestamp<"paid_at", "status_transitions.paid_at">,
    timestamp<"canceled_at", "status_transitions.canceled_at">,
};

constexpr Index invoice_payment_indexes[] = {
    {"invoice", "invoice"},
    {"payment_intent", "payment_intent"},
    {"created", "created"},
};

constexpr Column invoice_item_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"date">,
    boolean<"livemode">,
    reference<"customer">,
    text<"customer_account">,
    reference<"invoice">, // empty while it waits
    bigint<"amount">,
    bigint<"net_amount">,
    text<"currency">,
    bigint<"quantity">,
    text<"quantity_decimal">,
    bigint<"unit_amount">,
    text<"unit_amount_decimal", "pricing.unit_amount_decimal", "unit_amount_decimal">,
    reference<"price", "price", "pricing.price_details.price">,
    reference<"product", "price.product", "pricing.price_details.product", "plan.product">,
    reference<"plan">,
    reference<"subscription", "subscription", "parent.subscription_details.subscription">,
    reference<"subscription_item", "subscription_item",
              "parent.subscription_details.subscription_item">,
    boolean<"proration">,
    boolean<"discountable">,
    text<"description">,
    timestamp<"period_start", "period.start">,
    timestamp<"period_end", "period.end">,
    reference<"test_clock">,
    jsonb<"metadata">,
};
constexpr Index invoice_item_indexes[] = {
    {"date", "date"},
    {"customer", "customer"},
    {"invoice", "invoice"},
};

} // namespace

constexpr Kind subscription_schedule = {
    .name = "subscription_schedule",
    .object = "subscription_schedule",
    .table = "subscription_schedules",
    .list_path = "/v1/subscription_schedules",
    .retrieve_path = "/v1/subscription_schedules/{id}",
    .filters_by_created = true,
    .columns = subscription_schedule_columns,
    .indexes = subscription_schedule_indexes,
};

constexpr Kind invoice_payment = {
    .name = "invoice_payment",
    .object = "invoice_payment",
    .table = "invoice_payments",
    .list_path = "/v1/invoice_payments",
    .retrieve_path = "/v1/invoice_payments/{id}",
    .filters_by_created = true,
    .columns = invoice_payment_columns,
    .indexes = invoice_payment_indexes,
};

constexpr Kind invoice_item = {
    .name = "invoice_item",
    .object = "invoiceitem",
    .table = "invoice_items",
    .list_path = "/v1/invoiceitems",
    .retrieve_path = "/v1/invoiceitems/{id}",
    .filters_by_created = true,
    .columns = invoice_item_columns,
    .indexes = invoice_item_indexes,
};

} // namespace billstack::stripe::catalog
