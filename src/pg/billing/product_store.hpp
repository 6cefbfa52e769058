// SQL on project_product and project_price. Opens SPI itself, as the extension's owner; a
// transaction must be open. Metadata is JSON text. Answers are JSON text in the shape users see.
#pragma once
#include "pg/projects/project_access.hpp"
#include "pg/projects/project_mirror_store.hpp"

namespace billstack::pg {

// Returns the id that was made. `id` and the times of what is given are not looked at. Throws
// core::Error(exists_already) when the project has the Stripe id already.
std::string insert_product(const ProjectProduct &product);
std::string insert_price(const ProjectPrice &price);

// nullopt keeps.
struct ProductChange {
    std::optional<std::string> name, description, metadata;
    std::optional<bool> is_active;
};
void change_product(const std::string &id, const ProductChange &change);
void change_price(const std::string &id, const std::optional<bool> &is_active,
                  const std::optional<std::string> &metadata);

// {"product": ...} and the like. read_only: the snapshot of the running statement.
std::string product_answer(const std::string &id, bool read_only);
std::string product_list(const std::string &project, bool active_only);
std::string price_answer(const std::string &id, bool read_only);
std::string price_list(const std::string &project, const std::optional<std::string> &product,
                       bool active_only);
// {"product": ..., "prices": [...]} with all of its prices.
std::string product_answer_with_prices(const std::string &id);

// Holds, until the transaction ends, what two projects that adopt one product would both need.
void lock_adoption(std::int32_t integration_id);
// "pp_1 of project proj_1": whose the Stripe product is among the projects of the integration.
// Stale rows do not count.
struct ProductOwner {
    std::string project, product;
};
std::optional<ProductOwner> owner_of_product(std::int32_t integration_id,
                                             const std::string &stripe_product_id);

// Whether the project itself has it (stale rows do not count), and whether another project of the
// team has it, linked or not, stale or not.
struct ProductOwners {
    bool project = false, others = false;
};
ProductOwners owners_of_product(const Project &project, const std::string &stripe_product_id);

} // namespace billstack::pg
