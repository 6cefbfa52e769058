// Catalogue: features and the entitlements of customers to them.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column feature_columns[] = {
    text<"id">,   text<"object">,     boolean<"livemode">, boolean<"active">,
    text<"name">, text<"lookup_key">, jsonb<"metadata">,
};

constexpr Index feature_indexes[] = {
    {"lookup_key", "lookup_key"},
};

constexpr Column active_entitlement_columns[] = {
    text<"id">,
    text<"object">,
    boolean<"livemode">,
    reference<"customer">, // not in the object: from the customer whose list it is in
    reference<"feature">,
    text<"lookup_key">,
};

constexpr Index active_entitlement_indexes[] = {
    {"customer", "customer"},
    {"feature", "feature"},
};

} // namespace

constexpr Kind feature = {
    .name = "feature",
    .object = "entitlements.feature",
    .table = "features",
    .list_path = "/v1/entitlements/features",
    .retrieve_path = "/v1/entitlements/features/{id}",
    .columns = feature_columns,
    .indexes = feature_indexes,
};

// Read alone, one would not say whose it is: hence no retrieve_path.
constexpr Kind active_entitlement = {
    .name = "active_entitlement",
    .object = "entitlements.active_entitlement",
    .table = "active_entitlements",
    .list_path = "/v1/entitlements/active_entitlements",
    .list_parent = &customer,
    .list_parent_param = "customer",
    .columns = active_entitlement_columns,
    .indexes = active_entitlement_indexes,
};

} // namespace billstack::stripe::catalog
