// SQL on what analytics counts, and on account_map. No rule about who may do what lives here. Every
// function opens SPI itself, as the extension's owner; a transaction must be open.
#pragma once
#include "pg/projects/project_access.hpp"

namespace billstack::pg {

// The answer of analytics() as JSON text (docs/analytics.md has the formulas), with the snapshot of
// the running statement.
std::string read_analytics(const Project &project, std::int32_t growth_days);

// nullopt removes.
void store_account_ref(const std::string &team, const std::string &stripe_customer_id,
                       const std::optional<std::string> &account_ref);

} // namespace billstack::pg
