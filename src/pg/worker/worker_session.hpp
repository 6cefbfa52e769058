// What every worker that is connected to a database sets for itself.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// Applies to everything the worker does: nothing of the database's search path or time limits;
// locks are waited for a second at most. C shape: to be called through call().
void set_worker_session_defaults();

// How long the worker's own writes wait for a lock from here on: a second, or a quarter of it while
// callers wait for an answer, since several writes may meet a lock one after the other. Outside
// transactions.
enum class LockPatience { alone, beside_calls };
void set_lock_patience(LockPatience patience);

} // namespace billstack::pg
