// Statements on the tables of 30_team.sql and 31_key.sql.
#include "pg/team/integration_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_team_owner{
    "SELECT t.owner_name FROM billstack_internal.team AS t WHERE t.team = $1"};

constinit Statement select_grants{
    "SELECT g.role_name, g.profile FROM billstack_internal.access_grant AS g"
    " WHERE g.team IN ('', $1)"};

constinit Statement select_integrations{
    "SELECT i.id, i.team, i.name, i.owner_name, i.schema_name, i.schema_oid, i.account_id,"
    " i.account_name, i.country, i.default_currency, i.account_created, i.livemode,"
    " i.key_restricted, i.key_masked, i.publishable_key, i.key_valid, i.last_validated_at,"
    " i.permissions, i.webhook_secret_state, i.is_active, i.sync_status,"
    " EXISTS (SELECT FROM billstack_internal.backfill_run AS r"
    "          WHERE r.integration_id = i.id AND r.state IN ('queued', 'running')),"
    " i.last_error, i.last_error_at, i.mirror_version, i.system_identifier, i.database_oid"
    " FROM billstack_internal.integration AS i"
    " WHERE i.team = $1 AND ($2::text IS NULL OR i.name = $2) ORDER BY i.name",
    nullptr, CURSOR_OPT_GENERIC_PLAN};

constinit Statement select_outdated{
    "SELECT i.team, i.name FROM billstack_internal.integration AS i "
    "WHERE i.mirror_version < $1 ORDER BY i.id"};

constinit Statement insert_team{
    "INSERT INTO billstack_internal.team (team, owner_name) VALUES ($1, $2)"
    " ON CONFLICT (team) DO NOTHING"};
constinit Statement hold_team{
    "SELECT FROM billstack_internal.team AS t WHERE t.team = $1 FOR KEY SHARE"};
constinit Statement lock_team{
    "SELECT FROM billstack_internal.team AS t WHERE t.team = $1 FOR UPDATE"};
constinit Statement update_team_owner{
    "UPDATE billstack_internal.team SET owner_name = $2 WHERE team = $1"};
constinit Statement delete_empty_team{
    "DELETE FROM billstack_internal.team AS t WHERE t.team = $1 AND NOT EXISTS"
    " (SELECT FROM billstack_internal.integration AS i WHERE i.team = t.team) AND NOT EXISTS"
    " (SELECT FROM billstack_internal.project AS p WHERE p.team = t.team) AND NOT EXISTS"
    " (SELECT FROM billstack_internal.api_key AS k WHERE k.team = t.team) AND NOT EXISTS"
    " (SELECT FROM billstack_internal.account_map AS m WHERE m.team = t.team)"};

constinit Statement insert_integration_row{
    "INSERT INTO billstack_internal.integration (team, name, owner_name, schema_name, schema_oid,"
    " account_id, account_name, country, default_currency, account_created, livemode,"
    " key_restricted, key_masked, publishable_key, last_validated_at, webhook_secret_state,"
    " mirror_version, system_identifier, database_oid)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
    " RETURNING id"};
constinit Statement update_owner{
    "UPDATE billstack_internal.integration SET owner_name = $2, updated_at = now() WHERE id = $1"};
constinit Statement update_schema{
    "UPDATE billstack_internal.integration SET schema_oid = $2, updated_at = now() WHERE id = $1"};
constinit Statement update_stamp{
    "UPDATE billstack_internal.integration SET schema_oid = $2, owner_name = $3,"
    " system_identifier = $4, database_oid = $5, updated_at = now() WHERE id = $1"};
constinit Statement update_mirror_version{
    "UPDATE billstack_internal.integration SET mirror_version = $2, updated_at = now()"
    " WHERE id = $1"};
// With what no project was found for; what projects have stays theirs.
constinit Statement delete_integration_row{R"(
WITH s AS (DELETE FROM billstack_internal.project_subscription
            WHERE integration_id = $1 AND project_id IS NULL),
     v AS (DELETE FROM billstack_internal.project_invoice
            WHERE integration_id = $1 AND project_id IS NULL),
     y AS (DELETE FROM billstack_internal.project_payment
            WHERE integration_id = $1 AND project_id IS NULL)
DELETE FROM billstack_internal.integration WHERE id = $1)"};

