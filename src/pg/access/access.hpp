// Who gets which rights: profiles, and applying the recorded grants of grant_access() to what has
// come since.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Gives the roles whose grants cover the team their rights on the mirror schema and its tables.
// Called after a schema or a table in it was made and recorded in integration and mirror_table,
// inside the same transaction. The caller's rights do not matter.
void apply_access_to_schema(const std::string &team, const std::string &schema);

// Gives every recorded grant its rights again, as after an update that made functions anew.
void apply_all_access();

} // namespace billstack::pg
