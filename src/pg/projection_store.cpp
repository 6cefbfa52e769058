#include "pg/projection_store.hpp"

#include "pg/integration_store.hpp"
#include "pg/internal_access.hpp"

#include "crypto/public_id.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_project{
    "SELECT 1 FROM billstack_internal.project WHERE integration_id = $1 LIMIT 1"};

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

struct Column {
    const char *name; // of the project row
    const char *from; // of the object
    const char *type;
};

struct Target {
    const char *table;
    const char *key;
    const char *prefix; // of the ids
    std::vector<Column> columns;
    SPIPlanPtr plan = nullptr;
    std::uint64_t runs = 0;
};

Target make_subscriptions() {
    return {"project_subscription",
            "stripe_subscription_id",
            "ps_",
            {{"stripe_customer_id", "customer", "text"},
             {"stripe_price_id", "price", "text"},
             {"stripe_price_ids", "prices", "text[]"},
             {"metadata_project", "metadata_project", "text"},
             {"named_project", "named_project", "text"},
             {"status", "status", "text"},
             {"quantity", "quantity", "bigint"},
             {"cancel_at_period_end", "cancel_at_period_end", "boolean"},
             {"current_period_start", "current_period_start", "timestamptz"},
             {"current_period_end", "current_period_end", "timestamptz"},
             {"trial_end", "trial_end", "timestamptz"},
             {"cancel_at", "cancel_at", "timestamptz"},
             {"canceled_at", "canceled_at", "timestamptz"},
             {"started_at", "started_at", "timestamptz"},
             {"ended_at", "ended_at", "timestamptz"},
             {"currency", "currency", "text"},
             {"mrr", "mrr", "numeric"},
             {"mrr_discounted", "mrr_discounted", "numeric"},
             {"metadata", "metadata", "jsonb"},
             {"created_at", "created", "timestamptz"}}};
}

Target make_invoices() {
    return {"project_invoice",
            "stripe_invoice_id",
            "pinv_",
            {{"stripe_customer_id", "customer", "text"},
             {"stripe_subscription_id", "subscription", "text"},
             {"stripe_price_ids", "prices", "text[]"},
             {"metadata_project", "metadata_project", "text"},
             {"named_project", "named_project", "text"},
             {"number", "number", "text"},
             {"status", "status", "text"},
             {"currency", "currency", "text"},
             {"amount_due", "amount_due", "bigint"},
             {"amount_paid", "amount_paid", "bigint"},
             {"attempted", "attempted", "boolean"},
             {"invoice_pdf", "invoice_pdf", "text"},
             {"hosted_invoice_url", "hosted_invoice_url", "text"},
             {"due_date", "due_date", "timestamptz"},
             {"paid_at", "paid_at", "timestamptz"},
             {"created_at", "created", "timestamptz"}}};
}

Target make_payments() {
    return {"project_payment",
            "stripe_payment_id",
            "ppay_",
            {{"stripe_customer_id", "customer", "text"},
             {"stripe_payment_intent_id", "payment_intent", "text"},
             {"stripe_charge_id", "charge", "text"},
             {"stripe_invoice_id", "invoice", "text"},
             {"metadata_project", "metadata_project", "text"},
             {"named_project", "named_project", "text"},
             {"amount", "amount", "bigint"},
             {"amount_refunded", "amount_refunded", "bigint"},
             {"currency", "currency", "text"},
             {"status", "status", "text"},
             {"failure_code", "failure_code", "text"},
             {"failure_message", "failure_message", "text"},
             {"created_at", "created", "timestamptz"}}};
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

// $1 the integration, $2 the objects, $3 an id for each that is new. In the order of their keys, so
// that two sessions wait for each other instead of both.
std::string upsert_statement(const Target &target) {
    std::string names;
    std::string values;
    std::string fields;
    std::string updates;
    std::string stored;
    std::string wanted;
    for (const Column &column : target.columns) {
        std::string name = column.name;
        append(names, name);
        std::string from = "r." + std::string(column.from);
        append(values,
               std::string_view(column.type) == "text[]" ? "coalesce(" + from + ", '{}')" : from);
        append(fields, std::string(column.from) + " " + column.type);
        append(updates, name + " = EXCLUDED." + name);
        append(stored, "t." + name);
        append(wanted, "EXCLUDED." + name);
    }
    std::string key = target.key;
    return "INSERT INTO billstack_internal." + std::string(target.table) +
           " AS t (id, integration_id, " + key + ", " + names +
           ")\nSELECT ($3)[r.place], $1, r.id, " + values +
           "\n  FROM (SELECT j.*, row_number() OVER (ORDER BY j.id) AS place" +
           " FROM json_to_recordset($2::json) AS j (id text, " + fields + ")) AS r\n" +
           " WHERE r.place <= cardinality($3)\n ORDER BY r.id\nON CONFLICT (integration_id, " +
           key + ") DO UPDATE SET " + updates + ", updated_at = now()\n WHERE (" + stored +
           ") IS DISTINCT FROM (" + wanted + ")";
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

bool any_project(std::int32_t integration_id) {
    InternalAccess access;
    LocalSetting by_index("enable_seqscan", "off");
    return !select_project.run({param(integration_id)}).empty();
}

std::int64_t count_projects(std::int32_t integration_id) {
    InternalAccess access;
    return select_count.run({param(integration_id)}).int64(0, 1);
}

void write_part(std::int32_t integration_id, Part part, const std::string &objects,
                std::size_t at_most) {
    InternalAccess access;
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting by_loop("enable_hashjoin", "off");
    LocalSetting no_merge("enable_mergejoin", "off");
    LocalSetting generic("plan_cache_mode", "force_generic_plan"); // planning takes longer
    if (part == Part::customers || part == Part::products || part == Part::prices) {
        Statement &statement = part == Part::customers  ? update_customers
                               : part == Part::products ? update_products
                                                        : update_prices;
        (void)statement.run_renewed({param(integration_id), param(objects)});
        return;
    }
    Target &target = target_of(part);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < at_most; ++i) {
        ids.push_back(crypto::make_public_id(target.prefix));
    }
    renew_plan(target.plan, target.runs);
    if (target.plan == nullptr) {
        target.plan = keep_plan(upsert_statement(target), {INT4OID, TEXTOID, TEXTARRAYOID});
    }
    (void)run_plan(target.plan, {param(integration_id), param(objects), param_text_array(ids)});
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