constinit Statement update_rotated{
    "UPDATE billstack_internal.integration SET account_id = $2, account_name = $3, country = $4,"
    " default_currency = $5, account_created = $6, livemode = $7, key_restricted = $8,"
    " key_masked = $9, publishable_key = $10, key_valid = $11, last_validated_at = $12,"
    " webhook_secret_state = $13, sync_status = $14, permissions = $15, last_error = $16,"
    " updated_at = now() WHERE id = $1"};
constinit Statement update_validated{
    "UPDATE billstack_internal.integration SET account_id = $2, account_name = $3, country = $4,"
    " default_currency = $5, account_created = $6, key_valid = $7, last_validated_at = $8,"
    " permissions = $9, last_error = $10, last_error_at = $11, updated_at = now() WHERE id = $1"};
constinit Statement update_secret_state{
    "UPDATE billstack_internal.integration SET webhook_secret_state = $2, updated_at = now()"
    " WHERE id = $1"};
constinit Statement update_last_error{
    "UPDATE billstack_internal.integration SET last_error = $2,"
    " last_error_at = CASE WHEN $2::text IS NULL THEN NULL ELSE clock_timestamp() END,"
    " updated_at = now() WHERE id = $1"};

constinit Statement upsert_sealed_key{
    "INSERT INTO billstack_internal.sealed_key AS k (integration_id, key_kind, fingerprint, sealed,"
    " valid_until) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (integration_id, key_kind) DO UPDATE"
    " SET fingerprint = EXCLUDED.fingerprint, sealed = EXCLUDED.sealed, created_at = now(),"
    " valid_until = EXCLUDED.valid_until"};
constinit Statement delete_sealed{
    "DELETE FROM billstack_internal.sealed_key WHERE integration_id = $1 AND key_kind = $2"};
constinit Statement select_sealed_keys{"SELECT k.key_kind, k.fingerprint, k.sealed, k.valid_until "
                                       "FROM billstack_internal.sealed_key AS k"
                                       " WHERE k.integration_id = $1 ORDER BY k.key_kind"};
constinit Statement select_fingerprints{
    "SELECT DISTINCT k.fingerprint FROM billstack_internal.sealed_key AS k ORDER BY 1"};

constinit Statement insert_mirror_table{
    "INSERT INTO billstack_internal.mirror_table (integration_id, kind, table_name)"
    " VALUES ($1, $2, $3) ON CONFLICT (integration_id, kind) DO UPDATE"
    " SET table_name = EXCLUDED.table_name"};
constinit Statement select_mirror_tables{
    "SELECT m.kind, m.table_name FROM billstack_internal.mirror_table AS m"
    " WHERE m.integration_id = $1 ORDER BY m.kind"};

constinit Statement lock_open_runs{
    "SELECT FROM billstack_internal.backfill_run AS r"
    " WHERE r.integration_id = $1 AND r.state IN ('queued', 'running') FOR UPDATE"};
constinit Statement cancel_run{
    "UPDATE billstack_internal.backfill_run SET state = 'canceled', error = $2,"
    " finished_at = clock_timestamp()"
    " WHERE integration_id = $1 AND state IN ('queued', 'running')"};

std::optional<TimestampTz> account_created(const stripe::Account &account) {
    if (!account.created || !fits_timestamp(*account.created)) {
        return std::nullopt;
    }
    return timestamp_from_unix(*account.created);
}

Param optional_jsonb(const std::optional<std::string> &text) {
    return text ? param_jsonb(*text) : Param{JSONBOID, 0, true};
}

Integration integration_of_row(const Rows &rows, std::uint64_t row) {
    Integration found;
    found.id = rows.int32(row, 1);
    found.team = rows.text(row, 2);
    found.name = rows.text(row, 3);
    found.owner_name = rows.text(row, 4);
    found.schema_name = rows.text(row, 5);
    found.schema_oid = rows.oid(row, 6);
    found.account.id = rows.optional_text(row, 7);
    found.account.name = rows.optional_text(row, 8);
    found.account.country = rows.optional_text(row, 9);
    found.account.default_currency = rows.optional_text(row, 10);
    if (std::optional<TimestampTz> created = rows.time(row, 11)) {
        found.account.created = unix_us_from_timestamp(*created) / USECS_PER_SEC;
    }
    found.livemode = rows.boolean(row, 12);
    found.key_restricted = rows.boolean(row, 13);
    found.key_masked = rows.text(row, 14);
    found.publishable_key = rows.optional_text(row, 15);
    found.key_valid = rows.boolean(row, 16);
    found.last_validated_at = rows.time(row, 17);
    found.permissions = rows.optional_text(row, 18);
    found.webhook_secret_state = rows.text(row, 19);
    found.is_active = rows.boolean(row, 20);
    found.sync_status = rows.text(row, 21);
    found.run_open = rows.boolean(row, 22);
    found.last_error = rows.optional_text(row, 23);
    found.last_error_at = rows.time(row, 24);
    found.mirror_version = rows.int32(row, 25);
    found.system_identifier = rows.int64(row, 26);
    found.database_oid = rows.oid(row, 27);
    return found;
}

