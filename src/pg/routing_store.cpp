#include "pg/routing_store.hpp"

#include "pg/internal_access.hpp"

namespace billstack::pg {

namespace {

// One of the three tables that are routed. hangs_on: the column that names a row of `parent`.
struct Routed {
    const char *table;
    const char *key;
    const char *hangs_on;
    const char *parent;
    const char *parent_key;
    bool has_prices;
    bool has_price_id;
    SPIPlanPtr plan = nullptr;
    std::uint64_t runs = 0;
};

constinit Routed subscriptions{
    "project_subscription", "stripe_subscription_id", nullptr, nullptr, nullptr, true, true};
constinit Routed invoices{"project_invoice",
                          "stripe_invoice_id",
                          "stripe_subscription_id",
                          "project_subscription",
                          "stripe_subscription_id",
                          true,
                          false};
constinit Routed payments{"project_payment",
                          "stripe_payment_id",
                          "stripe_invoice_id",
                          "project_invoice",
                          "stripe_invoice_id",
                          false,
                          false};

// "p" is a project that counts: of the integration's own team and linked to it.
#define BILLSTACK_TEAM "(SELECT i.team FROM billstack_internal.integration AS i WHERE i.id = $1)"
#define BILLSTACK_LINKED " AND p.integration_id = $1 AND p.team = " BILLSTACK_TEAM

// What each rule finds for the row s. A price of projects that are not linked here is nobody's to
// guess at; of several owners the customer decides, if it can.
std::string rules(const Routed &routed) {
    std::string prices = routed.has_prices ? "s.stripe_price_ids" : "'{}'::text[]";
    std::string text = R"(
  LEFT JOIN billstack_internal.project AS own ON own.id = s.metadata_project
       AND own.integration_id = $1 AND own.team = )" BILLSTACK_TEAM R"(
  LEFT JOIN billstack_internal.project AS named ON named.id = s.named_project
       AND named.integration_id = $1 AND named.team = )" BILLSTACK_TEAM;
    if (routed.parent != nullptr) {
        text += "\n  LEFT JOIN billstack_internal." + std::string(routed.parent) +
                " AS h ON h.integration_id = $1 AND h." + routed.parent_key + " = s." +
                routed.hangs_on +
                "\n  LEFT JOIN billstack_internal.project AS hp ON hp.id = h.project_id"
                " AND hp.integration_id = $1 AND hp.team = " BILLSTACK_TEAM;
    } else {
        text += "\n CROSS JOIN (SELECT NULL::text AS project_id, NULL::numeric AS routed_by) AS h"
                "\n CROSS JOIN (SELECT NULL::text AS id) AS hp";
    }
    return text +
           R"(
 CROSS JOIN LATERAL (
       SELECT count(*) AS owners,
              coalesce(array_agg(DISTINCT p.id) FILTER (WHERE p.integration_id = $1), '{}') AS projects
         FROM billstack_internal.project_price AS q
         JOIN billstack_internal.project AS p ON p.id = q.project_id AND p.team = )" BILLSTACK_TEAM
           R"(
        WHERE q.stripe_price_id = ANY ()" +
           prices + R"() AND NOT q.stale) AS b
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(DISTINCT p.id), '{}') AS projects
         FROM billstack_internal.project_customer AS q
         JOIN billstack_internal.project AS p ON p.id = q.project_id)" BILLSTACK_LINKED R"(
        WHERE q.stripe_customer_id = s.stripe_customer_id AND NOT q.stale
          AND (b.owners = 0 OR p.id = ANY (b.projects))) AS c)";
}

