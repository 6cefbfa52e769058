// Catalogue: payment intents, payment methods and setup intents.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column payment_intent_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"status">,
    bigint<"amount">,
    bigint<"amount_capturable">,
    bigint<"amount_received">,
    text<"currency">,
    reference<"customer">,
    text<"customer_account">,
    reference<"invoice">, // gone since basil: join over invoice_payments
    reference<"latest_charge", "latest_charge", "charges.data.0">, // before 2022-11-15 a list
    reference<"payment_method">,
    reference<"source">,
    reference<"review">,
    text<"capture_method">,
    text<"confirmation_method">,
    text<"setup_future_usage">,
    timestamp<"canceled_at">,
    text<"cancellation_reason">,
    text<"last_payment_error_code", "last_payment_error.code">,
    text<"last_payment_error_decline_code", "last_payment_error.decline_code">,
    text<"next_action_type", "next_action.type">,
    text<"client_secret">,
    text<"description">,
    text<"receipt_email">,
    text<"statement_descriptor">,
    text<"statement_descriptor_suffix">,
    reference<"application">,
    bigint<"application_fee_amount">,
    reference<"on_behalf_of">,
    text<"transfer_group">,
    jsonb<"metadata">,
};

constexpr Index payment_intent_indexes[] = {
    {"customer", "customer"},
    {"status", "status"},
    {"created", "created"},
    {"latest_charge", "latest_charge"},
};

constexpr Column payment_method_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"type">,
    reference<"customer">, // empty once it is detached
    text<"customer_account">,
    text<"allow_redisplay">,
    text<"card_brand", "card.brand">,
    text<"card_last4", "card.last4">,
    bigint<"card_exp_month", "card.exp_month">,
    bigint<"card_exp_year", "card.exp_year">,
    text<"card_country", "card.country">,
    text<"card_funding", "card.funding">,
    text<"card_fingerprint", "card.fingerprint">,
    text<"billing_details_email", "billing_details.email">,
    text<"billing_details_name", "billing_details.name">,
    jsonb<"metadata">,
};

constexpr Index payment_method_indexes[] = {
    {"customer", "customer"},
};

constexpr Column setup_intent_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"status">,
    text<"usage">,
    reference<"customer">,
    text<"customer_account">,
    reference<"payment_method">,
    reference<"latest_attempt">,
    reference<"mandate">,
    reference<"single_use_mandate">,
    boolean<"attach_to_self">,
    text<"cancellation_reason">,
    text<"last_setup_error_code", "last_setup_error.code">,
    text<"next_action_type", "next_action.type">,
    text<"client_secret">,
    text<"description">,
    reference<"application">,
    reference<"on_behalf_of">,
    jsonb<"metadata">,
};

constexpr Index setup_intent_indexes[] = {
    {"customer", "customer"},
    {"status", "status"},
    {"created", "created"},
};

} // namespace

constexpr Kind payment_intent = {
    .name = "payment_intent",
    .object = "payment_intent",
    .table = "payment_intents",
    .list_path = "/v1/payment_intents",
    .retrieve_path = "/v1/payment_intents/{id}",
    .filters_by_created = true,
    .columns = payment_intent_columns,
    .indexes = payment_intent_indexes,
};

constexpr Kind payment_method = {
    .name = "payment_method",
    .object = "payment_method",
    .table = "payment_methods",
    .list_path = "/v1/customers/{id}/payment_methods",
    .retrieve_path = "/v1/payment_methods/{id}",
    .list_parent = &customer,
    .outlives_list = true,
    .columns = payment_method_columns,
    .indexes = payment_method_indexes,
};

constexpr Kind setup_intent = {
    .name = "setup_intent",
    .object = "setup_intent",
    .table = "setup_intents",
    .list_path = "/v1/setup_intents",
    .retrieve_path = "/v1/setup_intents/{id}",
    .filters_by_created = true,
    .columns = setup_intent_columns,
    .indexes = setup_intent_indexes,
};

} // namespace billstack::stripe::catalog
