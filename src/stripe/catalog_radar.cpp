// Catalogue: what Radar says of payments: early fraud warnings and reviews.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column early_fraud_warning_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"actionable">,
    text<"fraud_type">,
    reference<"charge">,
    reference<"payment_intent">,
};

constexpr Index early_fraud_warning_indexes[] = {
    {"charge", "charge"},
    {"payment_intent", "payment_intent"},
    {"created", "created"},
};

constexpr Column review_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"open">,
    text<"reason">,
    text<"opened_reason">,
    text<"closed_reason">,
    reference<"charge">,
    reference<"payment_intent">,
    text<"billing_zip">,
    text<"ip_address">,
};

constexpr Index review_indexes[] = {
    {"charge", "charge"},
    {"payment_intent", "payment_intent"},
    {"created", "created"},
};

} // namespace

constexpr Kind early_fraud_warning = {
    .name = "early_fraud_warning",
    .object = "radar.early_fraud_warning",
    .table = "early_fraud_warnings",
    .list_path = "/v1/radar/early_fraud_warnings",
    .retrieve_path = "/v1/radar/early_fraud_warnings/{id}",
    .filters_by_created = true,
    .columns = early_fraud_warning_columns,
    .indexes = early_fraud_warning_indexes,
};

constexpr Kind review = {
    .name = "review",
    .object = "review",
    .table = "reviews",
    .list_path = "/v1/reviews",
    .retrieve_path = "/v1/reviews/{id}",
    .filters_by_created = true,
    .columns = review_columns,
    .indexes = review_indexes,
};

} // namespace billstack::stripe::catalog