// A row keeps its project, unless its own metadata name another one, or a stronger rule that comes
// of events (below 4) finds one: so the order of the events makes no difference. What the weak
// rules go by (prices, customers) is changed by users, not by events.
std::string statement_for(const Routed &routed) {
    std::string key = routed.key;
    std::string table = routed.table;
    // One look into an index a key: a list of keys would be compared with each row.
    std::string keys = "SELECT u.key FROM unnest($2) AS u (key)";
    if (routed.hangs_on != nullptr) {
        keys += " UNION SELECT x." + key + " FROM unnest($3) AS o (id) JOIN billstack_internal." +
                table + " AS x ON x.integration_id = $1 AND x." + routed.hangs_on + " = o.id";
    }
    std::string price = !routed.has_price_id
                            ? "NULL::text"
                            : "(SELECT q.id FROM billstack_internal.project_price AS q"
                              " WHERE q.project_id = w.project AND q.stripe_price_id = w.price"
                              " AND NOT q.stale)";
    std::string set_price = routed.has_price_id ? ", price_id = d.price_id" : "";
    std::string old_price = routed.has_price_id ? ", t.price_id" : "";
    std::string new_price = routed.has_price_id ? ", d.price_id" : "";
    return R"(
UPDATE billstack_internal.)" +
           std::string(routed.table) + R"( AS t
   SET project_id = d.project, routed_by = d.strength, customer_id = d.customer_id)" +
           set_price + R"(, updated_at = now()
  FROM (SELECT w.id, w.project, w.strength, w.moved,
               coalesce((SELECT q.id FROM billstack_internal.project_customer AS q
                          WHERE q.project_id = w.project AND q.stripe_customer_id = w.customer
                            AND NOT q.stale
                          ORDER BY q.deleted_at IS NOT NULL, q.created_at DESC, q.id LIMIT 1),
                        CASE WHEN w.project = w.before THEN w.customer_id END) AS customer_id,
               )" +
           price + R"( AS price_id
          FROM (SELECT f.id, f.before, f.customer, f.customer_id, f.price,
                       CASE WHEN f.better THEN f.found ELSE f.before END AS project,
                       CASE WHEN f.better THEN f.found_by ELSE f.before_by END AS strength,
                       f.better AND (f.found, f.found_by) IS DISTINCT FROM (f.before, f.before_by)
                       AS moved
                  FROM (SELECT e.*, e.found IS NOT NULL AND (e.before IS NULL OR e.found_by = 1
                                    OR e.found_by < 4 AND e.found_by < e.before_by
                                    OR e.found = e.before AND e.found_by < e.before_by) AS better
                          FROM (SELECT s.id, s.project_id AS before, s.routed_by AS before_by,
                                       s.stripe_customer_id AS customer, s.customer_id,
                                       )" +
           (routed.has_price_id ? "s.stripe_price_id" : "NULL::text") + R"( AS price,
                                       CASE WHEN own.id IS NOT NULL THEN own.id
                                            WHEN named.id IS NOT NULL THEN named.id
                                            WHEN h.project_id IS NOT NULL THEN hp.id
                                            WHEN cardinality(b.projects) = 1 THEN b.projects[1]
                                            WHEN cardinality(c.projects) = 1 THEN c.projects[1] END AS found,
                                       CASE WHEN own.id IS NOT NULL THEN 1
                                            WHEN named.id IS NOT NULL THEN 2
                                            WHEN h.project_id IS NOT NULL THEN 3 + h.routed_by / 10
                                            WHEN cardinality(b.projects) = 1 THEN 4
                                            ELSE 5 END AS found_by
                                  FROM ()" +
           keys + ") AS k JOIN billstack_internal." + table +
           " AS s ON s.integration_id = $1 AND s." + key + " = k.key" + rules(routed) +
           R"() AS e) AS f) AS w) AS d
 WHERE t.id = d.id AND (t.project_id, t.routed_by, t.customer_id)" +
           old_price + ") IS DISTINCT FROM (d.project, d.strength, d.customer_id" + new_price +
           ")\nRETURNING CASE WHEN d.moved THEN t." + key + " END";
}

// By their indexes whatever the statistics say: they may be of the time when the tables were empty.
// Planned once, not for each list of keys: planning takes longer than the work.
class ByIndex {
    LocalSetting index_{"enable_seqscan", "off"};
    LocalSetting loop_{"enable_hashjoin", "off"};
    LocalSetting merge_{"enable_mergejoin", "off"};
    LocalSetting generic_{"plan_cache_mode", "force_generic_plan"};
};

StripeIds texts_of(const Rows &rows, int column = 1) {
    StripeIds ids;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        if (!rows.is_null(row, column)) {
            ids.push_back(rows.text(row, column));
        }
    }
    return ids;
}

