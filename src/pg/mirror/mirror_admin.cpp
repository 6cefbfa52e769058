#include "pg/mirror/mirror_admin.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/mirror/mirror_admin_store.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

using stripe::Kind;

constexpr std::size_t max_listed = 20;

// The server was built with it; else the mirror's values are compressed as the server likes.
#ifdef USE_LZ4
constexpr bool has_lz4 = true;
#else
constexpr bool has_lz4 = false;
#endif

std::string name_of_schema(Oid schema) {
    char *name = call([&] { return get_namespace_name(schema); });
    return name == nullptr ? std::string() : std::string(name);
}

Oid oid_of_schema(const std::string &schema) {
    const char *name = schema.c_str();
    return call([&] { return get_namespace_oid(name, true); });
}

bool caller_owns(Oid schema) {
    return call([&] { return owns_schema(schema, GetUserId()); });
}

void add_with_children(const Kind &kind, std::vector<const Kind *> &kinds) {
    if (std::find(kinds.begin(), kinds.end(), &kind) != kinds.end()) {
        return;
    }
    kinds.push_back(&kind);
    for (const stripe::ChildList &list : kind.children) {
        add_with_children(*list.kind, kinds);
    }
}

std::vector<const Kind *> default_kinds() {
    std::vector<const Kind *> kinds;
    for (const Kind *kind : stripe::all_kinds()) {
        if (kind->is_default) {
            add_with_children(*kind, kinds);
        }
    }
    return kinds;
}

// Those the mirror has, plus default kinds that came with a later version.
std::vector<const Kind *> kinds_of(const std::vector<MirrorTable> &tables) {
    std::vector<const Kind *> kinds = default_kinds();
    for (const MirrorTable &table : tables) {
        if (const Kind *kind = stripe::find_kind(table.kind)) {
            add_with_children(*kind, kinds);
        }
    }
    return kinds;
}

void create_tables(const std::string &schema, const Kind &kind) {
    Kind alone = kind; // children are listed on their own
    alone.children = {};
    for (const std::string &statement : sync::create_table_statements(schema, alone, has_lz4)) {
        run_ddl(statement);
    }
}

const stripe::Column *find_column(const Kind &kind, const std::string &name) {
    for (const stripe::Column &column : kind.columns) {
        if (column.name == name) {
            return &column;
        }
    }
    return nullptr;
}

void add_missing_columns(const std::string &schema, const Kind &kind, Oid table,
                         MirrorChange &change) {
    std::map<std::string, std::string> present = column_types(table);
    for (const sync::MirrorColumn &column : sync::mirror_columns(kind)) {
        if (present.count(column.name) != 0) {
            continue;
        }
        run_ddl(sync::add_column_statement(schema, kind, column));
        if (const stripe::Column *source = find_column(kind, column.name)) {
            run_ddl(sync::fill_column_statement(schema, kind, *source));
        }
        change.columns.push_back(std::string(kind.table) + "." + column.name);
    }
}

// After the columns: an index may be over a new one.
void add_missing_indexes(const std::string &schema, Oid schema_oid, const Kind &kind,
                         MirrorChange &change) {
    std::set<std::string> present = index_names(schema_oid);
    for (const sync::MirrorIndex &index : sync::mirror_indexes(schema, kind)) {
        if (present.count(index.name) == 0) {
            run_ddl(index.statement);
            change.indexes.push_back(index.name);
        }
    }
}

MirrorChange bring_up(const std::string &schema, Oid schema_oid,
                      const std::vector<const Kind *> &kinds) {
    MirrorChange change;
    for (const Kind *kind : kinds) {
        std::optional<TableState> state = table_state(schema_oid, std::string(kind->table));
        if (!state) {
            create_tables(schema, *kind);
            change.tables.emplace_back(kind->table);
            continue;
        }
        add_missing_columns(schema, *kind, state->table, change);
        add_missing_indexes(schema, schema_oid, *kind, change);
    }
    return change;
}

// Why a table of a left-over schema cannot be taken over; "" when it can.
std::string misfit_of(Oid schema, const Kind &kind) {
    std::string table(kind.table);
    std::optional<TableState> state = table_state(schema, table);
    if (!state) {
        return "";
    }
    if (state->relkind != RELKIND_RELATION) {
        return table + " is not an ordinary table";
    }
    Oid owner = state->owner;
    if (!call([&] { return has_privs_of_role(GetUserId(), owner); })) {
        return table + " belongs to another role";
    }
    if (!state->key_is_id) {
        return table + " has no primary key on id";
    }
    std::map<std::string, std::string> present = column_types(state->table);
    for (const sync::MirrorColumn &column : sync::mirror_columns(kind)) {
        auto found = present.find(column.name);
        bool required = column.name == "id" || column.name.front() == '_';
        if (found == present.end() && required) {
            return table + " lacks column " + column.name;
        }
        if (found != present.end() && found->second != column.type) {
            return table + "." + column.name + " is " + found->second + ", not " + column.type;
        }
    }
    return "";
}

