// SQL of relink_project(): rows that stand for objects of another account or mode, and what they
// are tied to instead. Opens SPI itself, as the extension's owner.
#pragma once
#include "pg/projects/project_access.hpp"

namespace billstack::pg {

struct StaleCustomer {
    std::string id;
    std::string email;   // "" for none
    std::string lowered; // as the server's lower() has it
};
// By id, `limit` at a time, those after `after`.
std::vector<StaleCustomer> stale_customers(const std::string &project, const std::string &after,
                                           int limit);
struct CustomerMatch {
    std::string id, stripe_id, detail;
};
// In one statement.
void relink_customers(const std::vector<CustomerMatch> &matches);

std::vector<ProjectProduct> stale_products(const std::string &project);
// Of products that are not stale.
std::vector<ProjectPrice> stale_prices(const std::string &project);
// Of products that are stale: they cannot be looked for.
std::vector<ProjectPrice> lost_prices(const std::string &project);
void relink_product(const std::string &id, const std::string &stripe_id);
void relink_price(const std::string &id, const std::string &stripe_id);

// Of these Stripe ids, those that a project of the integration has and that are not stale.
std::set<std::string> owned_products(std::int32_t integration_id,
                                     const std::vector<std::string> &stripe_ids);
std::set<std::string> owned_prices(std::int32_t integration_id,
                                   const std::vector<std::string> &stripe_ids);

} // namespace billstack::pg
