#include "pg/worker/worker_session.hpp"

namespace billstack::pg {

namespace {

constexpr const char *lock_timeout_ms = "1000";
constexpr const char *short_lock_timeout_ms = "250";

} // namespace

void set_worker_session_defaults() {
    SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("lock_timeout", lock_timeout_ms, PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
    clear_transaction_timeout();
    SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_OVERRIDE);
    SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
    // Index scans are insisted on by enable_seqscan and enable_sort: a plan that needs one of them
    // all the same looks so dear that its few rows are compiled, 100 ms each time.
    SetConfigOption("jit", "off", PGC_USERSET, PGC_S_OVERRIDE);
    SetConfigOption("application_name", "billstack", PGC_USERSET, PGC_S_OVERRIDE);
}

void set_lock_patience(LockPatience patience) {
    const char *timeout =
        patience == LockPatience::beside_calls ? short_lock_timeout_ms : lock_timeout_ms;
    call([&] { SetConfigOption("lock_timeout", timeout, PGC_SUSET, PGC_S_OVERRIDE); });
}

} // namespace billstack::pg