StripeIds route(Routed &routed, std::int32_t integration_id, const StripeIds &ids,
                const StripeIds &of_parents) {
    InternalAccess access;
    ByIndex by_index;
    std::vector<Param> params{param(integration_id), param_text_array(ids)};
    if (routed.hangs_on != nullptr) {
        params.push_back(param_text_array(of_parents));
    }
    renew_plan(routed.plan, routed.runs);
    if (routed.plan == nullptr) {
        std::vector<Oid> types;
        for (const Param &each : params) {
            types.push_back(each.type);
        }
        routed.plan = keep_plan(statement_for(routed), types);
    }
    return texts_of(run_plan(routed.plan, params));
}

constinit Statement subscriptions_of_customers{R"(
SELECT s.stripe_subscription_id FROM unnest($2) AS k (id)
  JOIN billstack_internal.project_subscription AS s ON s.integration_id = $1 AND s.stripe_customer_id = k.id
 WHERE s.project_id IS NULL OR s.customer_id IS NULL)"};
constinit Statement invoices_of_customers{R"(
SELECT s.stripe_invoice_id FROM unnest($2) AS k (id)
  JOIN billstack_internal.project_invoice AS s ON s.integration_id = $1 AND s.stripe_customer_id = k.id
 WHERE s.project_id IS NULL OR s.customer_id IS NULL)"};
constinit Statement payments_of_customers{R"(
SELECT s.stripe_payment_id FROM unnest($2) AS k (id)
  JOIN billstack_internal.project_payment AS s ON s.integration_id = $1 AND s.stripe_customer_id = k.id
 WHERE s.project_id IS NULL OR s.customer_id IS NULL)"};

constinit Statement subscriptions_of_prices{R"(
SELECT s.stripe_subscription_id FROM billstack_internal.project_subscription AS s
 WHERE s.integration_id = $1 AND s.stripe_price_ids && $2 AND s.project_id IS NULL
 UNION
SELECT s.stripe_subscription_id FROM billstack_internal.project_subscription AS s
 WHERE s.integration_id = $1 AND s.stripe_price_id = ANY ($2) AND s.price_id IS NULL)"};
constinit Statement invoices_of_prices{R"(
SELECT s.stripe_invoice_id FROM billstack_internal.project_invoice AS s
 WHERE s.integration_id = $1 AND s.stripe_price_ids && $2 AND s.project_id IS NULL)"};

// Metadata may have named a project before it was linked.
#define BILLSTACK_MISROUTED                                                                        \
    " AND (s.project_id IS NULL OR s.routed_by > 1 AND s.metadata_project <> s.project_id"         \
    " OR s.routed_by > 2 AND s.named_project <> s.project_id)"

constinit Statement next_subscriptions{R"(
SELECT s.stripe_subscription_id FROM billstack_internal.project_subscription AS s
 WHERE s.integration_id = $1 AND s.stripe_subscription_id > $2 AND NOT s.stale)" BILLSTACK_MISROUTED
                                       R"(
 ORDER BY 1 LIMIT $3)"};
constinit Statement next_invoices{R"(
SELECT s.stripe_invoice_id FROM billstack_internal.project_invoice AS s
 WHERE s.integration_id = $1 AND s.stripe_invoice_id > $2 AND NOT s.stale)" BILLSTACK_MISROUTED
                                  R"(
 ORDER BY 1 LIMIT $3)"};
