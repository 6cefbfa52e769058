// Catalogue: checkout sessions with their line items, payment links, quotes.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column checkout_session_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"mode">,
    text<"status">,
    text<"payment_status">,
    reference<"customer">,
    text<"customer_account">,
    text<"customer_email">,
    text<"customer_details_email", "customer_details.email">,
    text<"customer_creation">,
    text<"client_reference_id">,
    reference<"subscription">,
    reference<"payment_intent">,
    reference<"setup_intent">,
    reference<"invoice">,
    reference<"payment_link">,
    text<"currency">,
    bigint<"amount_subtotal">,
    bigint<"amount_total">,
    bigint<"total_details_amount_discount", "total_details.amount_discount">,
    bigint<"total_details_amount_shipping", "total_details.amount_shipping">,
    bigint<"total_details_amount_tax", "total_details.amount_tax">,
    boolean<"allow_promotion_codes">,
    text<"billing_address_collection">,
    text<"payment_method_collection">,
    text<"submit_type">,
    text<"locale">,
    text<"ui_mode">,
    text<"redirect_on_completion">,
    text<"url">,
    text<"success_url">,
    text<"cancel_url">,
    text<"return_url">,
    text<"client_secret">,
    text<"recovered_from">,
    text<"origin_context">,
    text<"integration_identifier">,
    timestamp<"expires_at">,
    jsonb<"metadata">,
};

constexpr Index checkout_session_indexes[] = {
    {"customer", "customer"},
    {"subscription", "subscription"},
    {"payment_intent", "payment_intent"},
    {"created", "created"},
};

// Stripe leaves the line items out of the session, also in events.
constexpr ChildList checkout_session_children[] = {
    {"line_items", &checkout_session_line_item, "checkout_session",
     "/v1/checkout/sessions/{id}/line_items", "", false},
};

constexpr Column checkout_session_line_item_columns[] = {
    text<"id">,
    text<"object">,
    reference<"checkout_session">, // not in the object: from the session it is in
    reference<"price">,
    reference<"product", "price.product">,
    text<"description">,
    bigint<"quantity">,
    text<"currency">,
    bigint<"amount_subtotal">,
    bigint<"amount_discount">,
    bigint<"amount_tax">,
    bigint<"amount_total">,
    jsonb<"metadata">,
};

constexpr Index checkout_session_line_item_indexes[] = {
    {"checkout_session", "checkout_session"},
    {"price", "price"},
};

constexpr Column payment_link_columns[] = {
    text<"id">,
    text<"object">,
    boolean<"livemode">,
    boolean<"active">,
    text<"url">,
    text<"currency">,
    text<"inactive_message">,
    boolean<"allow_promotion_codes">,
    text<"billing_address_collection">,
    text<"customer_creation">,
    text<"payment_method_collection">,
    text<"submit_type">,
    reference<"application">,
    bigint<"application_fee_amount">,
    numeric<"application_fee_percent">,
    reference<"on_behalf_of">,
    jsonb<"metadata">,
};

constexpr Column quote_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"number">,
    text<"status">,
    reference<"customer">,
    text<"customer_account">,
    reference<"invoice">,
    reference<"subscription">,
    reference<"subscription_schedule">,
    reference<"from_quote", "from_quote.quote">,
    text<"collection_method">,
    text<"currency">,
    bigint<"amount_subtotal">,
    bigint<"amount_total">,
    text<"header">,
    text<"description">,
    text<"footer">,
    timestamp<"expires_at">,
    timestamp<"accepted_at", "status_transitions.accepted_at">,
    timestamp<"canceled_at", "status_transitions.canceled_at">,
    timestamp<"finalized_at", "status_transitions.finalized_at">,
    reference<"application">,
    bigint<"application_fee_amount">,
    numeric<"application_fee_percent">,
    reference<"on_behalf_of">,
    reference<"test_clock">,
    jsonb<"metadata">,
};

constexpr Index quote_indexes[] = {
    {"created", "created"},
    {"customer", "customer"},
    {"status", "status"},
};

} // namespace

constexpr Kind checkout_session = {
    .name = "checkout_session",
    .object = "checkout.session",
    .table = "checkout_sessions",
    .list_path = "/v1/checkout/sessions",
    .retrieve_path = "/v1/checkout/sessions/{id}",
    .filters_by_created = true,
    .columns = checkout_session_columns,
    .indexes = checkout_session_indexes,
    .children = checkout_session_children,
};

constexpr Kind checkout_session_line_item = {
    .name = "checkout_session_line_item",
    .object = "item",
    .table = "checkout_session_line_items",
    .columns = checkout_session_line_item_columns,
    .indexes = checkout_session_line_item_indexes,
};

constexpr Kind payment_link = {
    .name = "payment_link",
    .object = "payment_link",
    .table = "payment_links",
    .list_path = "/v1/payment_links",
    .retrieve_path = "/v1/payment_links/{id}",
    .columns = payment_link_columns,
};

constexpr Kind quote = {
    .name = "quote",
    .object = "quote",
    .table = "quotes",
    .list_path = "/v1/quotes",
    .retrieve_path = "/v1/quotes/{id}",
    .columns = quote_columns,
    .indexes = quote_indexes,
};

} // namespace billstack::stripe::catalog
