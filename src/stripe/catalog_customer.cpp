// Catalogue: customers and what is sold to them (products, prices and the plans from before
// prices). Column names follow the well-known sync engines where they have one, else Stripe's own
// member names.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column customer_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"deleted">, // a read of a deleted customer answers {id, object, deleted}
    text<"email">,
    text<"name">,
    text<"phone">,
    text<"description">,
    text<"currency">,
    bigint<"balance">,
    boolean<"delinquent">,
    reference<"default_source">,
    reference<"default_payment_method", "invoice_settings.default_payment_method">,
    text<"invoice_prefix">,
    bigint<"next_invoice_sequence">,
    text<"tax_exempt">,
    text<"address_country", "address.country">,
    text<"customer_account">,
    reference<"test_clock">,
    jsonb<"metadata">,
};
constexpr Index customer_indexes[] = {
    {"created", "created"},
    {"email", "pg_catalog.lower(email)"},
};

constexpr Column product_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    boolean<"active">,
    text<"name">,
    text<"description">,
    text<"caption">,
    reference<"default_price">,
    text<"type">,
    boolean<"shippable">,
    text<"statement_descriptor">,
    text<"unit_label">,
    text<"url">,
    reference<"tax_code">,
    jsonb<"metadata">,
};
constexpr Index product_indexes[] = {
    {"created", "created"},
};

constexpr Column price_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"active">,
    reference<"product">,
    text<"currency">,
    bigint<"unit_amount">,
    text<"unit_amount_decimal">,
    text<"type">,
    text<"recurring_interval", "recurring.interval">,
    bigint<"recurring_interval_count", "recurring.interval_count">,
    text<"recurring_usage_type", "recurring.usage_type">,
    text<"recurring_meter", "recurring.meter">,
    bigint<"recurring_trial_period_days", "recurring.trial_period_days">,
    text<"billing_scheme">,
    text<"tiers_mode">,
    text<"tax_behavior">,
    text<"lookup_key">,
    text<"nickname">,
    jsonb<"metadata">,
};
constexpr Index price_indexes[] = {
    {"product", "product"},
    {"lookup_key", "lookup_key"},
};

constexpr Column plan_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"active">,
    reference<"product">,
    text<"currency">,
    bigint<"amount">,
    text<"amount_decimal">,
    text<"billing_scheme">,
    text<"interval">,
    bigint<"interval_count">,
    text<"usage_type">,
    text<"aggregate_usage">, // gone since basil: meters
    reference<"meter">,
    text<"tiers_mode">,
    bigint<"trial_period_days">,
    text<"nickname">,
    jsonb<"metadata">,
};
constexpr Index plan_indexes[] = {
    {"product", "product"},
};

} // namespace

constexpr Kind customer = {
    .name = "customer",
    .object = "customer",
    .table = "customers",
    .list_path = "/v1/customers",
    .retrieve_path = "/v1/customers/{id}",
    .filters_by_created = true,
    .is_default = true,
    .columns = customer_columns,
    .indexes = customer_indexes,
};

constexpr Kind product = {
    .name = "product",
    .object = "product",
    .table = "products",
    .list_path = "/v1/products",
    .retrieve_path = "/v1/products/{id}",
    .filters_by_created = true,
    .is_default = true,
    .reusable_ids = true,
    .columns = product_columns,
    .indexes = product_indexes,
};

constexpr Kind price = {
    .name = "price",
    .object = "price",
    .table = "prices",
    .list_path = "/v1/prices",
    .retrieve_path = "/v1/prices/{id}",
    .hides_some = true, // inline ones
    .filters_by_created = true,
    .is_default = true,
    .reusable_ids = true, // those of plans
    .columns = price_columns,
    .indexes = price_indexes,
};

constexpr Kind plan = {
    .name = "plan",
    .object = "plan",
    .table = "plans",
    .list_path = "/v1/plans",
    .retrieve_path = "/v1/plans/{id}",
    .hides_some = true, // those of inline prices
    .filters_by_created = true,
    .reusable_ids = true, // "gold-monthly"
    .columns = plan_columns,
    .indexes = plan_indexes,
};

} // namespace billstack::stripe::catalog
