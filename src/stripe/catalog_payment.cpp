// Catalogue: payments (charges).
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column charge_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    text<"status">,
    bigint<"amount">,
    bigint<"amount_captured">,
    bigint<"amount_refunded">,
    text<"currency">,
    boolean<"paid">,
    boolean<"captured">,
    boolean<"refunded">,
    boolean<"disputed">,
    reference<"dispute">,
    reference<"customer">,
    reference<"invoice">, // gone since basil: join over payment_intent
    reference<"payment_intent">,
    reference<"payment_method">,
    text<"payment_method_type", "payment_method_details.type">,
    reference<"balance_transaction">,
    reference<"failure_balance_transaction">,
    text<"failure_code">,
    text<"failure_message">,
    text<"description">,
    text<"statement_descriptor">,
    text<"statement_descriptor_suffix">,
    text<"calculated_statement_descriptor">,
    text<"receipt_email">,
    text<"receipt_number">,
    text<"receipt_url">,
    reference<"review">,
    reference<"order">,
    reference<"application">,
    reference<"application_fee">,
    bigint<"application_fee_amount">,
    reference<"on_behalf_of">,
    reference<"destination">,
    reference<"source_transfer">,
    reference<"transfer">,
    text<"transfer_group">,
    jsonb<"metadata">,
};
constexpr Index charge_indexes[] = {
    {"customer", "customer"},
    {"invoice", "invoice"},
    {"payment_intent", "payment_intent"},
    {"created", "created"},
};

} // namespace

constexpr Kind charge = {
    .name = "charge",
    .object = "charge",
    .table = "charges",
    .list_path = "/v1/charges",
    .list_params = "",
    .retrieve_path = "/v1/charges/{id}",
    .list_parent = nullptr,
    .list_parent_param = "",
    .filters_by_created = true,
    .is_default = true,
    .reusable_ids = false,
    .late_member = "balance_transaction",
    .columns = charge_columns,
    .indexes = charge_indexes,
    .children = {},
};

} // namespace billstack::stripe::catalog