void check_adoptable(const std::string &schema, Oid schema_oid) {
    if (!caller_owns(schema_oid)) {
        throw core::Error(core::Code::not_allowed, "must be owner of schema \"" + schema + "\"",
                          "Only the owner of a left-over schema can connect it again.",
                          "Call connect() as its owner, or give the schema to your role.");
    }
    SpiSession spi;
    std::string misfits;
    for (const Kind *kind : default_kinds()) {
        std::string misfit = misfit_of(schema_oid, *kind);
        if (!misfit.empty()) {
            misfits += (misfits.empty() ? "" : "; ") + misfit;
        }
    }
    if (!misfits.empty()) {
        throw core::Error(core::Code::exists_already,
                          "schema \"" + schema + "\" does not fit and cannot be adopted", misfits,
                          "Rename or drop what is in the way.");
    }
}

void check_may_create_schema() {
    if (call([] { return may_create_in_database(MyDatabaseId, GetUserId()); })) {
        return;
    }
    char *database = call([] { return get_database_name(MyDatabaseId); });
    std::string quoted = sync::quote_identifier(database == nullptr ? "" : database);
    throw core::Error(core::Code::not_allowed, "permission denied for database " + quoted,
                      "connect() creates the mirror schema with your role's own rights.",
                      "Have its owner run: GRANT CREATE ON DATABASE " + quoted + " TO " +
                          sync::quote_identifier(current_role_name()) + ";");
}

MirrorInventory inventory_of(const std::string &schema, const std::vector<MirrorTable> &tables) {
    MirrorInventory inventory;
    for (const MirrorTable &table : tables) {
        const Kind *kind = stripe::find_kind(table.kind);
        if (kind == nullptr) {
            continue; // of a newer version: then it is not ours to judge
        }
        inventory.tables.push_back(table.table);
        for (const sync::MirrorIndex &index : sync::mirror_indexes(schema, *kind)) {
            inventory.indexes.push_back(index.name);
        }
        for (const sync::MirrorColumn &column : sync::mirror_columns(*kind)) {
            inventory.column_tables.push_back(table.table);
            inventory.columns.push_back(column.name);
        }
    }
    return inventory;
}

// Nothing can be added to the schema or upon its tables afterwards.
void lock_mirror(Oid schema, const std::vector<MirrorTable> &tables) {
    call([&] { LockDatabaseObject(NamespaceRelationId, schema, 0, AccessExclusiveLock); });
    for (const MirrorTable &table : tables) {
        const char *name = table.table.c_str();
        call([&] {
            Oid relation = get_relname_relid(name, schema);
            if (OidIsValid(relation)) {
                LockRelationOid(relation, AccessExclusiveLock);
            }
        });
    }
}

[[noreturn]] void throw_dependents(const std::string &schema,
                                   const std::vector<std::string> &objects) {
    std::string list;
    for (std::size_t i = 0; i < objects.size() && i < max_listed; ++i) {
        list += (i == 0 ? "" : "\n") + objects[i];
    }
    if (objects.size() > max_listed) {
        list += "\nand " + std::to_string(objects.size() - max_listed) + " more";
    }
    throw core::Error(core::Code::dependents_exist,
                      "cannot drop schema \"" + schema +
                          "\" because it holds or carries objects that are not billstack's",
                      list,
                      "Move or drop them, or call disconnect() with drop_dependents => true to "
                      "drop them too.");
}

// Brings the tables of these kinds up to the catalogue, as the mirror's owner, and records them.
MirrorChange change_mirror(const Integration &integration, const std::vector<const Kind *> &kinds,
                           const char *lock_timeout) {
    if (creating_extension) {
        throw core::Error(core::Code::not_ready,
                          "a mirror cannot be changed inside an extension script",
                          "Its tables would become members of the extension.",
                          "Call billstack.upgrade_mirror() afterwards.");
    }
    if (!schema_exists(integration.schema_oid)) {
        throw core::Error(core::Code::not_ready,
                          "schema \"" + integration.schema_name + "\" does not exist any more", "",
                          "Disconnect and connect again to create it anew.");
    }
    Oid owner = InvalidOid;
    {
        SpiSession spi;
        owner = schema_owner(integration.schema_oid);
    }
    std::string schema = name_of_schema(integration.schema_oid);
    MirrorChange change;
    {
        UserContext user(owner, UserContext::Rights::restricted);
        LocalSetting waiting("lock_timeout", lock_timeout);
        // Two who add the same table at once would both find it missing.
        Oid locked = integration.schema_oid;
        call([&] { LockDatabaseObject(NamespaceRelationId, locked, 0, ShareUpdateExclusiveLock); });
        SpiSession spi;
        change = bring_up(schema, integration.schema_oid, kinds);
    }
    for (const Kind *kind : kinds) {
        add_mirror_table(integration.id, {std::string(kind->name), std::string(kind->table)});
    }
    return change;
}

} // namespace

bool schema_exists(Oid schema) {
    return OidIsValid(schema) &&
           call([&] { return SearchSysCacheExists1(NAMESPACEOID, ObjectIdGetDatum(schema)); });
}

bool mirror_exists(const Integration &integration) {
    return integration.is_copy() ? OidIsValid(oid_of_schema(integration.schema_name))
                                 : schema_exists(integration.schema_oid);
}

