// The kinds in their fixed order. Columns and indexes are in catalog_*.cpp, one file per family.
#include "stripe/object_catalog.hpp"

#include "stripe/catalog_columns.hpp"

namespace billstack::stripe {

namespace {

// Parents before their children: rows are written in this order, in every worker, so that two
// writers never wait for each other crosswise.
constexpr const Kind *kinds[] = {
    &catalog::customer,
    &catalog::product,
    &catalog::price,
    &catalog::subscription,
    &catalog::subscription_item,
    &catalog::invoice,
    &catalog::invoice_line_item,
    &catalog::charge,
};

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

} // namespace billstack::stripe
