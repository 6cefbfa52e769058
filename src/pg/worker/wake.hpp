// Waking the worker of this database when the current transaction commits, and only then.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Called after writing a row the worker should look at. One callback a process, registered once.
void wake_worker_at_commit();
// The same after a row of the inbox, or a call of a handler, that is due now.
void wake_inbox_at_commit();
// The same after a refetch that is due: the inbox is not looked through.
void wake_refetches_at_commit();
// The same for the launcher: the database has got or lost the extension.
void wake_launcher_at_commit();

} // namespace billstack::pg
