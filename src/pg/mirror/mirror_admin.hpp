// Making, taking over, bringing up to date and dropping a mirror schema. Everything here runs with
// the rights of the current user, who is the mirror's owner: its tables never get more than that.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct Integration;
struct MirrorTable;

struct MirrorChange {
    std::vector<std::string> tables;  // "customers"
    std::vector<std::string> columns; // "customers.email"
    std::vector<std::string> indexes;
    bool empty() const { return tables.empty() && columns.empty() && indexes.empty(); }
};

// Before Stripe is asked: throws what create_mirror or adopt_mirror would throw for this caller.
// core::Error(exists_already): the schema is there and adopt is false, or it does not fit;
// not_allowed: no CREATE on the database, or another role's schema.
void check_mirror_target(const std::string &schema, bool adopt);

// Returns the schema's OID. Makes the tables of the default kinds; a left-over schema is completed.
Oid create_or_adopt_mirror(const std::string &schema);

// The tables of a mirror with the default kinds, children included.
std::vector<MirrorTable> default_mirror_tables();

// Adds what the catalogue has and the mirror lacks, fills added columns from _raw, and records the
// version. Tables are added for the default kinds and those the mirror has, or for all kinds.
// Switches to the mirror's owner by itself; waits for locks at most lock_timeout. Throws
// core::Error(not_ready) without the schema or inside an extension script.
enum class MirrorExtent { in_use, all_kinds };
MirrorChange upgrade_mirror(const Integration &integration, MirrorExtent extent,
                            const char *lock_timeout = "3s");

// Makes the tables of these kinds and their children where the mirror has none yet, as
// upgrade_mirror does. apply_access_to_schema() must follow when there are any.
MirrorChange add_mirror_kinds(const Integration &integration,
                              const std::vector<const stripe::Kind *> &kinds,
                              const char *lock_timeout = "3s");

// Drops the schema and all in it. Returns its name, nullopt when it was gone. Throws
// core::Error(not_allowed) for a caller who does not own it, dependents_exist listing what is not
// billstack's unless drop_dependents, not_ready when another schema bears its name.
std::optional<std::string> drop_mirror(const Integration &integration, bool drop_dependents);

// Hands schema and tables to another role, with the caller's rights.
void change_mirror_owner(const Integration &integration, const std::string &role);

// The schema of that name if it belongs to a role whose rights the caller has; InvalidOid when
// there is none. owner_name gets its owner. Throws core::Error(not_allowed) for another's schema.
Oid find_mirror_by_name(const std::string &schema, std::string &owner_name);
bool schema_exists(Oid schema);

// Whether the integration's schema is there: in a copied database by its name, because the stored
// OID is that of the original.
bool mirror_exists(const Integration &integration);

} // namespace billstack::pg
