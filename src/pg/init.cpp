// What the library does when it is loaded. With shared_preload_libraries: settings, shared memory,
// launcher, hooks. Without: settings only; functions that need the worker say which line to add.
#include "pg/config.hpp"
#include "pg/log_redaction.hpp"
#include "pg/worker/ddl_hook.hpp"
#include "pg/worker/launcher.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

// No exception may leave it: it runs in the postmaster.
void initialise() {
    bool preloading = process_shared_preload_libraries_in_progress;
    config::define_settings();
    install_log_redaction();
    if (!preloading) {
        return;
    }
    reserve_shared_state();
    install_ddl_hook();
    if (!IsBinaryUpgrade) {
        register_launcher();
    }
}

} // namespace

} // namespace billstack::pg

#pragma GCC visibility push(default)
extern "C" {
PG_MODULE_MAGIC;

void _PG_init(void) {
    billstack::pg::worker_entry(billstack::pg::initialise);
}
}
#pragma GCC visibility pop
