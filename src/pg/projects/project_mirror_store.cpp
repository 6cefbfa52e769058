#include "pg/projects/project_mirror_store.hpp"

#include "pg/bridge/scope.hpp"
#include "pg/bridge/spi.hpp"
#include "pg/mirror/mirror_access.hpp"

namespace billstack::pg {

namespace {

class OwnerAccess {
  public:
    explicit OwnerAccess(const Integration &integration)
        : user_(require_mirror_owner(integration.owner_name, integration.schema_name,
                                     integration.schema_oid),
                UserContext::Rights::restricted) {}

  private:
    UserContext user_;
    SpiSession spi_; // left before the user changes back
};

constexpr const char *customer_columns =
    "SELECT c.id, c.email, c.name, CASE WHEN jsonb_typeof(c.metadata) = 'object'"
    " THEN c.metadata::text ELSE '{}' END, c.metadata ->> 'project_id',"
    " extract(epoch FROM c.created)::bigint, lower(coalesce(c.email, '')) FROM ";
constexpr const char *product_columns =
    "SELECT p.id, coalesce(p.name, p.id), p.description, coalesce(p.active, true),"
    " CASE WHEN jsonb_typeof(p.metadata) = 'object' THEN p.metadata::text ELSE '{}' END,"
    " p.metadata ->> 'project_id' FROM ";
constexpr const char *price_columns =
    "SELECT p.id, p.product, coalesce(p.currency, ''), p.unit_amount, p.recurring_interval,"
    " p.recurring_interval_count::integer, coalesce(p.active, true),"
    " CASE WHEN jsonb_typeof(p.metadata) = 'object' THEN p.metadata::text ELSE '{}' END,"
    " p.metadata ->> 'project_id' FROM ";

std::string table_of(const Integration &integration, const char *table) {
    return sync::quote_identifier(integration.schema_name) + "." + table;
}

std::vector<MirroredCustomer> customers_of(const Rows &rows) {
    std::vector<MirroredCustomer> found;
    found.reserve(rows.size());
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back({rows.text(row, 1), rows.optional_text(row, 2), rows.optional_text(row, 3),
                         rows.text(row, 4), rows.optional_text(row, 5), rows.optional_int64(row, 6),
                         rows.text(row, 7)});
    }
    return found;
}

std::vector<MirroredProduct> products_of(const Rows &rows) {
    std::vector<MirroredProduct> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back({rows.text(row, 1), rows.text(row, 2), rows.optional_text(row, 3),
                         rows.boolean(row, 4), rows.text(row, 5), rows.optional_text(row, 6)});
    }
    return found;
}

} // namespace

std::vector<MirroredCustomer> mirrored_by_email(const Integration &integration,
                                                const std::vector<std::string> &emails,
                                                const std::string &project) {
    OwnerAccess access(integration);
    return customers_of(run_once(customer_columns + table_of(integration, "customers") +
                                     " AS c WHERE lower(c.email) = ANY ($1)"
                                     " AND c._deleted_at IS NULL AND c.deleted IS NOT TRUE"
                                     " ORDER BY lower(c.email),"
                                     " (c.metadata ->> 'project_id' = $2) IS NOT TRUE,"
                                     " c.created, c.id",
                                 {param_text_array(emails), param(project)}));
}

std::vector<MirroredCustomer> mirrored_customers(const Integration &integration,
                                                 const std::vector<std::string> &ids) {
    OwnerAccess access(integration);
    return customers_of(run_once(customer_columns + table_of(integration, "customers") +
                                     " AS c WHERE c.id = ANY ($1) AND c._deleted_at IS NULL"
                                     " AND c.deleted IS NOT TRUE ORDER BY c.created, c.id",
                                 {param_text_array(ids)}));
}

std::vector<MirroredCustomer> next_mirrored_customers(const Integration &integration,
                                                      const MirroredCustomer *after, int limit) {
    OwnerAccess access(integration);
    std::string sql = customer_columns + table_of(integration, "customers") +
                      " AS c WHERE c._deleted_at IS NULL AND c.deleted IS NOT TRUE";
    std::vector<Param> params{param(static_cast<std::int32_t>(limit))};
    if (after != nullptr && after->created) {
        // NULLs sort last.
        sql += " AND (c.created >= to_timestamp($2) AND (c.created, c.id) > (to_timestamp($2), $3)"
               " OR c.created IS NULL)";
        params.push_back(param(*after->created));
        params.push_back(param(after->id));
    } else if (after != nullptr) {
        sql += " AND c.created IS NULL AND c.id > $2";
        params.push_back(param(after->id));
    }
    return customers_of(run_once(sql + " ORDER BY c.created, c.id LIMIT $1", params));
}

std::vector<MirroredProduct> mirrored_products(const Integration &integration,
                                               const std::vector<std::string> &ids) {
    OwnerAccess access(integration);
    return products_of(run_once(product_columns + table_of(integration, "products") +
                                    " AS p WHERE p.id = ANY ($1) AND p._deleted_at IS NULL",
                                {param_text_array(ids)}));
}

std::vector<MirroredProduct> mirrored_products_for(const Integration &integration,
                                                   const std::string &project,
                                                   const std::vector<std::string> &names) {
    OwnerAccess access(integration);
    return products_of(run_once(product_columns + table_of(integration, "products") +
                                    " AS p WHERE (p.name = ANY ($2)"
                                    " OR p.metadata ->> 'project_id' = $1)"
                                    " AND p._deleted_at IS NULL ORDER BY p.created, p.id",
                                {param(project), param_text_array(names)}));
}

std::vector<MirroredPrice> mirrored_prices(const Integration &integration,
                                           const std::vector<std::string> &product_ids) {
    OwnerAccess access(integration);
    Rows rows = run_once(price_columns + table_of(integration, "prices") +
                             " AS p WHERE p.product = ANY ($1) AND p._deleted_at IS NULL"
                             " ORDER BY p.created, p.id",
                         {param_text_array(product_ids)});
    std::vector<MirroredPrice> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        MirroredPrice price;
        price.id = rows.text(row, 1);
        price.product_id = rows.text(row, 2);
        price.currency = rows.text(row, 3);
        price.unit_amount = rows.optional_int64(row, 4);
        price.recurring_interval = rows.optional_text(row, 5);
        if (!rows.is_null(row, 6)) {
            price.interval_count = rows.int32(row, 6);
        }
        price.is_active = rows.boolean(row, 7);
        price.metadata = rows.text(row, 8);
        price.project_id = rows.optional_text(row, 9);
        found.push_back(std::move(price));
    }
    return found;
}

} // namespace billstack::pg