void check_mirror_target(const std::string &schema, bool adopt) {
    Oid existing = oid_of_schema(schema);
    if (!OidIsValid(existing)) {
        check_may_create_schema();
        return;
    }
    if (!adopt) {
        throw core::Error(core::Code::exists_already, "schema \"" + schema + "\" exists already",
                          "The mirror of this integration would be stored there.",
                          "Call connect() with adopt => true to take it over, or drop or rename "
                          "it.");
    }
    check_adoptable(schema, existing);
}

Oid create_or_adopt_mirror(const std::string &schema) {
    Oid existing = oid_of_schema(schema);
    SpiSession spi;
    if (!OidIsValid(existing)) {
        create_schema(schema);
        existing = oid_of_schema(schema);
    }
    (void)bring_up(schema, existing, default_kinds());
    return existing;
}

std::vector<MirrorTable> default_mirror_tables() {
    std::vector<MirrorTable> tables;
    for (const Kind *kind : default_kinds()) {
        tables.push_back({std::string(kind->name), std::string(kind->table)});
    }
    return tables;
}

MirrorChange upgrade_mirror(const Integration &integration, MirrorExtent extent,
                            const char *lock_timeout) {
    std::span<const Kind *const> every = stripe::all_kinds();
    std::vector<const Kind *> kinds = extent == MirrorExtent::all_kinds
                                          ? std::vector<const Kind *>(every.begin(), every.end())
                                          : kinds_of(mirror_tables_of(integration.id));
    MirrorChange change = change_mirror(integration, kinds, lock_timeout);
    set_mirror_version(integration.id, stripe::mirror_version);
    return change;
}

MirrorChange add_mirror_kinds(const Integration &integration,
                              const std::vector<const Kind *> &kinds, const char *lock_timeout) {
    std::set<std::string> present;
    for (const MirrorTable &table : mirror_tables_of(integration.id)) {
        present.insert(table.kind);
    }
    std::vector<const Kind *> wanted;
    for (const Kind *kind : kinds) {
        add_with_children(*kind, wanted);
    }
    std::erase_if(wanted,
                  [&](const Kind *kind) { return present.contains(std::string(kind->name)); });
    return wanted.empty() ? MirrorChange{} : change_mirror(integration, wanted, lock_timeout);
}

std::optional<std::string> drop_mirror(const Integration &integration, bool drop_dependents) {
    Oid schema = integration.schema_oid;
    // In a restored database the stored OID may by now be another schema's.
    bool ours = schema_exists(schema) &&
                (!integration.is_copy() || name_of_schema(schema) == integration.schema_name);
    if (!ours) {
        if (OidIsValid(oid_of_schema(integration.schema_name))) {
            throw core::Error(core::Code::not_ready,
                              "schema \"" + integration.schema_name +
                                  "\" is not the one that was connected",
                              "Only the schema that billstack made is dropped.",
                              "Call billstack.arm('" + integration.team +
                                  "') if this database was restored, or rename or drop the "
                                  "schema.");
        }
        return std::nullopt;
    }
    std::string name = name_of_schema(schema);
    if (!caller_owns(schema)) {
        throw core::Error(core::Code::not_allowed, "must be owner of schema \"" + name + "\"",
                          "Dropping the mirror needs the rights of its owner \"" +
                              integration.owner_name + "\".",
                          "Call disconnect() as the owner.");
    }
    std::vector<MirrorTable> tables = mirror_tables_of(integration.id);
    lock_mirror(schema, tables);
    SpiSession spi;
    if (!drop_dependents) {
        std::vector<std::string> objects = foreign_objects(schema, inventory_of(name, tables));
        if (!objects.empty()) {
            throw_dependents(name, objects);
        }
    }
    LocalSetting quiet("client_min_messages", "warning"); // no "drop cascades to" for our own
    drop_schema_cascade(name);
    return name;
}

void change_mirror_owner(const Integration &integration, const std::string &role) {
    std::string schema = name_of_schema(integration.schema_oid);
    if (schema.empty()) {
        return;
    }
    std::vector<MirrorTable> tables = mirror_tables_of(integration.id);
    SpiSession spi;
    set_schema_owner(schema, role); // first: the new owner may create in it only then
    for (const MirrorTable &table : tables) {
        if (table_state(integration.schema_oid, table.table)) {
            set_table_owner(schema, table.table, role);
        }
    }
}

Oid find_mirror_by_name(const std::string &schema, std::string &owner_name) {
    Oid found = oid_of_schema(schema);
    if (!OidIsValid(found)) {
        return InvalidOid;
    }
    Oid owner = InvalidOid;
    {
        SpiSession spi;
        owner = schema_owner(found);
    }
    char *name = call([&] { return GetUserNameFromId(owner, false); });
    owner_name = name;
    if (!call([&] { return has_privs_of_role(GetUserId(), owner); })) {
        throw core::Error(core::Code::not_allowed, "must be owner of schema \"" + schema + "\"",
                          "The schema belongs to role \"" + owner_name + "\".",
                          "Call arm() as that role or as a superuser.");
    }
    return found;
}

} // namespace billstack::pg
