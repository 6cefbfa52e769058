// What every worker that is connected to a database sets for itself.
#pragma once
#include "pg/guard.hpp"

namespace billstack::pg {

// Applies to everything the worker does: nothing of the database's search path or time limits;
// locks are waited for a second at most. C shape: to be called through call().
void set_worker_session_defaults();

} // namespace billstack::pg
