// SQL on access_grant and the GRANTs and REVOKEs that follow from it. Who may ask for them is
// decided in access.cpp. Every function opens SPI itself; a transaction must be open.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// A row of billstack_internal.access_grant; team is "" for all teams.
struct RecordedGrant {
    std::string role_name;
    std::string profile;
    std::string team;
};

enum class Change { give, take };

// Until the end of the transaction nobody else changes grants (writer), or changes them while a
// schema is being given its rights (reader).
enum class GrantLock { writer, reader };
void lock_grants(GrantLock lock);

bool insert_grant(const RecordedGrant &grant); // false: was there
bool delete_grant(const RecordedGrant &grant); // false: was not there
std::vector<RecordedGrant> grants_of(const std::string &role_name);
// Those of roles that exist, by name.
std::vector<RecordedGrant> applicable_grants();
// Role names in grants that no role bears any more.
std::vector<std::string> missing_granted_roles();

// USAGE on schema billstack, as the extension's owner.
void change_schema_usage(Change change, const std::string &role_name);
// EXECUTE on the functions and SELECT on the views of schema billstack that bear these names; names
// without an object are left out.
void change_objects(Change change, const std::string &role_name,
                    const std::vector<std::string> &names);

// Which mirrors a change is about.
struct MirrorScope {
    std::string team;                      // "" for all
    std::optional<std::string> schema;     // only this one
    std::vector<std::string> except_teams; // but not these
};
// USAGE on the mirror schema and SELECT on the tables billstack made in it, as the mirror's owner;
// the owner's own rights are left alone.
void change_mirrors(Change change, const std::string &role_name, const MirrorScope &scope);

} // namespace billstack::pg
