#include "pg/billing/product_store.hpp"

#include "crypto/public_id.hpp"
#include "pg/access/unique_store.hpp"
#include "pg/bridge/json_sql_store.hpp"

namespace billstack::pg {

namespace {

constinit Statement insert_product_row{
    "INSERT INTO billstack_internal.project_product"
    " (id, project_id, name, description, is_active, metadata, stripe_product_id)"
    " VALUES ($1, $2, $3, $4, $5, $6 - 'project_id' - 'billstack_intent', $7)"};
constinit Statement insert_price_row{
    "INSERT INTO billstack_internal.project_price (id, project_id, product_id, unit_amount,"
    " currency, recurring_interval, interval_count, is_active, metadata, stripe_price_id)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9 - 'project_id' - 'billstack_intent', $10)"};

constinit Statement update_product{
    "UPDATE billstack_internal.project_product SET name = coalesce($2, name),"
    " description = coalesce($3, description), metadata = coalesce($4, metadata),"
    " is_active = coalesce($5, is_active), updated_at = now() WHERE id = $1"};
constinit Statement update_price{
    "UPDATE billstack_internal.project_price SET is_active = coalesce($2, is_active),"
    " metadata = coalesce($3, metadata), updated_at = now() WHERE id = $1"};

#define BILLSTACK_PRODUCT_JSON                                                                     \
    "jsonb_build_object('id', p.id, 'name', p.name, 'description', p.description, 'isActive',"     \
    " p.is_active, 'stripeProductId', p.stripe_product_id, 'metadata', p.metadata, 'projectId',"   \
    " p.project_id, 'stale', p.stale, 'createdAt', " BILLSTACK_JSON_TIME(                          \
        "p.created_at") ", 'updatedAt', " BILLSTACK_JSON_TIME("p.updated_at") ")"
#define BILLSTACK_PRICE_JSON                                                                       \
    "jsonb_build_object('id', p.id, 'productId', p.product_id, 'stripePriceId',"                   \
    " p.stripe_price_id, 'unitAmount', p.unit_amount, 'currency', p.currency, 'type',"             \
    " CASE WHEN p.recurring_interval IS NULL THEN 'one_time' ELSE 'recurring' END, 'interval',"    \
    " p.recurring_interval, 'intervalCount', coalesce(p.interval_count, 1), 'isActive',"           \
    " p.is_active, 'metadata', p.metadata, 'projectId', p.project_id, 'stale', p.stale, "          \
    "'createdAt',"                                                                                 \
    " " BILLSTACK_JSON_TIME("p.created_at") ", 'updatedAt', " BILLSTACK_JSON_TIME(                 \
        "p.updated_at") ")"

constinit Statement select_product_answer{
    "SELECT jsonb_build_object('product', " BILLSTACK_PRODUCT_JSON ")::text"
    " FROM billstack_internal.project_product AS p WHERE p.id = $1"};
constinit Statement select_products{
    "SELECT jsonb_build_object('products', coalesce(jsonb_agg(" BILLSTACK_PRODUCT_JSON
    " ORDER BY p.created_at DESC, p.id), '[]'))::text FROM billstack_internal.project_product AS p"
    " WHERE p.project_id = $1 AND (p.is_active OR NOT $2)"};
constinit Statement select_price_answer{
    "SELECT jsonb_build_object('price', " BILLSTACK_PRICE_JSON ")::text"
    " FROM billstack_internal.project_price AS p WHERE p.id = $1"};
constinit Statement select_prices{
    "SELECT jsonb_build_object('prices', coalesce(jsonb_agg(" BILLSTACK_PRICE_JSON
    " ORDER BY p.created_at DESC, p.id), '[]'))::text FROM billstack_internal.project_price AS p"
    " WHERE p.project_id = $1 AND ($2::text IS NULL OR p.product_id = $2)"
    " AND (p.is_active OR NOT $3)"};
constinit Statement select_both{
    "SELECT jsonb_build_object('product', (SELECT " BILLSTACK_PRODUCT_JSON
    " FROM billstack_internal.project_product AS p WHERE p.id = $1), 'prices',"
    " coalesce(jsonb_agg(" BILLSTACK_PRICE_JSON " ORDER BY p.created_at DESC, p.id), '[]'))::text"
    " FROM billstack_internal.project_price AS p WHERE p.product_id = $1"};

#undef BILLSTACK_PRODUCT_JSON
#undef BILLSTACK_PRICE_JSON

constinit Statement select_owner{
    "SELECT o.project_id, o.id FROM billstack_internal.project_product AS o"
    " JOIN billstack_internal.project AS p ON p.id = o.project_id"
    " WHERE o.stripe_product_id = $2 AND p.integration_id = $1 AND NOT o.stale"
    " ORDER BY o.created_at, o.id LIMIT 1"};
constinit Statement select_owners{
    "SELECT coalesce(bool_or(o.project_id = $2 AND NOT o.stale), false),"
    " coalesce(bool_or(o.project_id <> $2), false) FROM billstack_internal.project_product AS o"
    " JOIN billstack_internal.project AS p ON p.id = o.project_id"
    " WHERE o.stripe_product_id = $3 AND p.team = $1"};

Param optional_jsonb(const std::optional<std::string> &text) {
    return text ? param_jsonb(*text) : Param{JSONBOID, 0, true};
}

Param optional_bool(const std::optional<bool> &value) {
    return value ? param(*value) : Param{BOOLOID, 0, true};
}

core::Error taken(const char *kind, const std::string &stripe_id) {
    return core::Error(core::Code::exists_already, std::string("the project has Stripe ") + kind +
                                                       " \"" + stripe_id + "\" already");
}

} // namespace

std::string insert_product(const ProjectProduct &product) {
    std::string id = crypto::make_public_id("pp_");
    run_unique(insert_product_row,
               {param(id), param(product.project_id), param(product.name),
                param(product.description), param(product.is_active), param_jsonb(product.metadata),
                param(product.stripe_product_id)},
               taken("product", product.stripe_product_id));
    return id;
}

std::string insert_price(const ProjectPrice &price) {
    std::string id = crypto::make_public_id("pri_");
    run_unique(insert_price_row,
               {param(id), param(price.project_id), param(price.product_id),
                param(price.unit_amount), param(price.currency), param(price.recurring_interval),
                price.interval_count ? param(*price.interval_count) : Param{INT4OID, 0, true},
                param(price.is_active), param_jsonb(price.metadata), param(price.stripe_price_id)},
               taken("price", price.stripe_price_id));
    return id;
}

void change_product(const std::string &id, const ProductChange &change) {
    InternalAccess access;
    (void)update_product.run({param(id), param(change.name), param(change.description),
                              optional_jsonb(change.metadata), optional_bool(change.is_active)});
}

void change_price(const std::string &id, const std::optional<bool> &is_active,
                  const std::optional<std::string> &metadata) {
    InternalAccess access;
    (void)update_price.run({param(id), optional_bool(is_active), optional_jsonb(metadata)});
}

std::string product_answer(const std::string &id, bool read_only) {
    InternalAccess access;
    Rows rows = select_product_answer.run({param(id)}, read_only);
    return rows.empty() ? "{}" : rows.text(0, 1);
}

std::string product_list(const std::string &project, bool active_only) {
    InternalAccess access;
    return select_products.run({param(project), param(active_only)}, true).text(0, 1);
}

std::string price_answer(const std::string &id, bool read_only) {
    InternalAccess access;
    Rows rows = select_price_answer.run({param(id)}, read_only);
    return rows.empty() ? "{}" : rows.text(0, 1);
}

std::string price_list(const std::string &project, const std::optional<std::string> &product,
                       bool active_only) {
    InternalAccess access;
    return select_prices.run({param(project), param(product), param(active_only)}, true).text(0, 1);
}

std::string product_answer_with_prices(const std::string &id) {
    InternalAccess access;
    return select_both.run({param(id)}).text(0, 1);
}

// Not an advisory lock: those can be taken by everybody, and kept.
void lock_adoption(std::int32_t integration_id) {
    call([&] {
        Oid table =
            get_relname_relid("project_product", get_namespace_oid("billstack_internal", false));
        LOCKTAG tag;
        SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, static_cast<Oid>(integration_id), 0);
        (void)LockAcquire(&tag, ExclusiveLock, false, false);
    });
}

std::optional<ProductOwner> owner_of_product(std::int32_t integration_id,
                                             const std::string &stripe_product_id) {
    InternalAccess access;
    Rows rows = select_owner.run({param(integration_id), param(stripe_product_id)});
    if (rows.empty()) {
        return std::nullopt;
    }
    return ProductOwner{rows.text(0, 1), rows.text(0, 2)};
}

ProductOwners owners_of_product(const Project &project, const std::string &stripe_product_id) {
    InternalAccess access;
    Rows rows =
        select_owners.run({param(project.team), param(project.id), param(stripe_product_id)});
    return {rows.boolean(0, 1), rows.boolean(0, 2)};
}

} // namespace billstack::pg