constinit Statement next_payments{R"(
SELECT s.stripe_payment_id FROM billstack_internal.project_payment AS s
 WHERE s.integration_id = $1 AND s.stripe_payment_id > $2 AND NOT s.stale)" BILLSTACK_MISROUTED
                                  R"(
 ORDER BY 1 LIMIT $3)"};

constinit Statement subscriptions_in_ledger{R"(
UPDATE billstack_internal.event AS e SET project_id = s.project_id, routing = 'routed'
  FROM unnest($2) AS k (id)
  JOIN billstack_internal.project_subscription AS s ON s.integration_id = $1 AND s.stripe_subscription_id = k.id
 WHERE s.project_id IS NOT NULL
   AND e.integration_id = $1 AND e.object_id = s.stripe_subscription_id AND e.routing = 'unrouted')"};
constinit Statement invoices_in_ledger{R"(
UPDATE billstack_internal.event AS e SET project_id = s.project_id, routing = 'routed'
  FROM unnest($2) AS k (id)
  JOIN billstack_internal.project_invoice AS s ON s.integration_id = $1 AND s.stripe_invoice_id = k.id
 WHERE s.project_id IS NOT NULL
   AND e.integration_id = $1 AND e.object_id = s.stripe_invoice_id AND e.routing = 'unrouted')"};
constinit Statement payments_in_ledger{R"(
UPDATE billstack_internal.event AS e SET project_id = s.project_id, routing = 'routed'
  FROM unnest($2) AS k (id)
  JOIN billstack_internal.project_payment AS s ON s.integration_id = $1 AND s.stripe_payment_id = k.id
 CROSS JOIN LATERAL (VALUES (s.stripe_payment_id), (nullif(s.stripe_charge_id, s.stripe_payment_id)))
       AS o (id)
 WHERE s.project_id IS NOT NULL
   AND e.integration_id = $1 AND e.object_id = o.id AND e.routing = 'unrouted')"};

// What has a row of its own is where that row is. The rest: its own metadata, what it hangs on, who
// owns it, the customer. $2: MirrorReader::names().
constinit Statement select_routes{R"(
SELECT n.kind, n.id, p.id
  FROM json_to_recordset($2::json) AS n (kind text, id text, project text, customer text,
       subscription text, invoice text, payment_intent text, charge text, product text)
  LEFT JOIN LATERAL (
       SELECT x.project_id
         FROM (SELECT 1 AS place, s.project_id FROM billstack_internal.project_subscription AS s
                WHERE n.kind = 'subscription' AND s.integration_id = $1 AND s.stripe_subscription_id = n.id
                UNION ALL
               SELECT 1, v.project_id FROM billstack_internal.project_invoice AS v
                WHERE n.kind = 'invoice' AND v.integration_id = $1 AND v.stripe_invoice_id = n.id
                UNION ALL
               SELECT 1, y.project_id FROM billstack_internal.project_payment AS y
                WHERE n.kind IN ('charge', 'payment_intent') AND y.integration_id = $1
                  AND y.stripe_payment_id = coalesce(n.payment_intent, n.id)
                UNION ALL
               SELECT 2, p.id FROM billstack_internal.project AS p WHERE p.id = n.project)" BILLSTACK_LINKED
                                  R"(
                UNION ALL
               SELECT 3, s.project_id FROM billstack_internal.project_subscription AS s
                WHERE s.integration_id = $1 AND s.stripe_subscription_id = n.subscription
                UNION ALL
               SELECT 4, v.project_id FROM billstack_internal.project_invoice AS v
                WHERE v.integration_id = $1 AND v.stripe_invoice_id = n.invoice
                UNION ALL
               SELECT 5, y.project_id FROM billstack_internal.project_payment AS y
                WHERE y.integration_id = $1 AND y.stripe_payment_id = coalesce(n.payment_intent, n.charge)
                UNION ALL
               SELECT 6, min(p.id) FROM billstack_internal.project_price AS q
                 JOIN billstack_internal.project AS p ON p.id = q.project_id)" BILLSTACK_LINKED R"(
                WHERE n.kind = 'price' AND q.stripe_price_id = n.id AND NOT q.stale
               HAVING count(DISTINCT p.id) = 1
                UNION ALL
               SELECT 7, min(p.id) FROM billstack_internal.project_product AS q
                 JOIN billstack_internal.project AS p ON p.id = q.project_id)" BILLSTACK_LINKED R"(
                WHERE q.stripe_product_id = CASE n.kind WHEN 'product' THEN n.id ELSE n.product END
                  AND NOT q.stale
               HAVING count(DISTINCT p.id) = 1
                UNION ALL
               SELECT 8, min(p.id) FROM billstack_internal.project_customer AS q
                 JOIN billstack_internal.project AS p ON p.id = q.project_id)" BILLSTACK_LINKED R"(
                WHERE q.stripe_customer_id = n.customer AND NOT q.stale
               HAVING count(DISTINCT p.id) = 1) AS x
        WHERE x.place = 1 OR x.project_id IS NOT NULL
        ORDER BY x.place LIMIT 1) AS r ON true
  LEFT JOIN billstack_internal.project AS p ON p.id = r.project_id)" BILLSTACK_LINKED};

} // namespace

