#include "pg/access/api_key_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/index_lookup.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

#define BILLSTACK_KEY_COLUMNS                                                                      \
    "k.id, k.team, k.name, k.prefix, k.project_id, k.scopes, k.created_by::text, k.created_at,"    \
    " k.expires_at, k.revoked_at, k.last_used_at"

constinit Statement insert_row{
    "INSERT INTO billstack_internal.api_key"
    " (id, team, project_id, name, prefix, key_sha256, scopes, created_by, expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING created_at"};
constinit Statement select_of_team{"SELECT " BILLSTACK_KEY_COLUMNS
                                   " FROM billstack_internal.api_key AS k WHERE k.team = $1"
                                   " ORDER BY k.created_at DESC, k.id"};
constinit Statement select_one{"SELECT " BILLSTACK_KEY_COLUMNS
                               " FROM billstack_internal.api_key AS k WHERE k.id = $1"};
constinit Statement select_one_locked{"SELECT " BILLSTACK_KEY_COLUMNS
                                      " FROM billstack_internal.api_key AS k WHERE k.id = $1"
                                      " FOR NO KEY UPDATE"};
constinit Statement revoke_row{"UPDATE billstack_internal.api_key SET revoked_at ="
                               " COALESCE(revoked_at, clock_timestamp()) WHERE id = $1"};
constinit Statement select_project{
    "SELECT FROM billstack_internal.project AS p WHERE p.id = $1 AND p.team = $2"};
constinit Statement update_last_use{
    "UPDATE billstack_internal.api_key AS k SET last_used_at = $2 WHERE k.id ="
    " (SELECT l.id FROM billstack_internal.api_key AS l WHERE l.id = $1"
    " AND (l.last_used_at IS NULL OR l.last_used_at < $2) FOR NO KEY UPDATE SKIP LOCKED)"};

constinit IndexLookup by_hash{"api_key",
                              "api_key_key_sha256_key",
                              {"id", "team", "project_id", "scopes", "expires_at", "revoked_at"}};

ApiKey key_in(const Rows &rows, std::uint64_t row) {
    ApiKey key;
    key.id = rows.text(row, 1);
    key.team = rows.text(row, 2);
    key.name = rows.text(row, 3);
    key.prefix = rows.text(row, 4);
    key.project_id = rows.optional_text(row, 5);
    key.scopes = rows.text_array(row, 6);
    key.created_by = rows.text(row, 7);
    key.created_at = rows.time(row, 8).value_or(0);
    key.expires_at = rows.time(row, 9);
    key.revoked_at = rows.time(row, 10);
    key.last_used_at = rows.time(row, 11);
    return key;
}

std::string_view bytes_of_hash(const KeyHash &hash) {
    return {reinterpret_cast<const char *>(hash.data()), hash.size()};
}

// Copies in the current memory context.
struct FoundKey {
    char *id;
    char *team;
    char *project_id;
    Datum scopes;
    bool expires;
    TimestampTz expires_at;
    bool revoked;
};

bool take_row(const IndexRow &row, FoundKey &found) {
    bool null = true;
    found.id = row.text_copy(0);
    found.team = row.text_copy(1);
    found.project_id = row.text_copy(2);
    Datum scopes = row.value(3, null);
    found.scopes = PointerGetDatum(PG_DETOAST_DATUM_COPY(scopes));
    Datum expires_at = row.value(4, null);
    found.expires = !null;
    found.expires_at = null ? 0 : DatumGetTimestampTz(expires_at);
    found.revoked = !row.is_null(5);
    return true;
}

} // namespace

void insert_api_key(ApiKey &key, const KeyHash &hash) {
    InternalAccess access;
    Rows rows = insert_row.run({param(key.id), param(key.team), param(key.project_id),
                                param(key.name), param(key.prefix),
                                param_bytes(bytes_of_hash(hash)), param_text_array(key.scopes),
                                param(key.created_by), param_time(key.expires_at)});
    key.created_at = rows.time(0, 1).value_or(0);
}

std::vector<ApiKey> api_keys_of(const std::string &team) {
    InternalAccess access;
    Rows rows = select_of_team.run({param(team)}, true);
    std::vector<ApiKey> keys;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        keys.push_back(key_in(rows, row));
    }
    return keys;
}

std::optional<ApiKey> find_api_key(const std::string &id, bool lock) {
    InternalAccess access;
    Rows rows = (lock ? select_one_locked : select_one).run({param(id)});
    return rows.empty() ? std::nullopt : std::optional(key_in(rows, 0));
}

void revoke_api_key(const std::string &id) {
    InternalAccess access;
    (void)revoke_row.run({param(id)});
}

std::optional<KnownKey> known_key(const KeyHash &hash) {
    FoundKey found{};
    IndexKey key{bytes_datum(bytes_of_hash(hash)), F_BYTEAEQ};
    Snapshot snapshot = call([] { return RegisterSnapshot(GetLatestSnapshot()); });
    bool is_there =
        by_hash.find(&key, 1, snapshot, [&](const IndexRow &row) { return take_row(row, found); });
    call([&] { UnregisterSnapshot(snapshot); });
    if (!is_there) {
        return std::nullopt;
    }
    KnownKey known;
    known.id = found.id;
    known.team = found.team;
    if (found.project_id != nullptr) {
        known.project_id = found.project_id;
    }
    known.scopes = text_array_of(found.scopes);
    if (found.expires) {
        known.expires_at = found.expires_at;
    }
    known.revoked = found.revoked;
    return known;
}

bool team_has_project(const std::string &team, const std::string &project_id) {
    InternalAccess access;
    return !select_project.run({param(project_id), param(team)}).empty();
}

void store_key_uses(const std::vector<KeyUseFlush> &uses) {
    for (const KeyUseFlush &use : uses) {
        (void)update_last_use.run({param(use.id), param_time(use.at)});
    }
}

} // namespace billstack::pg