void require_one_row(const Rows &rows) {
    if (rows.empty()) {
        throw core::Error(core::Code::unknown_object, "the integration does not exist any more",
                          "It was disconnected while this function waited for Stripe.");
    }
}

} // namespace

std::optional<std::string> find_team_owner(const std::string &team, bool read_only) {
    InternalAccess access;
    Rows rows = select_team_owner.run({param(team)}, read_only);
    return rows.empty() ? std::nullopt : rows.optional_text(0, 1);
}

std::vector<AccessGrant> access_grants_covering(const std::string &team, bool read_only) {
    InternalAccess access;
    Rows rows = select_grants.run({param(team)}, read_only);
    std::vector<AccessGrant> grants;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        grants.push_back({rows.text(row, 1), rows.text(row, 2)});
    }
    return grants;
}

std::vector<Integration> load_integrations(const std::string &team,
                                           const std::optional<std::string> &name, bool read_only) {
    InternalAccess access;
    Rows rows = select_integrations.run({param(team), param(name)}, read_only);
    std::vector<Integration> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back(integration_of_row(rows, row));
    }
    return found;
}

std::vector<std::pair<std::string, std::string>> load_outdated(int version) {
    InternalAccess access;
    Rows rows = select_outdated.run({param(static_cast<std::int32_t>(version))});
    std::vector<std::pair<std::string, std::string>> names;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        names.emplace_back(rows.text(row, 1), rows.text(row, 2));
    }
    return names;
}

void ensure_team(const std::string &team, const std::string &owner_name) {
    InternalAccess access;
    // A team deleted by a transaction that ends in between is made anew.
    for (int attempt = 0; attempt < 3; ++attempt) {
        (void)insert_team.run({param(team), param(owner_name)});
        if (!hold_team.run({param(team)}).empty()) {
            return;
        }
    }
    throw core::Error(core::Code::in_use, "team \"" + team + "\" is being removed", "",
                      "Try again.");
}

void set_team_owner(const std::string &team, const std::string &owner_name) {
    InternalAccess access;
    (void)update_team_owner.run({param(team), param(owner_name)});
}

void delete_team_without_integrations(const std::string &team) {
    InternalAccess access;
    // Two statements: the second sees what a connect() that held the row has committed.
    (void)lock_team.run({param(team)});
    (void)delete_empty_team.run({param(team)});
}

std::int32_t insert_integration(const Integration &integration) {
    try {
        Subtransaction sub;
        std::int32_t id = 0;
        {
            InternalAccess access;
            const stripe::Account &account = integration.account;
            Rows rows = insert_integration_row.run(
                {param(integration.team), param(integration.name), param(integration.owner_name),
                 param(integration.schema_name), param_oid(integration.schema_oid),
                 param(account.id), param(account.name), param(account.country),
                 param(account.default_currency), param_time(account_created(account)),
                 param(integration.livemode), param(integration.key_restricted),
                 param(integration.key_masked), param(integration.publishable_key),
                 param_time(integration.last_validated_at), param(integration.webhook_secret_state),
                 param(integration.mirror_version), param(integration.system_identifier),
                 param_oid(integration.database_oid)});
            id = rows.int32(0, 1);
        }
        sub.commit();
        return id;
    } catch (const PgError &error) {
        if (error.sqlstate() != ERRCODE_UNIQUE_VIOLATION) {
            throw;
        }
    }
    throw core::Error(core::Code::exists_already,
                      "integration \"" + integration.name + "\" of team \"" + integration.team +
                          "\" exists already",
                      "It was connected at the same time.",
                      "Use billstack.rotate_keys() to store other keys.");
}

