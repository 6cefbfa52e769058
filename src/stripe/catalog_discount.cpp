// Catalogue: coupons and promotion codes.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column coupon_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    text<"name">,
    boolean<"valid">,
    text<"duration">,
    bigint<"duration_in_months">,
    bigint<"amount_off">,
    text<"currency">,
    numeric<"percent_off">,
    numeric<"percent_off_precise">, // of very old API versions
    bigint<"max_redemptions">,
    bigint<"times_redeemed">,
    timestamp<"redeem_by">,
    jsonb<"metadata">,
};

constexpr Index coupon_indexes[] = {
    {"created", "created"},
};

constexpr Column promotion_code_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    boolean<"livemode">,
    boolean<"active">,
    text<"code">,
    reference<"coupon", "coupon", "promotion.coupon">, // moved by 2025-09-30 (clover)
    text<"promotion_type", "promotion.type">,
    reference<"customer">,
    text<"customer_account">,
    timestamp<"expires_at">,
    bigint<"max_redemptions">,
    bigint<"times_redeemed">,
    boolean<"restrictions_first_time_transaction", "restrictions.first_time_transaction">,
    bigint<"restrictions_minimum_amount", "restrictions.minimum_amount">,
    text<"restrictions_minimum_amount_currency", "restrictions.minimum_amount_currency">,
    jsonb<"metadata">,
};

constexpr Index promotion_code_indexes[] = {
    {"created", "created"},
    {"code", "code"},
    {"coupon", "coupon"},
    {"customer", "customer"},
};

} // namespace

constexpr Kind coupon = {
    .name = "coupon",
    .object = "coupon",
    .table = "coupons",
    .list_path = "/v1/coupons",
    .retrieve_path = "/v1/coupons/{id}",
    .filters_by_created = true,
    .reusable_ids = true, // "SUMMER25"
    .columns = coupon_columns,
    .indexes = coupon_indexes,
};

constexpr Kind promotion_code = {
    .name = "promotion_code",
    .object = "promotion_code",
    .table = "promotion_codes",
    .list_path = "/v1/promotion_codes",
    .retrieve_path = "/v1/promotion_codes/{id}",
    .filters_by_created = true,
    .columns = promotion_code_columns,
    .indexes = promotion_code_indexes,
};

} // namespace billstack::stripe::catalog
