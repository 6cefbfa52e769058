// SQL that finds the project of a row, from the project tables alone (docs/architecture.md, "Which
// project"). Every function acts as the extension's owner whoever calls; a transaction must be
// open.
#pragma once
#include "pg/projects/project_finder.hpp"
#include "pg/projects/projection_store.hpp"

namespace billstack::pg {

using StripeIds = std::vector<std::string>;

// Routes these rows, and those that hang on the given ones (subscriptions of invoices, invoices of
// payments). Returns the Stripe ids of the rows that have another project now, or were found by a
// stronger rule.
StripeIds route_rows(std::int32_t integration_id, Part part, const StripeIds &ids,
                     const StripeIds &of_parents);

// For rows that are still to be written. What such a row hangs on, "" for nothing, as its inputs.
void find_parent(std::int32_t integration_id, Part part, ProjectFinder &finder,
                 const std::string &parent, RouteInputs &inputs);
bool has_row(std::int32_t integration_id, Part part, ProjectFinder &finder, const std::string &id);
// Text arrays, NULL for what is not there.
struct RouteColumns {
    Param project;
    Param strength;
    Param customer;
    Param price;
};
RouteColumns columns_of(const std::vector<RowRoute> &routes);

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
