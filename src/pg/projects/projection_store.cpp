#include "pg/projects/projection_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/projects/routing_store.hpp"
#include "pg/team/integration_store.hpp"

#include "crypto/public_id.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_project{
    "SELECT 1 FROM billstack_internal.project WHERE integration_id = $1 LIMIT 1"};

constinit Statement select_name{
    "SELECT name, team FROM billstack_internal.integration WHERE id = $1"};

constinit Statement select_count{
    "SELECT count(*) FROM billstack_internal.project WHERE integration_id = $1"};

// $1 the integration, $2 the objects. An e-mail that the project has already stays where it is, and
// of several that come with one the first has it: two customers of Stripe may have the same, two of
// a project may not.
constinit Statement update_customers{R"(
UPDATE billstack_internal.project_customer AS t
   SET email = n.email, name = n.name, deleted_at = n.deleted_at, updated_at = now()
  FROM (SELECT q.id,
               CASE WHEN NOT r.deleted AND r.email IS NOT NULL
                         AND row_number() OVER (PARTITION BY q.project_id, lower(r.email), r.deleted
                                                ORDER BY q.id) = 1
                         AND NOT EXISTS (SELECT FROM billstack_internal.project_customer AS o
                                          WHERE o.project_id = q.project_id AND o.id <> q.id
                                            AND lower(o.email) = lower(r.email)
                                            AND o.deleted_at IS NULL)
                    THEN r.email ELSE q.email END AS email,
               CASE WHEN r.deleted THEN q.name ELSE coalesce(r.name, q.name) END AS name,
               CASE WHEN r.deleted THEN now() END AS deleted_at
          FROM json_to_recordset($2::json) AS r (id text, email text, name text, deleted boolean)
          JOIN billstack_internal.project_customer AS q ON q.stripe_customer_id = r.id
          JOIN billstack_internal.project AS p ON p.id = q.project_id
          JOIN billstack_internal.integration AS i ON i.id = p.integration_id AND i.team = p.team
         WHERE i.id = $1 AND NOT q.stale AND q.deleted_at IS NULL
         ORDER BY q.id) AS n
 WHERE t.id = n.id AND (t.email, t.name, t.deleted_at) IS DISTINCT FROM (n.email, n.name, n.deleted_at))"};

constinit Statement update_products{R"(
UPDATE billstack_internal.project_product AS t
   SET name = coalesce(r.name, t.name), description = r.description, is_active = r.active,
       updated_at = now()
  FROM json_to_recordset($2::json) AS r (id text, name text, description text, active boolean),
       billstack_internal.project AS p
  JOIN billstack_internal.integration AS i ON i.id = p.integration_id AND i.team = p.team
 WHERE t.stripe_product_id = r.id AND NOT t.stale AND p.id = t.project_id AND i.id = $1
   AND (t.name, t.description, t.is_active)
       IS DISTINCT FROM (coalesce(r.name, t.name), r.description, r.active))"};

constinit Statement update_prices{R"(
UPDATE billstack_internal.project_price AS t SET is_active = r.active, updated_at = now()
  FROM json_to_recordset($2::json) AS r (id text, active boolean),
       billstack_internal.project AS p
  JOIN billstack_internal.integration AS i ON i.id = p.integration_id AND i.team = p.team
 WHERE t.stripe_price_id = r.id AND NOT t.stale AND p.id = t.project_id AND i.id = $1
   AND t.is_active <> r.active)"};

struct Target {
    const char *table;
    const char *key;
    const char *prefix; // of the ids
    bool has_price_id;
    std::vector<PartColumn> columns;
    SPIPlanPtr plan = nullptr;
};

// text[] goes as text: an array has no arrays as its items.
Oid oid_of(std::string_view type) {
    return type == "boolean"       ? BOOLOID
           : type == "bigint"      ? INT8OID
           : type == "timestamptz" ? TIMESTAMPTZOID
           : type == "numeric"     ? NUMERICOID
           : type == "jsonb"       ? JSONBOID
                                   : TEXTOID;
}

Target make_subscriptions() {
    return {"project_subscription",
            "stripe_subscription_id",
            "ps_",
            true,
            {{"stripe_customer_id", "customer", "text", oid_of("text")},
             {"stripe_price_id", "price", "text", oid_of("text")},
             {"stripe_price_ids", "prices", "text[]", oid_of("text[]")},
             {"metadata_project", "metadata_project", "text", oid_of("text")},
             {"named_project", "named_project", "text", oid_of("text")},
             {"status", "status", "text", oid_of("text")},
             {"quantity", "quantity", "bigint", oid_of("bigint")},
             {"cancel_at_period_end", "cancel_at_period_end", "boolean", oid_of("boolean")},
             {"current_period_start", "current_period_start", "timestamptz", oid_of("timestamptz")},
             {"current_period_end", "current_period_end", "timestamptz", oid_of("timestamptz")},
             {"trial_end", "trial_end", "timestamptz", oid_of("timestamptz")},
             {"cancel_at", "cancel_at", "timestamptz", oid_of("timestamptz")},
             {"canceled_at", "canceled_at", "timestamptz", oid_of("timestamptz")},
             {"started_at", "started_at", "timestamptz", oid_of("timestamptz")},
             {"ended_at", "ended_at", "timestamptz", oid_of("timestamptz")},
             {"currency", "currency", "text", oid_of("text")},
             {"mrr", "mrr", "numeric", oid_of("numeric")},
             {"mrr_discounted", "mrr_discounted", "numeric", oid_of("numeric")},
             {"metadata", "metadata", "jsonb", oid_of("jsonb")},
             {"created_at", "created", "timestamptz", oid_of("timestamptz")}}};
}

