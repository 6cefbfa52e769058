// SQL that finds the project of a row, from the project tables alone (docs/architecture.md, "Which
// project"). Every function acts as the extension's owner whoever calls; a transaction must be
// open.
#pragma once
#include "pg/projection_store.hpp"

namespace billstack::pg {

using StripeIds = std::vector<std::string>;

// Routes these rows, and those that hang on the given ones. Returns the Stripe ids of the rows
// that have another project now, or were found by a stronger rule.
StripeIds route_subscriptions(std::int32_t integration_id, const StripeIds &ids);
StripeIds route_invoices(std::int32_t integration_id, const StripeIds &ids,
                         const StripeIds &of_subscriptions);
StripeIds route_payments(std::int32_t integration_id, const StripeIds &ids,
                         const StripeIds &of_invoices);

// Rows of a part (subscriptions, invoices, payments) that hang on these and have no project, or not
// yet the project's own row of the customer or price.
StripeIds unrouted_of_customers(std::int32_t integration_id, Part part, const StripeIds &customers);
StripeIds unrouted_of_prices(std::int32_t integration_id, Part part, const StripeIds &prices);
// Rows of a part without a project, and stale ones: the next after `after`, in their order.
StripeIds next_unrouted(std::int32_t integration_id, Part part, const std::string &after,
                        int limit);

// Rows of a part have a project now: so have the events that told of them and found none.
void route_ledger(std::int32_t integration_id, Part part, const StripeIds &ids);

struct ObjectRoute {
    std::string kind;
    std::string id;
    std::optional<std::string> project; // nullopt: unrouted
};
// By what MirrorReader::names() says of objects.
std::vector<ObjectRoute> routes_of(std::int32_t integration_id, const std::string &names);

} // namespace billstack::pg
