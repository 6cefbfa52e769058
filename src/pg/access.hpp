// Applying the recorded grants of grant_access() to what has come since.
#pragma once
#include "pg/guard.hpp"

namespace billstack::pg {

// Gives the roles whose grants cover the team their rights on the mirror schema and its tables.
// Called after a schema or a table in it was made, inside a transaction.
void apply_access_to_schema(const std::string &team, const std::string &schema);

} // namespace billstack::pg
