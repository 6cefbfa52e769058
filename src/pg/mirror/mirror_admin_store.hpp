// Statements about mirror schemas as a whole: what is there, what hangs on it, and the DDL that
// changes it. Runs with the rights of the current user; SPI must be open.
#pragma once
#include "pg/bridge/datum.hpp"

namespace billstack::pg {

struct TableState {
    Oid table = InvalidOid;
    Oid owner = InvalidOid;
    char relkind = '\0';
    bool key_is_id = false; // primary key on exactly (id)
};

// nullopt when no relation of that name is in the schema.
std::optional<TableState> table_state(Oid schema, const std::string &table);
// Column name -> type as format_type() prints it.
std::map<std::string, std::string> column_types(Oid table);
std::set<std::string> index_names(Oid schema);
// InvalidOid when the schema is gone.
Oid schema_owner(Oid schema);

// What billstack itself made, by name.
struct MirrorInventory {
    std::vector<std::string> tables;
    std::vector<std::string> indexes;
    std::vector<std::string> column_tables; // parallel to columns
    std::vector<std::string> columns;
};
// Descriptions of all else in the schema, or directly dependent on it, sorted.
std::vector<std::string> foreign_objects(Oid schema, const MirrorInventory &inventory);

void create_schema(const std::string &schema);
void drop_schema_cascade(const std::string &schema);
void set_schema_owner(const std::string &schema, const std::string &role);
void set_table_owner(const std::string &schema, const std::string &table, const std::string &role);
// For statements made by sync/mirror_schema.
void run_ddl(const std::string &statement);

} // namespace billstack::pg
