// Catalogue: credit notes with their lines, the credit balance of a customer, credit grants.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column credit_note_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    text<"number">,
    text<"status">,
    text<"type">,
    text<"reason">,
    reference<"customer">,
    text<"customer_account">,
    reference<"invoice">,
    reference<"refund", "refund", "refunds.0.refund">, // of several, the first
    reference<"customer_balance_transaction">,
    text<"currency">,
    bigint<"amount">,
    bigint<"amount_shipping">,
    bigint<"discount_amount">,
    bigint<"out_of_band_amount">,
    bigint<"pre_payment_amount">,
    bigint<"post_payment_amount">,
    bigint<"subtotal">,
    bigint<"subtotal_excluding_tax">,
    bigint<"total">,
    bigint<"total_excluding_tax">,
    text<"memo">,
    text<"pdf">,
    timestamp<"effective_at">,
    timestamp<"voided_at">,
    jsonb<"metadata">,
};

constexpr Index credit_note_indexes[] = {
    {"customer", "customer"},
    {"invoice", "invoice"},
    {"created", "created"},
};

constexpr ChildList credit_note_children[] = {
    {"lines", &credit_note_line_item, "credit_note", "/v1/credit_notes/{id}/lines", ""},
};

constexpr Column credit_note_line_item_columns[] = {
    text<"id">,
    text<"object">,
    boolean<"livemode">,
    reference<"credit_note">, // not in the object: from the credit note it is in
    text<"type">,
    reference<"invoice_line_item">,
    bigint<"amount">,
    bigint<"amount_excluding_tax">,
    bigint<"discount_amount">,
    text<"description">,
    bigint<"quantity">,
    bigint<"unit_amount">,
    text<"unit_amount_decimal">,
    text<"unit_amount_excluding_tax">,
    jsonb<"metadata">,
};

constexpr Index credit_note_line_item_indexes[] = {
    {"credit_note", "credit_note"},
};

constexpr Column customer_balance_transaction_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    reference<"customer">,
    text<"customer_account">,
    text<"type">,
    bigint<"amount">, // negative: in the customer's favour
    bigint<"ending_balance">,
    text<"currency">,
    text<"description">,
    reference<"invoice">,
    reference<"credit_note">,
    reference<"checkout_session">,
    jsonb<"metadata">,
};

constexpr Index customer_balance_transaction_indexes[] = {
    {"customer", "customer"},
    {"created", "created"},
};

constexpr Column credit_grant_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    text<"name">,
    text<"category">,
    reference<"customer">,
    text<"customer_account">,
    text<"amount_type", "amount.type">,
    bigint<"amount", "amount.monetary.value">,
    text<"currency", "amount.monetary.currency">,
    bigint<"priority">,
    timestamp<"effective_at">,
    timestamp<"expires_at">,
    timestamp<"voided_at">,
    reference<"test_clock">,
    jsonb<"metadata">,
};

constexpr Index credit_grant_indexes[] = {
    {"created", "created"},
    {"customer", "customer"},
};

} // namespace

constexpr Kind credit_note = {
    .name = "credit_note",
    .object = "credit_note",
    .table = "credit_notes",
    .list_path = "/v1/credit_notes",
    .retrieve_path = "/v1/credit_notes/{id}",
    .filters_by_created = true,
    .columns = credit_note_columns,
    .indexes = credit_note_indexes,
    .children = credit_note_children,
};

constexpr Kind credit_note_line_item = {
    .name = "credit_note_line_item",
    .object = "credit_note_line_item",
    .table = "credit_note_line_items",
    .columns = credit_note_line_item_columns,
    .indexes = credit_note_line_item_indexes,
};

constexpr Kind customer_balance_transaction = {
    .name = "customer_balance_transaction",
    .object = "customer_balance_transaction",
    .table = "customer_balance_transactions",
    .list_path = "/v1/customers/{id}/balance_transactions",
    .list_parent = &customer,
    .columns = customer_balance_transaction_columns,
    .indexes = customer_balance_transaction_indexes,
};

constexpr Kind credit_grant = {
    .name = "credit_grant",
    .object = "billing.credit_grant",
    .table = "credit_grants",
    .list_path = "/v1/billing/credit_grants",
    .retrieve_path = "/v1/billing/credit_grants/{id}",
    .columns = credit_grant_columns,
    .indexes = credit_grant_indexes,
};

} // namespace billstack::stripe::catalog
