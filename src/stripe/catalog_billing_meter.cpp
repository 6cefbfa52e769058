// Catalogue: meters of usage-based billing.
#include "stripe/catalog_columns.hpp"

namespace billstack::stripe::catalog {

namespace {

constexpr Column billing_meter_columns[] = {
    text<"id">,
    text<"object">,
    timestamp<"created">,
    timestamp<"updated">,
    boolean<"livemode">,
    text<"status">,
    text<"display_name">,
    text<"event_name">,
    text<"event_time_window">,
    text<"default_aggregation_formula", "default_aggregation.formula">,
    text<"customer_mapping_type", "customer_mapping.type">,
    text<"customer_mapping_event_payload_key", "customer_mapping.event_payload_key">,
    text<"value_settings_event_payload_key", "value_settings.event_payload_key">,
    timestamp<"deactivated_at", "status_transitions.deactivated_at">,
};

constexpr Index billing_meter_indexes[] = {
    {"created", "created"},
    {"event_name", "event_name"},
};

} // namespace

constexpr Kind billing_meter = {
    .name = "billing_meter",
    .object = "billing.meter",
    .table = "billing_meters",
    .list_path = "/v1/billing/meters",
    .retrieve_path = "/v1/billing/meters/{id}",
    .columns = billing_meter_columns,
    .indexes = billing_meter_indexes,
};

} // namespace billstack::stripe::catalog