Target make_invoices() {
    return {"project_invoice",
            "stripe_invoice_id",
            "pinv_",
            false,
            {{"stripe_customer_id", "customer", "text", oid_of("text")},
             {"stripe_subscription_id", "subscription", "text", oid_of("text")},
             {"stripe_price_ids", "prices", "text[]", oid_of("text[]")},
             {"metadata_project", "metadata_project", "text", oid_of("text")},
             {"named_project", "named_project", "text", oid_of("text")},
             {"number", "number", "text", oid_of("text")},
             {"status", "status", "text", oid_of("text")},
             {"currency", "currency", "text", oid_of("text")},
             {"amount_due", "amount_due", "bigint", oid_of("bigint")},
             {"amount_paid", "amount_paid", "bigint", oid_of("bigint")},
             {"attempted", "attempted", "boolean", oid_of("boolean")},
             {"invoice_pdf", "invoice_pdf", "text", oid_of("text")},
             {"hosted_invoice_url", "hosted_invoice_url", "text", oid_of("text")},
             {"due_date", "due_date", "timestamptz", oid_of("timestamptz")},
             {"paid_at", "paid_at", "timestamptz", oid_of("timestamptz")},
             {"created_at", "created", "timestamptz", oid_of("timestamptz")}}};
}

Target make_payments() {
    return {"project_payment",
            "stripe_payment_id",
            "ppay_",
            false,
            {{"stripe_customer_id", "customer", "text", oid_of("text")},
             {"stripe_payment_intent_id", "payment_intent", "text", oid_of("text")},
             {"stripe_charge_id", "charge", "text", oid_of("text")},
             {"stripe_invoice_id", "invoice", "text", oid_of("text")},
             {"metadata_project", "metadata_project", "text", oid_of("text")},
             {"named_project", "named_project", "text", oid_of("text")},
             {"amount", "amount", "bigint", oid_of("bigint")},
             {"amount_refunded", "amount_refunded", "bigint", oid_of("bigint")},
             {"currency", "currency", "text", oid_of("text")},
             {"status", "status", "text", oid_of("text")},
             {"failure_code", "failure_code", "text", oid_of("text")},
             {"failure_message", "failure_message", "text", oid_of("text")},
             {"created_at", "created", "timestamptz", oid_of("timestamptz")}}};
}

Target &target_of(Part part) {
    static auto &subscriptions = *new Target(make_subscriptions());
    static auto &invoices = *new Target(make_invoices());
    static auto &payments = *new Target(make_payments());
    return part == Part::subscriptions ? subscriptions
           : part == Part::invoices    ? invoices
                                       : payments;
}

void append(std::string &list, const std::string &item) {
    list += (list.empty() ? "" : ", ") + item;
}

// $1 the integration, then arrays: the new ids, Stripe's, four of the routes, one a column. In the
// order of their keys, so that two sessions wait for each other instead of both.
std::string upsert_statement(const Target &target) {
    std::string names;
    std::string values;
    std::string fields;
    std::string updates;
    std::string stored;
    std::string wanted;
    std::string arrays = "$2, $3, $4, $5, $6, $7";
    int number = 8;
    for (const PartColumn &column : target.columns) {
        std::string name = column.name;
        append(names, name);
        bool is_array = std::string_view(column.type) == "text[]";
        append(values, is_array ? "coalesce(r." + name + "::text[], '{}')" : "r." + name);
        append(fields, name);
        append(updates, name + " = EXCLUDED." + name);
        append(stored, "t." + name);
        append(wanted, "EXCLUDED." + name);
        append(arrays, "$" + std::to_string(number++));
    }
    std::string key = target.key;
    std::string price = target.has_price_id ? ", price_id" : "";
    std::string price_value = target.has_price_id ? ", r.route_price" : "";
    return "INSERT INTO billstack_internal." + std::string(target.table) +
           " AS t (id, integration_id, " + key + ", " + names +
           ", project_id, routed_by, customer_id" + price +
           ")\nSELECT r.new_id, $1, r.stripe_id, " + values +
           ", r.route_project, r.route_strength::numeric, r.route_customer" + price_value +
           "\n  FROM unnest(" + arrays +
           ") AS r (new_id, stripe_id, route_project, route_strength, route_customer, "
           "route_price, " +
           fields + ")\n ORDER BY r.stripe_id\nON CONFLICT (integration_id, " + key +
           ") DO UPDATE SET " + updates + ", updated_at = now()\n WHERE (" + stored +
           ") IS DISTINCT FROM (" + wanted + ")";
}