StripeIds route_subscriptions(std::int32_t integration_id, const StripeIds &ids) {
    return route(subscriptions, integration_id, ids, {});
}

StripeIds route_invoices(std::int32_t integration_id, const StripeIds &ids,
                         const StripeIds &of_subscriptions) {
    return route(invoices, integration_id, ids, of_subscriptions);
}

StripeIds route_payments(std::int32_t integration_id, const StripeIds &ids,
                         const StripeIds &of_invoices) {
    return route(payments, integration_id, ids, of_invoices);
}

StripeIds unrouted_of_customers(std::int32_t integration_id, Part part,
                                const StripeIds &customers) {
    InternalAccess access;
    ByIndex by_index;
    Statement &statement = part == Part::subscriptions ? subscriptions_of_customers
                           : part == Part::invoices    ? invoices_of_customers
                                                       : payments_of_customers;
    return texts_of(statement.run_renewed({param(integration_id), param_text_array(customers)}));
}

StripeIds unrouted_of_prices(std::int32_t integration_id, Part part, const StripeIds &prices) {
    if (part == Part::payments) {
        return {};
    }
    InternalAccess access;
    ByIndex by_index;
    Statement &statement =
        part == Part::subscriptions ? subscriptions_of_prices : invoices_of_prices;
    return texts_of(statement.run_renewed({param(integration_id), param_text_array(prices)}));
}

StripeIds next_unrouted(std::int32_t integration_id, Part part, const std::string &after,
                        int limit) {
    InternalAccess access;
    ByIndex by_index;
    Statement &statement = part == Part::subscriptions ? next_subscriptions
                           : part == Part::invoices    ? next_invoices
                                                       : next_payments;
    return texts_of(statement.run(
        {param(integration_id), param(after), param(static_cast<std::int64_t>(limit))}));
}

void route_ledger(std::int32_t integration_id, Part part, const StripeIds &ids) {
    InternalAccess access;
    ByIndex by_index;
    Statement &statement = part == Part::subscriptions ? subscriptions_in_ledger
                           : part == Part::invoices    ? invoices_in_ledger
                                                       : payments_in_ledger;
    (void)statement.run_renewed({param(integration_id), param_text_array(ids)});
}

std::vector<ObjectRoute> routes_of(std::int32_t integration_id, const std::string &names) {
    InternalAccess access;
    ByIndex by_index;
    Rows rows = select_routes.run_renewed({param(integration_id), param(names)});
    std::vector<ObjectRoute> routes;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        routes.push_back({rows.text(row, 1), rows.text(row, 2), rows.optional_text(row, 3)});
    }
    return routes;
}

} // namespace billstack::pg
