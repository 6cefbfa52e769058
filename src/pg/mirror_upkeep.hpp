// After a package upgrade: the worker brings every mirror to the catalogue's layout.
#pragma once
#include "pg/guard.hpp"

namespace billstack::pg {

// One mirror a transaction, with a lock timeout. What cannot be upgraded now (a lock, a missing
// schema) is told in the integration's last_error and tried at the next look. Copies of another
// database are left alone until arm().
void upgrade_outdated_mirrors();

} // namespace billstack::pg
