#include "pg/mirror/mirror_access.hpp"

#include "pg/config.hpp"

namespace billstack::pg {

std::shared_ptr<const core::SecretBytes> open_sealed_key(const SealedSecretKey &key) {
    crypto::KeyRing ring = crypto::KeyRing::read(config::master_key_file());
    crypto::SealContext context{key.team, key.integration, "secret_key"};
    return std::make_shared<const core::SecretBytes>(
        crypto::open(ring.find(key.fingerprint).key, context, key.sealed));
}

Oid require_mirror_owner(const std::string &owner_name, const std::string &schema_name,
                         Oid schema_oid) {
    const char *role = owner_name.c_str();
    const char *schema = schema_name.c_str();
    Oid owner = call([&] { return get_role_oid(role, true); });
    if (!OidIsValid(owner)) {
        throw core::Error(core::Code::not_ready,
                          "role \"" + owner_name + "\", owner of the mirror, does not exist", "",
                          "SELECT billstack.set_owner(...) names another owner.");
    }
    Oid found = call([&] { return get_namespace_oid(schema, true); });
    if (found != schema_oid) {
        throw core::Error(core::Code::not_ready,
                          "schema \"" + schema_name + "\" is missing or not billstack's",
                          "The schema's OID is not the one stored at connect.");
    }
    return owner;
}

std::string short_text(const std::string &message) {
    constexpr int longest = 2000;
    const char *bytes = message.c_str();
    int length = static_cast<int>(std::min<std::size_t>(message.size(), INT_MAX));
    int kept =
        length <= longest ? length : call([&] { return pg_mbcliplen(bytes, length, longest); });
    return message.substr(0, static_cast<std::size_t>(kept));
}

bool is_lock_trouble(const PgError &error) {
    return error.sqlstate() == ERRCODE_LOCK_NOT_AVAILABLE ||
           error.sqlstate() == ERRCODE_T_R_DEADLOCK_DETECTED ||
           error.sqlstate() == ERRCODE_T_R_SERIALIZATION_FAILURE ||
           error.sqlstate() == ERRCODE_QUERY_CANCELED;
}

} // namespace billstack::pg
