// SQL that reads a mirror for the projects' functions: as the mirror's owner, restricted, because
// its tables are his and may do as he likes. Opens SPI itself; a transaction must be open.
#pragma once
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

// What a mirror holds of objects that are not deleted.
struct MirroredCustomer {
    std::string id;
    std::optional<std::string> email, name;
    std::string metadata = "{}";           // JSON text, of an object
    std::optional<std::string> project_id; // metadata's
    std::optional<std::int64_t> created;   // unix seconds
    std::string lowered;                   // the e-mail as the server's lower() has it
};

struct MirroredProduct {
    std::string id, name;
    std::optional<std::string> description;
    bool is_active = true;
    std::string metadata = "{}";
    std::optional<std::string> project_id;
};

struct MirroredPrice {
    std::string id, product_id, currency;
    std::optional<std::int64_t> unit_amount; // minor units
    std::optional<std::string> recurring_interval;
    std::optional<std::int32_t> interval_count;
    bool is_active = true;
    std::string metadata = "{}";
    std::optional<std::string> project_id;
};

// By e-mail in lower case, those of `project` first, then by created and id.
std::vector<MirroredCustomer> mirrored_by_email(const Integration &integration,
                                                const std::vector<std::string> &emails,
                                                const std::string &project);
std::vector<MirroredCustomer> mirrored_customers(const Integration &integration,
                                                 const std::vector<std::string> &ids);
// All of them, oldest first, `limit` at a time; after: the last one of the page before.
std::vector<MirroredCustomer> next_mirrored_customers(const Integration &integration,
                                                      const MirroredCustomer *after, int limit);

std::vector<MirroredProduct> mirrored_products(const Integration &integration,
                                               const std::vector<std::string> &ids);
// Of these names, or carrying the project's id.
std::vector<MirroredProduct> mirrored_products_for(const Integration &integration,
                                                   const std::string &project,
                                                   const std::vector<std::string> &names);
// By created and id.
std::vector<MirroredPrice> mirrored_prices(const Integration &integration,
                                           const std::vector<std::string> &product_ids);

} // namespace billstack::pg
