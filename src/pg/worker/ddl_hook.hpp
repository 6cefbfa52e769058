// Keeps the sync worker out of the way of commands on its database and notices extension changes.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Installs the ProcessUtility hook; in _PG_init while preloading.
void install_ddl_hook();

} // namespace billstack::pg
