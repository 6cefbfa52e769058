// The server's part: library, launcher, worker, requests, key ring, roles.
#include "pg/team/health.hpp"

#include "pg/access/access_store.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/config.hpp"
#include "pg/team/health_store.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

constexpr const char *ok = "ok";
constexpr const char *warn = "warn";
constexpr const char *fail = "fail";

std::string time_text(TimestampTz at) {
    return core::iso8601_utc(unix_us_from_timestamp(at));
}

bool caller_owns_extension() {
    Oid owner = extension_owner();
    return call([&] { return has_privs_of_role(GetUserId(), owner); });
}

// What shared memory says of this database, copied under its lock.
struct View {
    bool has_launcher = false;
    std::optional<DatabaseEntry> entry;
    int waiting = 0; // requests queued or in flight
    int in_use = 0;  // slots taken, of all databases
};

View look(SharedState &state) {
    View view;
    SpinGuard guard(state);
    view.has_launcher = state.launcher_pid != 0;
    if (const DatabaseEntry *entry = find_entry(state, MyDatabaseId)) {
        view.entry = *entry;
    }
    for (const RequestSlot &slot : state.slots) {
        view.in_use += slot.state != SlotState::free ? 1 : 0;
        bool open = slot.state == SlotState::queued || slot.state == SlotState::taken;
        view.waiting += open && slot.database == MyDatabaseId ? 1 : 0;
    }
    return view;
}

// The sync worker runs: with it, who shares its backfills, and who should and cannot.
HealthCheck running_check(const DatabaseEntry &entry) {
    std::string text = "running as process " + std::to_string(entry.worker_pid);
    int present = 0;
    int refused = 0;
    for (int i = 0; i < max_workers - 1; ++i) {
        const BackfillWorkerEntry &worker = entry.backfill_worker[i];
        if (worker.pid != 0) {
            text += present++ == 0 ? ", backfill workers as " : ", ";
            text += std::to_string(worker.pid);
        } else if (i < entry.backfill_workers && worker.refused) {
            ++refused;
        }
    }
    if (refused == 0) {
        return {"worker", ok, text, {}};
    }
    return {"worker", warn,
            text + "; no background worker slot is free for " + std::to_string(refused) + " of " +
                std::to_string(entry.backfill_workers) + " further workers of the backfill",
            "The backfill goes on without them. Raise max_worker_processes or lower "
            "billstack.workers, and restart the server."};
}

HealthCheck worker_check(const View &view) {
    const char *name = "worker";
    if (RecoveryInProgress()) {
        return {name, ok, "this is a standby: no worker runs here", {}};
    }
    if (!view.entry || view.entry->state == DatabaseState::absent) {
        if (!database_is_marked()) {
            return {name, fail, "this database does not bear the mark of the extension",
                    "Call billstack_internal.note_installed()."};
        }
        return {name, fail, "no worker runs for this database",
                "See the server log for messages of billstack."};
    }
    const DatabaseEntry &entry = *view.entry;
    std::string error = entry.last_error;
    switch (entry.state) {
    case DatabaseState::running:
        if (!error.empty()) {
            return {name, warn, error, {}};
        }
        return running_check(entry);
    case DatabaseState::starting:
        return {name, warn, "starting",
                "If it stays so, raise max_worker_processes and restart the server."};
    case DatabaseState::backing_off:
        if (entry.terminated) {
            return {name, warn, "was terminated",
                    "It is started again at " + time_text(entry.retry_at) + "."};
        }
        return {name, fail,
                "ended " + std::to_string(entry.failures) + " times in a row" +
                    (error.empty() ? "" : ": " + error),
                "It is started again at " + time_text(entry.retry_at) + "."};
    case DatabaseState::held:
        return {name, warn,
                "kept away by a command on the database in process " +
                    std::to_string(entry.held_by),
                "It comes back when that command ends."};
    case DatabaseState::absent:
        break;
    }
    return {name, fail, "unknown state", {}};
}

