// See parameters.hpp.
#include "parameters.hpp"

#include "api_error.hpp"

#include <algorithm>

namespace stripe_sim {

namespace {

struct Taken {
    Kind kind;
    bool creates;
    std::string_view names;
};

// A trailing "*" takes all that is below.
constexpr Taken taken[] = {
    {Kind::customer, true,
     "address* balance cash_balance* description email expand* invoice_prefix invoice_settings* "
     "metadata name next_invoice_sequence payment_method phone preferred_locales* shipping* source "
     "tax* tax_exempt tax_id_data* test_clock"},
    {Kind::customer, false,
     "address* balance cash_balance* default_source description email expand* invoice_prefix "
     "invoice_settings* metadata name next_invoice_sequence phone preferred_locales* shipping* "
     "source tax* tax_exempt"},
    {Kind::product, true,
     "active description expand* id images* marketing_features* metadata name package_dimensions* "
     "shippable statement_descriptor tax_code unit_label url"},
    {Kind::product, false,
     "active default_price description expand* images* marketing_features* metadata name "
     "package_dimensions* shippable statement_descriptor tax_code unit_label url"},
    {Kind::price, true,
     "active billing_scheme currency currency_options* custom_unit_amount* expand* lookup_key "
     "metadata nickname product recurring[interval] recurring[interval_count] "
     "recurring[trial_period_days] recurring[usage_type] recurring[meter] tax_behavior tiers* "
     "tiers_mode transfer_lookup_key transform_quantity* unit_amount unit_amount_decimal"},
    {Kind::price, false,
     "active currency_options* expand* lookup_key metadata nickname tax_behavior "
     "transfer_lookup_key"},
    {Kind::subscription, true,
     "automatic_tax* billing_cycle_anchor cancel_at cancel_at_period_end collection_method "
     "currency customer days_until_due default_payment_method default_source description "
     "discounts* expand* items[][price] items[][quantity] items[][metadata] items[][discounts]* "
     "items[][tax_rates]* metadata off_session payment_behavior payment_settings* "
     "proration_behavior trial_end trial_from_plan trial_period_days trial_settings*"},
    {Kind::subscription, false,
     "automatic_tax* billing_cycle_anchor cancel_at cancel_at_period_end cancellation_details* "
     "collection_method days_until_due default_payment_method default_source description "
     "discounts* expand* items[][id] items[][price] items[][quantity] items[][deleted] "
     "items[][metadata] items[][discounts]* items[][tax_rates]* metadata off_session "
     "pause_collection* payment_behavior payment_settings* proration_behavior proration_date "
     "trial_end trial_from_plan trial_settings*"},
    {Kind::refund, true,
     "amount charge currency customer expand* instructions_email metadata origin payment_intent "
     "reason refund_application_fee reverse_transfer"},
    {Kind::refund, false, "expand* metadata"},
    {Kind::checkout_session, true,
     "after_expiration* allow_promotion_codes automatic_tax* billing_address_collection cancel_url "
     "client_reference_id consent_collection* currency custom_fields* custom_text* customer "
     "customer_creation customer_email customer_update* discounts* expand* expires_at "
     "invoice_creation* line_items[][price] line_items[][quantity] "
     "line_items[][adjustable_quantity]* line_items[][tax_rates]* locale metadata mode "
     "payment_intent_data[description] payment_intent_data[metadata] "
     "payment_intent_data[receipt_email] payment_intent_data[setup_future_usage] "
     "payment_intent_data[statement_descriptor] payment_method_collection payment_method_options* "
     "payment_method_types* phone_number_collection* return_url "
     "setup_intent_data[description] setup_intent_data[metadata] submit_type "
     "subscription_data[description] subscription_data[metadata] subscription_data[trial_end] "
     "subscription_data[trial_period_days] subscription_data[trial_settings]* "
     "subscription_data[proration_behavior] success_url tax_id_collection* ui_mode"},
    {Kind::checkout_session, false, "expand* metadata"},
};

bool is_taken(std::string_view names, std::string_view name, bool deeper) {
    for (size_t at = 0; at < names.size();) {
        size_t end = std::min(names.find(' ', at), names.size());
        std::string_view one = names.substr(at, end - at);
        at = end + 1;
        if (one == name)
            return true;
        bool whole = one.ends_with('*');
        if (whole && one.substr(0, one.size() - 1) == name)
            return true;
        // On the way to something listed: "items" of "items[][price]".
        if (deeper && one.size() > name.size() && one.starts_with(name) && one[name.size()] == '[')
            return true;
    }
    return false;
}

bool takes_all(std::string_view names, std::string_view name) {
    return is_taken(names, std::string{name} + "*", false);
}

// Stripe counts characters, not bytes.
size_t characters(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

void check_metadata(const std::string &at, const json_t *metadata) {
    if (json_object_size(metadata) > 50)
        throw ApiError{400, "Metadata can have up to 50 keys.", "", at};
    const char *key;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(metadata), key, value) {
        std::string_view name{key};
        if (characters(name) > 40)
            throw ApiError{400,
                           "Metadata keys can have up to 40 characters, but you passed in a "
                           "key that is longer. Invalid key: " +
                               std::string{name},
                           "", at};
        if (json_is_string(value) && characters(json_string_value(value)) > 500)
            throw ApiError{400,
                           "Metadata values can have up to 500 characters, but you passed in "
                           "a value that is longer. Invalid value: " +
                               std::string{json_string_value(value)},
                           "", at};
    }
}

class Checking {
  public:
    explicit Checking(std::string_view names) : names_{names} {}

    /// `at` as the client wrote it, `name` with empty brackets for places in arrays.
    void member(const std::string &at, const std::string &name, const json_t *value) const {
        bool nested = json_is_object(value) || json_is_array(value);
        if (!is_taken(names_, name, nested))
            throw unknown_parameter(at);
        if (at == "metadata" || at.ends_with("[metadata]"))
            return check_metadata(at, value);
        if (nested && !takes_all(names_, name))
            below(at, name, value);
    }

    void below(const std::string &at, const std::string &name, const json_t *node) const {
        size_t i;
        json_t *value;
        if (json_is_array(node)) {
            json_array_foreach(node, i, value)
                element(at + "[" + std::to_string(i) + "]", name + "[]", value);
            return;
        }
        const char *key;
        json_object_foreach(const_cast<json_t *>(node), key, value) {
            std::string step = "[" + std::string{key} + "]";
            member(at + step, name + step, value);
        }
    }

  private:
    void element(const std::string &at, const std::string &name, const json_t *value) const {
        if (json_is_object(value))
            below(at, name, value);
        else if (!is_taken(names_, name, false))
            throw unknown_parameter(at);
    }

    std::string_view names_;
};

} // namespace

const std::string_view portal_parameters =
    "configuration customer expand* flow_data* locale on_behalf_of return_url";

std::string_view parameters_of_kind(Kind kind, bool creates) {
    for (const Taken &one : taken)
        if (one.kind == kind && one.creates == creates)
            return one.names;
    return {};
}

void check_parameters(std::string_view names, const json_t *form) {
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(form), name, value) Checking{names}.member(name, name,
                                                                                        value);
}

} // namespace stripe_sim
