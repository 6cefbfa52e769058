// The mark by which the launcher finds the databases that have the extension: pg_database does not
// tell, and entering each one costs a worker's start. It stands in pg_db_role_setting, which is
// shared by all databases and is not inherited by copies made with TEMPLATE.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// ALTER DATABASE <current> SET billstack.enabled = 'on', and the launcher looks at commit. Needs
// the rights of the database's owner and of a superuser.
void set_extension_mark();

} // namespace billstack::pg
