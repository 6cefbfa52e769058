// SQL on team, integration, sealed_key, mirror_table and, for connecting functions, on open runs.
// No rule about who may do what lives here. Every function opens SPI itself, as the extension's
// owner; a transaction must be open.
#pragma once
#include "pg/access/team_access.hpp"
#include "pg/bridge/datum.hpp"
#include "pg/team/keyring.hpp"

namespace billstack::pg {

// A row of billstack_internal.integration.
struct Integration {
    std::int32_t id = 0;
    std::string team;
    std::string name;
    std::string owner_name;
    std::string schema_name;
    Oid schema_oid = InvalidOid;
    stripe::Account account; // charges_enabled is not stored
    bool livemode = false;
    bool key_restricted = false;
    std::string key_masked;
    std::optional<std::string> publishable_key;
    bool key_valid = true;
    std::optional<TimestampTz> last_validated_at;
    std::optional<std::string> permissions; // JSON text
    std::string webhook_secret_state = "unset";
    bool is_active = true;
    std::string sync_status = "pending"; // as stored: pending, ready or error
    bool run_open = false;               // a backfill is queued or running
    std::optional<std::string> last_error;
    std::optional<TimestampTz> last_error_at;
    std::int32_t mirror_version = 0;
    std::int64_t system_identifier = 0;
    Oid database_oid = InvalidOid;

    // What users see: syncing while a run is open.
    const char *shown_sync_status() const { return run_open ? "syncing" : sync_status.c_str(); }
    // Made in another cluster or database: a restored or copied database (docs/security.md).
    bool is_copy() const;
    // Why nothing is synced, in plain words; the newest stored error otherwise.
    std::optional<std::string> shown_error() const;
};

// Throws core::Error(not_ready) with the hint to call arm() when the integration is a copy.
void require_armed(const Integration &integration);

struct AccessGrant {
    std::string role_name;
    std::string profile;
};
struct SealedKey {
    std::string key_kind;
    std::string fingerprint;
    std::string sealed;
    std::optional<TimestampTz> valid_until; // nullopt: for ever
};
struct MirrorTable {
    std::string kind;
    std::string table;
};

// read_only: with the snapshot of the running statement, for STABLE functions.
std::optional<std::string> find_team_owner(const std::string &team, bool read_only = false);
std::vector<AccessGrant> access_grants_covering(const std::string &team, bool read_only = false);
// Without a name: all of the team, by name.
std::vector<Integration> load_integrations(const std::string &team,
                                           const std::optional<std::string> &name,
                                           bool read_only = false);

// Team and name of the integrations whose mirror has an older layout than `version`.
std::vector<std::pair<std::string, std::string>> load_outdated(int version);

// The team exists afterwards and stays until this transaction ends, whoever made it.
void ensure_team(const std::string &team, const std::string &owner_name);
void set_team_owner(const std::string &team, const std::string &owner_name);
// What else belongs to a team keeps it: projects, API keys, accounts.
void delete_team_without_integrations(const std::string &team);

// Returns the id. core::Error(exists_already) also when another transaction was faster.
std::int32_t insert_integration(const Integration &integration);
void set_integration_owner(std::int32_t id, const std::string &owner_name);
void set_integration_schema(std::int32_t id, Oid schema_oid);
// Binds the integration to this database; owner_name is the mirror's owner here.
void stamp_integration(std::int32_t id, Oid schema_oid, const std::string &owner_name);
void set_mirror_version(std::int32_t id, int version);
void delete_integration(std::int32_t id);
// Writes the key facts, account and states of a rotation. core::Error(unknown_object) when the
// integration has gone meanwhile.
void store_rotated(const Integration &integration);
// Writes key_valid, last_validated_at, permissions, account and last_error.
void store_validated(const Integration &integration);
// unset, placeholder or set. core::Error(unknown_object) as above.
void store_webhook_secret_state(std::int32_t id, const char *state);
// The newest problem in plain words, seen in status() and integrations; nullopt: none any more.
void store_last_error(std::int32_t id, const std::optional<std::string> &error);

void store_sealed_key(std::int32_t id, const SealedKey &key);
std::vector<SealedKey> sealed_keys_of(std::int32_t id);
void delete_sealed_key(std::int32_t id, const std::string &key_kind);
// Of every sealed value of this database.
std::vector<std::string> sealed_fingerprints();

void add_mirror_table(std::int32_t id, const MirrorTable &table);
std::vector<MirrorTable> mirror_tables_of(std::int32_t id);

// Waits until the worker is not writing for the integration and keeps it from starting until this
// transaction ends. Before any lock on the mirror: run, then tables is the worker's own order.
void hold_open_run(std::int32_t id);
// True when a run was open; the worker notices at its next step.
bool cancel_open_run(std::int32_t id, const std::string &reason);

} // namespace billstack::pg