HealthCheck last_turn_check(const View &view) {
    const char *name = "last turn";
    if (!view.entry || view.entry->last_turn_at == 0) {
        return {name, warn, "the worker has not looked at its work yet", {}};
    }
    std::string detail =
        "the worker last looked at its work at " + time_text(view.entry->last_turn_at);
    bool late = view.entry->work_waiting &&
                GetCurrentTimestamp() - view.entry->last_turn_at > 60 * USECS_PER_SEC;
    return {name, late ? warn : ok, detail,
            late ? std::optional<std::string>("Work has been waiting for over a minute; see the "
                                              "server log.")
                 : std::nullopt};
}

HealthCheck requests_check(const View &view) {
    std::string detail = std::to_string(view.waiting) + " waiting, " + std::to_string(view.in_use) +
                         " of " + std::to_string(slot_count) + " places in use";
    bool full = view.in_use >= slot_count;
    return {"requests", full ? warn : ok, detail,
            full ? std::optional<std::string>("Calls to Stripe wait for a free place.")
                 : std::nullopt};
}

HealthCheck version_check(const View &view) {
    const char *name = "version";
    std::string library = BILLSTACK_VERSION;
    std::string extension = installed_extension_version();
    if (extension != library) {
        return {name, fail, "the library is " + library + ", the extension " + extension,
                "Run ALTER EXTENSION billstack UPDATE; if the library is the older one, restart "
                "the server."};
    }
    if (view.entry && view.entry->worker_pid != 0 && view.entry->worker_version != library) {
        return {name, fail,
                "the library is " + library + ", the worker runs " + view.entry->worker_version,
                "Restart the server."};
    }
    return {name, ok, library, {}};
}

HealthCheck key_file_check(bool tell_all) {
    const char *name = "key file";
    std::string path = config::master_key_file();
    std::vector<std::string> needed = sealed_fingerprints();
    std::string file = tell_all ? "\"" + path + "\"" : "the key-ring file";
    if (needed.empty() && !crypto::KeyRing::exists(path)) {
        return {name, ok, file + " is made at the first connect: nothing is sealed yet", {}};
    }
    try {
        crypto::KeyRing ring = crypto::KeyRing::read(path);
        for (const std::string &fingerprint : needed) {
            ring.find(fingerprint);
        }
    } catch (const core::Error &error) {
        if (!tell_all) {
            return {name, fail, file + " cannot be used", "Ask the owner of the extension."};
        }
        return {name, fail, error.message, error.hint};
    }
    if (config::master_key_file_in_data_directory()) {
        return {name, warn, file + " lies in the data directory, where base backups take it along",
                "Name a file outside of it in billstack.master_key_file; live keys are refused."};
    }
    return {name, ok, file + " has all " + std::to_string(needed.size()) + " root keys in use", {}};
}

HealthCheck roles_check() {
    std::string list;
    for (const std::string &role : missing_granted_roles()) {
        list += (list.empty() ? "\"" : ", \"") + role + "\"";
    }
    if (list.empty()) {
        return {"roles", ok, "every role with access exists", {}};
    }
    return {"roles", warn, "access is recorded for roles that do not exist: " + list,
            "Delete their rows in billstack_internal.access_grant: a new role of that name would "
            "get the rights."};
}

} // namespace

std::vector<HealthCheck> server_health() {
    std::vector<HealthCheck> checks;
    bool tell_all = caller_owns_extension();
    SharedState *state = shared_state();
    View view;
    if (state == nullptr) {
        checks.push_back({"preloaded", fail, "billstack is not in shared_preload_libraries",
                          "Add shared_preload_libraries = 'billstack' to postgresql.conf and "
                          "restart the server."});
    } else {
        view = look(*state);
        checks.push_back({"preloaded", ok, "billstack is in shared_preload_libraries", {}});
        checks.push_back(
            {"launcher", view.has_launcher ? ok : fail,
             view.has_launcher ? "running" : "not running",
             view.has_launcher ? std::nullopt : std::optional<std::string>("See the server log.")});
        checks.push_back(worker_check(view));
        if (view.entry && view.entry->state == DatabaseState::running) {
            checks.push_back(last_turn_check(view));
        }
        checks.push_back(requests_check(view));
    }
    checks.push_back(version_check(view));
    checks.push_back(key_file_check(tell_all));
    if (tell_all) {
        checks.push_back(roles_check());
    }
    return checks;
}

} // namespace billstack::pg
