// Catalogue: charges, their refunds and disputes.
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

constexpr Column refund_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    text<"status">,
    bigint<"amount">,
    text<"currency">,
    reference<"charge">,
    reference<"payment_intent">,
    reference<"payment_method">,
    reference<"customer">,
    text<"customer_account">,
    text<"reason">,
    text<"pending_reason">,
    text<"failure_reason">,
    reference<"balance_transaction">,
    reference<"failure_balance_transaction">,
    text<"destination_details_type", "destination_details.type">,
    text<"description">,
    text<"instructions_email">,
    text<"receipt_number">,
    reference<"transfer_reversal">,
    reference<"source_transfer_reversal">,
    jsonb<"metadata">,
};
constexpr Index refund_indexes[] = {
    {"charge", "charge"},
    {"payment_intent", "payment_intent"},
    {"status", "status"},
    {"created", "created"},
};

constexpr Column dispute_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    text<"status">,
    text<"reason">,
    text<"network_reason_code", "network_reason_code",
         "payment_method_details.card.network_reason_code">,
    bigint<"amount">,
    text<"currency">,
    reference<"charge">,
    reference<"payment_intent">,
    boolean<"is_charge_refundable">,
    timestamp<"evidence_details_due_by", "evidence_details.due_by">,
    boolean<"evidence_details_has_evidence", "evidence_details.has_evidence">,
    text<"intended_submission_method">,
    jsonb<"metadata">,
};
constexpr Index dispute_indexes[] = {
    {"charge", "charge"},
    {"payment_intent", "payment_intent"},
    {"status", "status"},
    {"created", "created"},
};

} // namespace

constexpr Kind charge = {
    .name = "charge",
    .object = "charge",
    .table = "charges",
    .list_path = "/v1/charges",
    .retrieve_path = "/v1/charges/{id}",
    .filters_by_created = true,
    .is_default = true,
    .late_member = "balance_transaction",
    .columns = charge_columns,
    .indexes = charge_indexes,
};

constexpr Kind refund = {
    .name = "refund",
    .object = "refund",
    .table = "refunds",
    .list_path = "/v1/refunds",
    .retrieve_path = "/v1/refunds/{id}",
    .filters_by_created = true,
    .late_member = "balance_transaction",
    .columns = refund_columns,
    .indexes = refund_indexes,
};

constexpr Kind dispute = {
    .name = "dispute",
    .object = "dispute",
    .table = "disputes",
    .list_path = "/v1/disputes",
    .retrieve_path = "/v1/disputes/{id}",
    .filters_by_created = true,
    .columns = dispute_columns,
    .indexes = dispute_indexes,
};

} // namespace billstack::stripe::catalog
