// The kinds in their fixed order. Columns and indexes are in catalog_*.cpp, one file per family.
#include "stripe/object_catalog.hpp"

#include "stripe/catalog_columns.hpp"

#include <vector>

namespace billstack::stripe {

namespace {

// Parents before their children: rows are written in this order, in every worker, so that two
// writers never wait for each other crosswise.
constexpr const Kind *kinds[] = {
    &catalog::customer,
    &catalog::product,
    &catalog::price,
    &catalog::plan,
    &catalog::subscription,
    &catalog::subscription_item,
    &catalog::subscription_schedule,
    &catalog::invoice,
    &catalog::invoice_line_item,
    &catalog::invoice_payment,
    &catalog::invoice_item,
    &catalog::charge,
    &catalog::payment_intent,
    &catalog::payment_method,
    &catalog::setup_intent,
    &catalog::refund,
    &catalog::dispute,
    &catalog::coupon,
    &catalog::promotion_code,
    &catalog::tax_id,
    &catalog::tax_rate,
    &catalog::credit_note,
    &catalog::credit_note_line_item,
    &catalog::customer_balance_transaction,
    &catalog::credit_grant,
    &catalog::checkout_session,
    &catalog::checkout_session_line_item,
    &catalog::payment_link,
    &catalog::quote,
    &catalog::balance_transaction,
    &catalog::payout,
    &catalog::transfer,
    &catalog::transfer_reversal,
    &catalog::application_fee,
    &catalog::early_fraud_warning,
    &catalog::review,
    &catalog::feature,
    &catalog::active_entitlement,
    &catalog::billing_meter,
};

std::vector<ChildList> *make_parent_lists() {
    auto *lists = new std::vector<ChildList>;
    for (const Kind *kind : kinds)
        if (kind->list_parent != nullptr)
            lists->push_back({"", kind, kind->list_parent->name, kind->list_path,
                              kind->list_parent_param, false});
    return lists;
}

} // namespace

std::span<const Kind *const> all_kinds() {
    return kinds;
}

const Kind *find_kind(std::string_view name) {
    for (const Kind *kind : kinds)
        if (kind->name == name)
            return kind;
    return nullptr;
}

const Kind *find_kind_by_object(std::string_view object) {
    for (const Kind *kind : kinds)
        if (kind->object == object)
            return kind;
    return nullptr;
}

const ChildList *parent_list(const Kind &kind) {
    // Never freed: a destructor would run when the backend exits.
    static const std::vector<ChildList> *const lists = make_parent_lists();
    for (const ChildList &list : *lists)
        if (list.kind == &kind)
            return &list;
    return nullptr;
}

} // namespace billstack::stripe
