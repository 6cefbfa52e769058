// The launcher: a static background worker that finds every database with the mark that CREATE
// EXTENSION leaves and keeps one sync worker running there. docs/architecture.md draws its states.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// In _PG_init while preloading.
void register_launcher();

} // namespace billstack::pg
