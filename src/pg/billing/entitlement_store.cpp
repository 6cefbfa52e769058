#include "pg/billing/entitlement_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr const char *kind_name = "active_entitlement";

constinit Statement delete_others{
    "DELETE FROM billstack_internal.project_entitlement AS t WHERE t.integration_id = $1"
    " AND t.stripe_customer_id = ANY ($2) AND NOT EXISTS (SELECT FROM json_to_recordset($3::json)"
    " AS r (id text) WHERE r.id = t.stripe_entitlement_id)"};
constinit Statement upsert_rows{
    "INSERT INTO billstack_internal.project_entitlement AS t"
    " (integration_id, stripe_entitlement_id, stripe_customer_id, lookup_key)"
    " SELECT $1, r.id, r.customer, r.lookup_key"
    " FROM json_to_recordset($2::json) AS r (id text, customer text, lookup_key text) ORDER BY r.id"
    " ON CONFLICT (integration_id, stripe_entitlement_id) DO UPDATE"
    " SET stripe_customer_id = EXCLUDED.stripe_customer_id, lookup_key = EXCLUDED.lookup_key"
    " WHERE (t.stripe_customer_id, t.lookup_key)"
    " IS DISTINCT FROM (EXCLUDED.stripe_customer_id, EXCLUDED.lookup_key)"};
constinit Statement delete_all{
    "DELETE FROM billstack_internal.project_entitlement WHERE integration_id = $1"};

std::string table_of(const MirrorTarget &target) {
    return sync::quote_identifier(target.schema_name) + "." +
           std::string(stripe::find_kind(kind_name)->table);
}

std::vector<std::string> first_column(const Rows &rows) {
    std::vector<std::string> items;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        items.push_back(rows.text(row, 1));
    }
    return items;
}

} // namespace

bool has_entitlements(std::int32_t integration_id) {
    for (const MirrorTable &table : mirror_tables_of(integration_id)) {
        if (table.kind == kind_name) {
            return true;
        }
    }
    return false;
}

std::vector<std::string> customers_of_entitlements(const MirrorTarget &target, Oid owner,
                                                   const std::vector<std::string> &ids) {
    UserContext user(owner, UserContext::Rights::restricted);
    return first_column(run_once("SELECT e.customer::text FROM " + table_of(target) +
                                     " AS e WHERE e.id = ANY ($1) AND e.customer IS NOT NULL"
                                     " UNION SELECT k FROM unnest($1) AS k WHERE k LIKE 'cus\\_%'",
                                 {param_text_array(ids)}));
}

std::vector<std::string> entitled_customers(const MirrorTarget &target, Oid owner,
                                            const std::string &after, int limit) {
    UserContext user(owner, UserContext::Rights::restricted);
    return first_column(run_once("SELECT DISTINCT e.customer::text FROM " + table_of(target) +
                                     " AS e WHERE e.customer > $1 ORDER BY 1 LIMIT $2",
                                 {param(after), param(static_cast<std::int64_t>(limit))}));
}

std::string read_entitlements(const MirrorTarget &target, Oid owner,
                              const std::vector<std::string> &customers) {
    UserContext user(owner, UserContext::Rights::restricted);
    Rows rows = run_once("SELECT coalesce(json_agg(json_build_object('id', e.id, 'customer',"
                         " e.customer, 'lookup_key', e.lookup_key)), '[]')::text FROM " +
                             table_of(target) +
                             " AS e WHERE e.customer = ANY ($1) AND e._deleted_at IS NULL"
                             " AND e.lookup_key IS NOT NULL",
                         {param_text_array(customers)});
    return rows.empty() ? "[]" : rows.text(0, 1);
}

void write_entitlements(std::int32_t integration_id, const std::vector<std::string> &customers,
                        const std::string &entitlements) {
    InternalAccess access;
    (void)delete_others.run(
        {param(integration_id), param_text_array(customers), param(entitlements)});
    (void)upsert_rows.run({param(integration_id), param(entitlements)});
}

void clear_entitlements(std::int32_t integration_id) {
    InternalAccess access;
    (void)delete_all.run({param(integration_id)});
}

} // namespace billstack::pg
