#include "pg/projects/relink_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/projects/project_rows.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_customers{
    "SELECT c.id, coalesce(c.email, ''), lower(coalesce(c.email, ''))"
    " FROM billstack_internal.project_customer AS c WHERE c.project_id = $1 AND c.id > $2"
    " AND c.stale AND c.deleted_at IS NULL ORDER BY c.id LIMIT $3"};
constinit Statement update_customers{
    "UPDATE billstack_internal.project_customer AS c SET stripe_customer_id = m.stripe_id,"
    " link = 'relinked', link_detail = m.detail, stale = false, stale_account = NULL,"
    " stale_livemode = NULL, updated_at = now()"
    " FROM unnest($1::text[], $2::text[], $3::text[]) AS m (id, stripe_id, detail)"
    " WHERE c.id = m.id"};

constinit Statement select_products{
    "SELECT p.id, p.project_id, p.name, p.description, p.is_active, p.metadata::text,"
    " p.stripe_product_id, p.stale, p.created_at, p.updated_at"
    " FROM billstack_internal.project_product AS p WHERE p.project_id = $1 AND p.stale"
    " ORDER BY p.created_at, p.id"};
constinit Statement select_prices{
    "SELECT p.id, p.project_id, p.product_id, p.unit_amount, p.currency, p.recurring_interval,"
    " p.interval_count, p.is_active, p.metadata::text, p.stripe_price_id, p.stale, p.created_at,"
    " p.updated_at FROM billstack_internal.project_price AS p"
    " JOIN billstack_internal.project_product AS q ON q.id = p.product_id"
    " WHERE p.project_id = $1 AND p.stale AND q.stale = $2 ORDER BY p.created_at, p.id"};
constinit Statement update_product{
    "UPDATE billstack_internal.project_product SET stripe_product_id = $2, stale = false,"
    " stale_account = NULL, stale_livemode = NULL, updated_at = now() WHERE id = $1"};
constinit Statement update_price{
    "UPDATE billstack_internal.project_price SET stripe_price_id = $2, stale = false,"
    " stale_account = NULL, stale_livemode = NULL, updated_at = now() WHERE id = $1"};

constinit Statement select_owned_products{
    "SELECT DISTINCT o.stripe_product_id FROM billstack_internal.project_product AS o"
    " JOIN billstack_internal.project AS p ON p.id = o.project_id"
    " WHERE p.integration_id = $1 AND o.stripe_product_id = ANY ($2) AND NOT o.stale"};
constinit Statement select_owned_prices{
    "SELECT DISTINCT o.stripe_price_id FROM billstack_internal.project_price AS o"
    " JOIN billstack_internal.project AS p ON p.id = o.project_id"
    " WHERE p.integration_id = $1 AND o.stripe_price_id = ANY ($2) AND NOT o.stale"};

std::vector<ProjectPrice> prices_of(const std::string &project, bool of_stale_products) {
    InternalAccess access;
    Rows rows = select_prices.run({param(project), param(of_stale_products)});
    std::vector<ProjectPrice> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back(price_of_row(rows, row));
    }
    return found;
}

std::set<std::string> owned(Statement &statement, std::int32_t integration_id,
                            const std::vector<std::string> &stripe_ids) {
    InternalAccess access;
    Rows rows = statement.run({param(integration_id), param_text_array(stripe_ids)});
    std::set<std::string> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.insert(rows.text(row, 1));
    }
    return found;
}

} // namespace

std::vector<StaleCustomer> stale_customers(const std::string &project, const std::string &after,
                                           int limit) {
    InternalAccess access;
    Rows rows = select_customers.run(
        {param(project), param(after), param(static_cast<std::int32_t>(limit))});
    std::vector<StaleCustomer> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back({rows.text(row, 1), rows.text(row, 2), rows.text(row, 3)});
    }
    return found;
}

void relink_customers(const std::vector<CustomerMatch> &matches) {
    std::vector<std::string> ids, stripe_ids, details;
    for (const CustomerMatch &match : matches) {
        ids.push_back(match.id);
        stripe_ids.push_back(match.stripe_id);
        details.push_back(match.detail);
    }
    InternalAccess access;
    LocalSetting hashed("enable_nestloop", "off"); // no statistics after a bulk insert
    (void)update_customers.run(
        {param_text_array(ids), param_text_array(stripe_ids), param_text_array(details)});
}

std::vector<ProjectProduct> stale_products(const std::string &project) {
    InternalAccess access;
    Rows rows = select_products.run({param(project)});
    std::vector<ProjectProduct> found;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        found.push_back(product_of_row(rows, row));
    }
    return found;
}

std::vector<ProjectPrice> stale_prices(const std::string &project) {
    return prices_of(project, false);
}

std::vector<ProjectPrice> lost_prices(const std::string &project) {
    return prices_of(project, true);
}

void relink_product(const std::string &id, const std::string &stripe_id) {
    InternalAccess access;
    (void)update_product.run({param(id), param(stripe_id)});
}

void relink_price(const std::string &id, const std::string &stripe_id) {
    InternalAccess access;
    (void)update_price.run({param(id), param(stripe_id)});
}

std::set<std::string> owned_products(std::int32_t integration_id,
                                     const std::vector<std::string> &stripe_ids) {
    return owned(select_owned_products, integration_id, stripe_ids);
}

std::set<std::string> owned_prices(std::int32_t integration_id,
                                   const std::vector<std::string> &stripe_ids) {
    return owned(select_owned_prices, integration_id, stripe_ids);
}

} // namespace billstack::pg
