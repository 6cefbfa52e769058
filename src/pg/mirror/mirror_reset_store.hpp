// Emptying a mirror whose integration comes to stand on another Stripe account or mode: everything
// in it, and what is kept beside it, is of the old one.
#pragma once
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

// Truncates the mirror's tables as their owner, in the caller's transaction; forgets refetches,
// marks and backfills that have ended; events still waiting go to the ledger as `other_account`.
// Waits for whoever holds a table. PgError 0A000 when a foreign key of somebody's own points to
// one: nothing is cascaded.
void empty_mirror(const Integration &integration);

} // namespace billstack::pg
