// Catalogue: tax ids of customers, tax rates.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column tax_id_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    reference<"customer", "customer", "owner.customer">,
    text<"customer_account">,
    text<"owner_type", "owner.type">,
    text<"type">,
    text<"value">,
    text<"country">,
    text<"verification_status", "verification.status">,
};

constexpr Index tax_id_indexes[] = {
    {"customer", "customer"},
};

constexpr Column tax_rate_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"active">,
    text<"display_name">,
    text<"description">,
    numeric<"percentage">,
    numeric<"effective_percentage">,
    boolean<"inclusive">,
    text<"country">,
    text<"state">,
    text<"jurisdiction">,
    text<"jurisdiction_level">,
    text<"tax_type">,
    text<"rate_type">,
    bigint<"flat_amount", "flat_amount.amount">,
    text<"flat_amount_currency", "flat_amount.currency">,
    jsonb<"metadata">,
};

constexpr Index tax_rate_indexes[] = {
    {"created", "created"},
};

} // namespace

constexpr Kind tax_id = {
    .name = "tax_id",
    .object = "tax_id",
    .table = "tax_ids",
    .list_path = "/v1/customers/{id}/tax_ids",
    .retrieve_path = "/v1/tax_ids/{id}",
    .list_parent = &customer,
    .columns = tax_id_columns,
    .indexes = tax_id_indexes,
};

constexpr Kind tax_rate = {
    .name = "tax_rate",
    .object = "tax_rate",
    .table = "tax_rates",
    .list_path = "/v1/tax_rates",
    .retrieve_path = "/v1/tax_rates/{id}",
    .filters_by_created = true,
    .columns = tax_rate_columns,
    .indexes = tax_rate_indexes,
};

} // namespace billstack::stripe::catalog
