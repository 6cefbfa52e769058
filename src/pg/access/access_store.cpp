#include "pg/access/access_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement lock_for_writer{
    "LOCK TABLE billstack_internal.access_grant IN SHARE ROW EXCLUSIVE MODE"};
constinit Statement lock_for_reader{"LOCK TABLE billstack_internal.access_grant IN SHARE MODE"};

constinit Statement insert_row{
    "INSERT INTO billstack_internal.access_grant (role_name, profile, team)"
    " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"};
constinit Statement delete_row{"DELETE FROM billstack_internal.access_grant"
                               " WHERE role_name = $1 AND profile = $2 AND team = $3"};
constinit Statement select_of_role{
    "SELECT g.role_name, g.profile, g.team FROM billstack_internal.access_grant AS g"
    " WHERE g.role_name = $1 ORDER BY g.profile, g.team"};
constinit Statement select_applicable{
    "SELECT g.role_name, g.profile, g.team FROM billstack_internal.access_grant AS g"
    " JOIN pg_catalog.pg_roles AS r ON r.rolname = g.role_name"
    " ORDER BY g.role_name, g.profile, g.team"};
constinit Statement select_missing{
    "SELECT DISTINCT g.role_name FROM billstack_internal.access_grant AS g"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = g.role_name)"
    " ORDER BY 1"};

// $1 GRANT or REVOKE, $2 TO or FROM, $3 role, $4 names. The owner of an object has its rights
// anyway, and a REVOKE would take them.
constinit Statement object_statements{
    "SELECT format('%s EXECUTE ON ROUTINE %s %s %I', $1, p.oid::regprocedure, $2, $3)"
    " FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
    " WHERE n.nspname = 'billstack' AND p.proname = ANY ($4)"
    " AND pg_catalog.pg_get_userbyid(p.proowner) <> $3"
    " UNION ALL "
    "SELECT format('%s %s ON %s %s %I', $1, CASE WHEN c.relname = 'webhook_inbox'"
    // RETURNING takes SELECT on the columns it names; the others stay closed.
    " THEN 'INSERT, SELECT (event_id, duplicate, received_at)' ELSE 'SELECT' END,"
    " c.oid::regclass, $2, $3)"
    " FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'billstack' AND c.relname = ANY ($4) AND c.relkind = 'v'"
    " AND pg_catalog.pg_get_userbyid(c.relowner) <> $3"
    " ORDER BY 1"};

constinit Statement usage_statement{
    "SELECT format('%s USAGE ON SCHEMA billstack %s %I', $1, $2, $3)"
    " FROM pg_catalog.pg_namespace AS n"
    " WHERE n.nspname = 'billstack' AND pg_catalog.pg_get_userbyid(n.nspowner) <> $3"};

// $1 to $3 as above, $4 team or '', $5 schema or NULL, $6 teams to leave out. A schema counts as
// the integration's by its OID or, in a restored database, by its owner.
constinit Statement mirror_statements{
    "WITH mirror AS (SELECT i.id, n.oid, n.nspname, n.nspowner"
    " FROM billstack_internal.integration AS i"
    " JOIN pg_catalog.pg_namespace AS n ON n.nspname = i.schema_name"
    " AND (n.oid = i.schema_oid OR pg_catalog.pg_get_userbyid(n.nspowner) = i.owner_name)"
    " WHERE ($4 = '' OR i.team = $4) AND ($5 IS NULL OR i.schema_name = $5)"
    " AND i.team <> ALL ($6) AND pg_catalog.pg_get_userbyid(n.nspowner) <> $3) "
    "SELECT m.nspowner, m.nspname,"
    " format('%s USAGE ON SCHEMA %I %s %I', $1, m.nspname, $2, $3)"
    " FROM mirror AS m"
    " UNION ALL "
    "SELECT m.nspowner, m.nspname, format('%s SELECT ON TABLE %s %s %I', $1,"
    " string_agg(format('%I.%I', m.nspname, c.relname), ', ' ORDER BY c.relname), $2, $3)"
    " FROM mirror AS m"
    " JOIN billstack_internal.mirror_table AS t ON t.integration_id = m.id"
    " JOIN pg_catalog.pg_class AS c ON c.relnamespace = m.oid AND c.relname = t.table_name"
    " AND c.relkind IN ('r', 'p') AND c.relowner = m.nspowner"
    " GROUP BY m.nspowner, m.nspname"
    " ORDER BY 2, 3"};

const char *verb(Change change) {
    return change == Change::give ? "GRANT" : "REVOKE";
}
const char *preposition(Change change) {
    return change == Change::give ? "TO" : "FROM";
}

std::vector<RecordedGrant> grants_in(const Rows &rows) {
    std::vector<RecordedGrant> grants;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        grants.push_back({rows.text(row, 1), rows.text(row, 2), rows.text(row, 3)});
    }
    return grants;
}

std::vector<std::string> first_column(const Rows &rows) {
    std::vector<std::string> texts;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        texts.push_back(rows.text(row, 1));
    }
    return texts;
}

void run_all(const std::vector<std::string> &statements) {
    for (const std::string &statement : statements) {
        run_once(statement);
    }
}

} // namespace

void lock_grants(GrantLock lock) {
    InternalAccess access;
    (lock == GrantLock::writer ? lock_for_writer : lock_for_reader).run();
}

bool insert_grant(const RecordedGrant &grant) {
    InternalAccess access;
    return insert_row.run({param(grant.role_name), param(grant.profile), param(grant.team)})
               .size() == 1;
}

bool delete_grant(const RecordedGrant &grant) {
    InternalAccess access;
    return delete_row.run({param(grant.role_name), param(grant.profile), param(grant.team)})
               .size() == 1;
}

std::vector<RecordedGrant> grants_of(const std::string &role_name) {
    InternalAccess access;
    return grants_in(select_of_role.run({param(role_name)}));
}

std::vector<RecordedGrant> applicable_grants() {
    InternalAccess access;
    return grants_in(select_applicable.run());
}

std::vector<std::string> missing_granted_roles() {
    InternalAccess access;
    return first_column(select_missing.run());
}

void change_schema_usage(Change change, const std::string &role_name) {
    InternalAccess access;
    run_all(first_column(
        usage_statement.run({param(verb(change)), param(preposition(change)), param(role_name)})));
}

void change_objects(Change change, const std::string &role_name,
                    const std::vector<std::string> &names) {
    InternalAccess access;
    run_all(first_column(object_statements.run({param(verb(change)), param(preposition(change)),
                                                param(role_name), param_text_array(names)})));
}

void change_mirrors(Change change, const std::string &role_name, const MirrorScope &scope) {
    struct Step {
        Oid owner;
        std::string statement;
    };
    std::vector<Step> steps;
    {
        InternalAccess access;
        Rows rows = mirror_statements.run({param(verb(change)), param(preposition(change)),
                                           param(role_name), param(scope.team), param(scope.schema),
                                           param_text_array(scope.except_teams)});
        for (std::uint64_t row = 0; row < rows.size(); ++row) {
            steps.push_back({rows.oid(row, 1), rows.text(row, 3)});
        }
    }
    for (const Step &step : steps) {
        UserContext owner(step.owner, UserContext::Rights::restricted);
        SpiSession spi;
        run_once(step.statement);
    }
}

} // namespace billstack::pg
