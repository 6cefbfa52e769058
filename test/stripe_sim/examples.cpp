// Stripe's published examples, with what no real object looks like taken out: random numbers, and
// optional members that are all filled at once.
#include "maker.hpp"

namespace stripe_sim {

namespace {

struct Blank {
    Kind kind;
    std::string_view members; ///< separated by spaces, dotted; become null where they exist
};

constexpr Blank blanks[] = {
    {Kind::customer, "discount shipping address"},
    {Kind::product, "package_dimensions default_price"},
    {Kind::price, "custom_unit_amount transform_quantity"},
    {Kind::plan, "transform_usage"},
    {Kind::subscription,
     "billing_cycle_anchor_config billing_thresholds cancel_at canceled_at ended_at "
     "pause_collection pending_invoice_item_interval pending_update transfer_data trial_end "
     "trial_start next_pending_invoice_item_invoice payment_settings.payment_method_options "
     "days_until_due"},
    {Kind::subscription_item, "billing_thresholds plan.transform_usage"},
    {Kind::invoice,
     "customer_address customer_shipping from_invoice last_finalization_error parent "
     "payment_settings.payment_method_options rendering shipping_cost shipping_details"},
    {Kind::charge, "shipping source transfer_data payment_method_details.card.installments "
                   "payment_method_details.card.three_d_secure payment_method_details.card.wallet"},
    {Kind::payment_intent,
     "canceled_at last_payment_error next_action processing shipping transfer_data "
     "payment_method_configuration_details"},
    {Kind::setup_intent, "last_setup_error next_action payment_method_configuration_details"},
    {Kind::payment_method, "card.generated_from card.wallet"},
    {Kind::coupon, "duration_in_months redeem_by"},
    {Kind::promotion_code, "expires_at"},
    {Kind::tax_rate, "flat_amount"},
    {Kind::subscription_schedule, "canceled_at completed_at default_settings.transfer_data"},
    {Kind::checkout_session,
     "after_expiration consent_collection shipping_address_collection shipping_cost "
     "payment_method_configuration_details collected_information"},
    {Kind::quote, "from_quote transfer_data computed.recurring"},
    {Kind::payment_link,
     "restrictions shipping_address_collection subscription_data transfer_data"},
    {Kind::checkout_session_line_item, "price.transform_quantity price.custom_unit_amount"},
};

// Members that are times near the object's creation: the distance in seconds.
struct Near {
    Kind kind;
    const char *member;
    int64_t after;
};

constexpr int64_t day = 86400;
constexpr Near near[] = {
    {Kind::subscription, "billing_cycle_anchor", 0},
    {Kind::subscription, "start_date", 0},
    {Kind::subscription_item, "current_period_start", 0},
    {Kind::subscription_item, "current_period_end", 30 * day},
    {Kind::invoice, "period_start", -30 * day},
    {Kind::invoice, "period_end", 0},
    {Kind::credit_note, "effective_at", 0},
    {Kind::checkout_session, "expires_at", day},
    {Kind::quote, "expires_at", 30 * day},
    {Kind::balance_transaction, "available_on", 2 * day},
    {Kind::payout, "arrival_date", 2 * day},
};

void blank(json_t *doc, std::string_view members) {
    while (!members.empty()) {
        size_t end = std::min(members.find(' '), members.size());
        std::string path{members.substr(0, end)};
        json_t *holder = doc;
        size_t dot;
        while (holder != nullptr && (dot = path.find('.')) != std::string::npos) {
            holder = json_object_get(holder, path.substr(0, dot).c_str());
            path = path.substr(dot + 1);
        }
        if (json_object_get(holder, path.c_str()) != nullptr)
            json_object_set_new(holder, path.c_str(), json_null());
        members.remove_prefix(std::min(end + 1, members.size()));
    }
}

} // namespace

Json example(Kind kind, int64_t at) {
    Json doc = fixture(info(kind).object_name());
    for (const Blank &one : blanks)
        if (one.kind == kind)
            blank(doc.get(), one.members);
    for (const char *member : {"created", "date", "updated"})
        if (json_object_get(doc.get(), member) != nullptr)
            json_object_set_new(doc.get(), member, json_integer(at));
    for (const Near &one : near)
        if (one.kind == kind && json_object_get(doc.get(), one.member) != nullptr)
            json_object_set_new(doc.get(), one.member, json_integer(at + one.after));
    return doc;
}

} // namespace stripe_sim