Param param_of(const PartColumn &column, std::vector<Datum> &values, bool *nulls) {
    if (std::string_view(column.type) == "text[]") {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (!nulls[i]) {
                Datum array = values[i];
                values[i] = call(
                    [&] { return CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT, array)); });
            }
        }
    }
    return param_array(column.oid, values, nulls);
}

std::vector<std::string> ids_of(const Rows &rows) {
    std::vector<std::string> ids;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        ids.push_back(rows.text(row, 1));
    }
    return ids;
}

constinit Statement owned_customers{R"(
SELECT DISTINCT q.stripe_customer_id FROM billstack_internal.project_customer AS q
  JOIN billstack_internal.project AS p ON p.id = q.project_id
 WHERE p.integration_id = $1 AND NOT q.stale AND q.stripe_customer_id > $2 ORDER BY 1 LIMIT $3)"};

constinit Statement owned_products{R"(
SELECT DISTINCT q.stripe_product_id FROM billstack_internal.project_product AS q
  JOIN billstack_internal.project AS p ON p.id = q.project_id
 WHERE p.integration_id = $1 AND NOT q.stale AND q.stripe_product_id > $2 ORDER BY 1 LIMIT $3)"};

constinit Statement owned_prices{R"(
SELECT DISTINCT q.stripe_price_id FROM billstack_internal.project_price AS q
  JOIN billstack_internal.project AS p ON p.id = q.project_id
 WHERE p.integration_id = $1 AND NOT q.stale AND q.stripe_price_id > $2 ORDER BY 1 LIMIT $3)"};

} // namespace

std::set<std::string> further_kinds(std::int32_t integration_id) {
    std::set<std::string> kinds;
    for (const MirrorTable &table : mirror_tables_of(integration_id)) {
        kinds.insert(table.kind);
    }
    return kinds;
}

std::string describe_integration(std::int32_t integration_id) {
    InternalAccess access;
    Rows rows = select_name.run({param(integration_id)});
    return rows.empty()
               ? "an integration that has gone"
               : "integration \"" + rows.text(0, 1) + "\" of team \"" + rows.text(0, 2) + "\"";
}

bool any_project(std::int32_t integration_id) {
    InternalAccess access;
    LocalSetting by_index("enable_seqscan", "off");
    return !select_project.run({param(integration_id)}).empty();
}

std::int64_t count_projects(std::int32_t integration_id) {
    InternalAccess access;
    return select_count.run({param(integration_id)}).int64(0, 1);
}

const std::vector<PartColumn> &part_columns(Part part) {
    return target_of(part).columns;
}

void write_owned(std::int32_t integration_id, Part part, const std::string &objects) {
    InternalAccess access;
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting by_loop("enable_hashjoin", "off");
    LocalSetting no_merge("enable_mergejoin", "off");
    LocalSetting generic("plan_cache_mode", "force_generic_plan"); // planning takes longer
    Statement &statement = part == Part::customers  ? update_customers
                           : part == Part::products ? update_products
                                                    : update_prices;
    (void)statement.run_renewed({param(integration_id), param(objects)});
}

void write_part(std::int32_t integration_id, Part part, PartTable &objects,
                const std::vector<RowRoute> &routes) {
    if (objects.ids.empty()) {
        return;
    }
    InternalAccess access;
    LocalSetting generic("plan_cache_mode", "force_generic_plan");
    Target &target = target_of(part);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < objects.ids.size(); ++i) {
        ids.push_back(crypto::make_public_id(target.prefix));
    }
    RouteColumns route = columns_of(routes);
    std::vector<Param> params{param(integration_id),
                              param_text_array(ids),
                              param_text_array(objects.ids),
                              route.project,
                              route.strength,
                              route.customer,
                              route.price};
    for (std::size_t column = 0; column < target.columns.size(); ++column) {
        params.push_back(
            param_of(target.columns[column], objects.values[column], objects.nulls[column].get()));
    }
    if (target.plan == nullptr) {
        std::vector<Oid> types;
        for (const Param &each : params) {
            types.push_back(each.type);
        }
        target.plan = keep_plan(upsert_statement(target), types);
    }
    (void)run_plan(target.plan, params);
}

std::vector<std::string> owned_ids(std::int32_t integration_id, Part part, const std::string &after,
                                   int limit) {
    InternalAccess access;
    Statement &statement = part == Part::customers  ? owned_customers
                           : part == Part::products ? owned_products
                                                    : owned_prices;
    return ids_of(statement.run_renewed(
        {param(integration_id), param(after), param(static_cast<std::int64_t>(limit))}));
}

} // namespace billstack::pg
