// Catalogue: where the money goes: balance transactions, payouts, transfers with their reversals,
// application fees.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column balance_transaction_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"available_on">,
    text<"type">,
    text<"reporting_category">,
    text<"status">,
    text<"balance_type">,
    bigint<"amount">,
    bigint<"fee">,
    bigint<"net">,
    text<"currency">,
    numeric<"exchange_rate">,
    reference<"source">, // the charge, refund, payout ... it comes from
    text<"description">,
};

constexpr Index balance_transaction_indexes[] = {
    {"source", "source"},
    {"created", "created"},
    {"available_on", "available_on"},
};

constexpr Column payout_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    text<"status">,
    text<"type">,
    text<"method">,
    boolean<"automatic">,
    bigint<"amount">,
    bigint<"amount_reversed">, // this one and others: of old API versions, kept for their columns
    text<"currency">,
    timestamp<"arrival_date">,
    timestamp<"date">,
    reference<"balance_transaction">,
    reference<"failure_balance_transaction">,
    text<"failure_code">,
    text<"failure_message">,
    reference<"destination">,
    text<"payout_method">,
    reference<"recipient">,
    reference<"source_transaction">,
    text<"source_type">,
    text<"reconciliation_status">,
    reference<"original_payout">,
    reference<"reversed_by">,
    text<"trace_id_status", "trace_id.status">,
    text<"trace_id_value", "trace_id.value">,
    text<"description">,
    text<"statement_descriptor">,
    text<"statement_description">,
    reference<"application_fee">,
    bigint<"application_fee_amount">,
    text<"transfer_group">,
    jsonb<"metadata">,
};

constexpr Index payout_indexes[] = {
    {"status", "status"},
    {"created", "created"},
    {"arrival_date", "arrival_date"},
};

constexpr Column transfer_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    bigint<"amount">,
    bigint<"amount_reversed">,
    boolean<"reversed">,
    text<"currency">,
    reference<"balance_transaction">,
    reference<"destination">,
    reference<"destination_payment">,
    reference<"source_transaction">,
    text<"source_type">,
    text<"transfer_group">,
    text<"description">,
    jsonb<"metadata">,
};

constexpr Index transfer_indexes[] = {
    {"destination", "destination"},
    {"source_transaction", "source_transaction"},
    {"created", "created"},
};

constexpr ChildList transfer_children[] = {
    {"reversals", &transfer_reversal, "transfer", "/v1/transfers/{id}/reversals", ""},
};

constexpr Column transfer_reversal_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    reference<"transfer">,
    bigint<"amount">,
    text<"currency">,
    reference<"balance_transaction">,
    reference<"destination_payment_refund">,
    reference<"source_refund">,
    jsonb<"metadata">,
};

constexpr Index transfer_reversal_indexes[] = {
    {"transfer", "transfer"},
};

constexpr Column application_fee_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    reference<"account">,
    reference<"application">,
    reference<"charge">,
    reference<"originating_transaction">,
    reference<"balance_transaction">,
    text<"fee_source_type", "fee_source.type">,
    bigint<"amount">,
    bigint<"amount_refunded">,
    boolean<"refunded">,
    text<"currency">,
};

constexpr Index application_fee_indexes[] = {
    {"account", "account"},
    {"charge", "charge"},
    {"created", "created"},
};

} // namespace

constexpr Kind balance_transaction = {
    .name = "balance_transaction",
    .object = "balance_transaction",
    .table = "balance_transactions",
    .list_path = "/v1/balance_transactions",
    .retrieve_path = "/v1/balance_transactions/{id}",
    .filters_by_created = true,
    .columns = balance_transaction_columns,
    .indexes = balance_transaction_indexes,
};

constexpr Kind payout = {
    .name = "payout",
    .object = "payout",
    .table = "payouts",
    .list_path = "/v1/payouts",
    .retrieve_path = "/v1/payouts/{id}",
    .filters_by_created = true,
    .late_member = "balance_transaction",
    .columns = payout_columns,
    .indexes = payout_indexes,
};

constexpr Kind transfer = {
    .name = "transfer",
    .object = "transfer",
    .table = "transfers",
    .list_path = "/v1/transfers",
    .retrieve_path = "/v1/transfers/{id}",
    .filters_by_created = true,
    .late_member = "balance_transaction",
    .columns = transfer_columns,
    .indexes = transfer_indexes,
    .children = transfer_children,
};

constexpr Kind transfer_reversal = {
    .name = "transfer_reversal",
    .object = "transfer_reversal",
    .table = "transfer_reversals",
    .columns = transfer_reversal_columns,
    .indexes = transfer_reversal_indexes,
};

constexpr Kind application_fee = {
    .name = "application_fee",
    .object = "application_fee",
    .table = "application_fees",
    .list_path = "/v1/application_fees",
    .retrieve_path = "/v1/application_fees/{id}",
    .filters_by_created = true,
    .late_member = "balance_transaction",
    .columns = application_fee_columns,
    .indexes = application_fee_indexes,
};

} // namespace billstack::stripe::catalog