void set_integration_owner(std::int32_t id, const std::string &owner_name) {
    InternalAccess access;
    (void)update_owner.run({param(id), param(owner_name)});
}

void set_integration_schema(std::int32_t id, Oid schema_oid) {
    InternalAccess access;
    (void)update_schema.run({param(id), param_oid(schema_oid)});
}

void stamp_integration(std::int32_t id, Oid schema_oid, const std::string &owner_name) {
    InternalAccess access;
    auto system_identifier = static_cast<std::int64_t>(GetSystemIdentifier());
    (void)update_stamp.run({param(id), param_oid(schema_oid), param(owner_name),
                            param(system_identifier), param_oid(MyDatabaseId)});
}

void set_mirror_version(std::int32_t id, int version) {
    InternalAccess access;
    (void)update_mirror_version.run({param(id), param(version)});
}

void delete_integration(std::int32_t id) {
    InternalAccess access;
    (void)delete_integration_row.run({param(id)});
}

void store_rotated(const Integration &integration) {
    InternalAccess access;
    const stripe::Account &account = integration.account;
    require_one_row(update_rotated.run(
        {param(integration.id), param(account.id), param(account.name), param(account.country),
         param(account.default_currency), param_time(account_created(account)),
         param(integration.livemode), param(integration.key_restricted),
         param(integration.key_masked), param(integration.publishable_key),
         param(integration.key_valid), param_time(integration.last_validated_at),
         param(integration.webhook_secret_state), param(integration.sync_status),
         optional_jsonb(integration.permissions), param(integration.last_error)}));
}

void store_validated(const Integration &integration) {
    InternalAccess access;
    const stripe::Account &account = integration.account;
    require_one_row(update_validated.run(
        {param(integration.id), param(account.id), param(account.name), param(account.country),
         param(account.default_currency), param_time(account_created(account)),
         param(integration.key_valid), param_time(integration.last_validated_at),
         optional_jsonb(integration.permissions), param(integration.last_error),
         param_time(integration.last_error_at)}));
}

void store_webhook_secret_state(std::int32_t id, const char *state) {
    InternalAccess access;
    require_one_row(update_secret_state.run({param(id), param(state)}));
}

void store_last_error(std::int32_t id, const std::optional<std::string> &error) {
    InternalAccess access;
    (void)update_last_error.run({param(id), param(error)});
}

void store_sealed_key(std::int32_t id, const SealedKey &key) {
    InternalAccess access;
    (void)upsert_sealed_key.run({param(id), param(key.key_kind), param(key.fingerprint),
                                 param_bytes(key.sealed), param_time(key.valid_until)});
}

void delete_sealed_key(std::int32_t id, const std::string &key_kind) {
    InternalAccess access;
    (void)delete_sealed.run({param(id), param(key_kind)});
}

std::vector<SealedKey> sealed_keys_of(std::int32_t id) {
    InternalAccess access;
    Rows rows = select_sealed_keys.run({param(id)});
    std::vector<SealedKey> keys;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        keys.push_back(
            {rows.text(row, 1), rows.text(row, 2), rows.bytes(row, 3), rows.time(row, 4)});
    }
    return keys;
}

std::vector<std::string> sealed_fingerprints() {
    InternalAccess access;
    Rows rows = select_fingerprints.run();
    std::vector<std::string> fingerprints;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        fingerprints.push_back(rows.text(row, 1));
    }
    return fingerprints;
}

void add_mirror_table(std::int32_t id, const MirrorTable &table) {
    InternalAccess access;
    (void)insert_mirror_table.run({param(id), param(table.kind), param(table.table)});
}

std::vector<MirrorTable> mirror_tables_of(std::int32_t id) {
    InternalAccess access;
    Rows rows = select_mirror_tables.run({param(id)});
    std::vector<MirrorTable> tables;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        tables.push_back({rows.text(row, 1), rows.text(row, 2)});
    }
    return tables;
}

void hold_open_run(std::int32_t id) {
    InternalAccess access;
    (void)lock_open_runs.run({param(id)});
}

bool cancel_open_run(std::int32_t id, const std::string &reason) {
    InternalAccess access;
    return !cancel_run.run({param(id), param(reason)}).empty();
}

} // namespace billstack::pg
