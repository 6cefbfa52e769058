#include "pg/projects/routing_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/index_lookup.hpp"

#include <iterator>

namespace billstack::pg {

namespace {

// Columns of a look-up; what a table has not is left out at the end.
enum Place {
    place_id,
    place_key,
    place_project,
    place_strength,
    place_customer_id,
    place_customer,
    place_metadata,
    place_named,
    place_parent, // of a subscription: the price
    place_prices,
    place_price_id,
};

#define BILLSTACK_SUBSCRIPTION                                                                     \
    {                                                                                              \
        "id", "stripe_subscription_id", "project_id", "routed_by", "customer_id",                  \
            "stripe_customer_id", "metadata_project", "named_project", "stripe_price_id",          \
            "stripe_price_ids", "price_id"                                                         \
    }
#define BILLSTACK_INVOICE                                                                          \
    {                                                                                              \
        "id", "stripe_invoice_id", "project_id", "routed_by", "customer_id", "stripe_customer_id", \
            "metadata_project", "named_project", "stripe_subscription_id", "stripe_price_ids"      \
    }
#define BILLSTACK_PAYMENT                                                                          \
    {                                                                                              \
        "id", "stripe_payment_id", "project_id", "routed_by", "customer_id", "stripe_customer_id", \
            "metadata_project", "named_project", "stripe_invoice_id"                               \
    }

// One of the three tables that are routed, by the keys of the integration: its own, of what it
// hangs on, of its customer.
struct Routed {
    bool has_prices;
    bool has_price_id;
    Routed *parent;
    IndexLookup by_key;
    IndexLookup by_parent;
    IndexLookup by_customer;
    Statement update;
};

#define BILLSTACK_UPDATE_ROUTES(table, set_price)                                                  \
    "UPDATE billstack_internal." table " AS t SET project_id = d.project,"                         \
    " routed_by = d.strength::numeric, customer_id = d.customer" set_price ", updated_at = now()"  \
    " FROM unnest($1, $2, $3, $4, $5) AS d (id, project, strength, customer, price)"               \
    " WHERE t.id = d.id"

constinit Routed subscriptions{
    true,
    true,
    nullptr,
    {"project_subscription", "project_subscription_stripe_key", BILLSTACK_SUBSCRIPTION},
    {"project_subscription", "project_subscription_stripe_key", BILLSTACK_SUBSCRIPTION},
    {"project_subscription", "project_subscription_stripe_customer_idx", BILLSTACK_SUBSCRIPTION},
    {BILLSTACK_UPDATE_ROUTES("project_subscription", ", price_id = d.price")}};
constinit Routed invoices{
    true,
    false,
    &subscriptions,
    {"project_invoice", "project_invoice_stripe_key", BILLSTACK_INVOICE},
    {"project_invoice", "project_invoice_subscription_idx", BILLSTACK_INVOICE},
    {"project_invoice", "project_invoice_stripe_customer_idx", BILLSTACK_INVOICE},
    {BILLSTACK_UPDATE_ROUTES("project_invoice", "")}};
constinit Routed payments{
    false,
    false,
    &invoices,
    {"project_payment", "project_payment_stripe_key", BILLSTACK_PAYMENT},
    {"project_payment", "project_payment_invoice_idx", BILLSTACK_PAYMENT},
    {"project_payment", "project_payment_stripe_customer_idx", BILLSTACK_PAYMENT},
    {BILLSTACK_UPDATE_ROUTES("project_payment", "")}};

Routed &routed_of(Part part) {
    return part == Part::subscriptions ? subscriptions
           : part == Part::invoices    ? invoices
                                       : payments;
}

// "p" is a project that counts: of the integration's own team and linked to it.
#define BILLSTACK_TEAM "(SELECT i.team FROM billstack_internal.integration AS i WHERE i.id = $1)"
#define BILLSTACK_LINKED " AND p.integration_id = $1 AND p.team = " BILLSTACK_TEAM

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

// A row as it stands; copies in the current memory context.
struct FoundRow {
    const char *texts[place_price_id + 1];
    Datum prices; // 0: none
};

const char *not_null(const char *text) {
    return text == nullptr ? "" : text;
}

FoundRow copy_of(const Routed &routed, const IndexRow &row) {
    FoundRow copy{};
    for (int place = place_id; place <= place_parent; ++place) {
        if (place != place_strength) {
            copy.texts[place] = not_null(row.text_copy(place));
        }
    }
    bool null = true;
    Datum strength = row.value(place_strength, null);
    copy.texts[place_strength] =
        null ? "" : DatumGetCString(DirectFunctionCall1(numeric_out, strength));
    copy.texts[place_price_id] = routed.has_price_id ? not_null(row.text_copy(place_price_id)) : "";
    if (routed.has_prices) {
        Datum prices = row.value(place_prices, null);
        copy.prices = null ? 0 : PointerGetDatum(PG_DETOAST_DATUM_COPY(prices));
    }
    return copy;
}

using FoundRows = std::vector<FoundRow>;

void look_up(Routed &routed, IndexLookup &lookup, std::int32_t integration_id,
             const std::string &key, Snapshot snapshot, FoundRows &rows) {
    IndexKey keys[] = {{Int32GetDatum(integration_id), F_INT4EQ}, {text_datum(key), F_TEXTEQ}};
    (void)lookup.find(keys, 2, snapshot, [&](const IndexRow &row) {
        FoundRow copy = copy_of(routed, row);
        rows.push_back(copy);
        return false;
    });
}

// "3.34000", "4", "".
RouteStrength strength_of(std::string_view text) {
    auto digit = [&](std::size_t at) { return at < text.size() ? text[at] - '0' : 0; };
    return text.empty() ? 0 : digit(0) * 100 + digit(2) * 10 + digit(3);
}

// The same the other way.
std::string strength_text(const RowRoute &route) {
    std::string text = std::to_string(route.strength / 100);
    if (route.strength % 100 != 0) {
        text += "." + std::to_string(route.strength % 100 / 10);
    }
    if (route.strength % 10 != 0) {
        text += std::to_string(route.strength % 10);
    }
    return route.strength == 0 ? std::string() : text;
}

RowRoute route_of(const FoundRow &row) {
    return {row.texts[place_project], strength_of(row.texts[place_strength]),
            row.texts[place_customer_id], row.texts[place_price_id]};
}

RouteInputs inputs_of(const Routed &routed, const FoundRow &row) {
    RouteInputs inputs;
    inputs.customer = row.texts[place_customer];
    inputs.metadata_project = row.texts[place_metadata];
    inputs.named_project = row.texts[place_named];
    if (row.prices != 0) {
        inputs.prices = text_array_of(row.prices);
    }
    if (routed.has_price_id) {
        inputs.price = row.texts[place_parent];
    }
    return inputs;
}

// Routes that have changed, as the columns of an update.
struct Updates {
    std::vector<std::string> ids;
    std::vector<RowRoute> routes;
};

void update(Routed &routed, const Updates &updates) {
    if (updates.ids.empty()) {
        return;
    }
    RouteColumns columns = columns_of(updates.routes);
    (void)routed.update.run_renewed({param_text_array(updates.ids), columns.project,
                                     columns.strength, columns.customer, columns.price});
}

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

RouteColumns columns_of(const std::vector<RowRoute> &routes) {
    auto column = [&](auto text_of_route) {
        std::vector<std::optional<std::string>> texts;
        for (const RowRoute &route : routes) {
            std::string text = text_of_route(route);
            texts.push_back(text.empty() ? std::nullopt : std::optional(std::move(text)));
        }
        return param_text_array(texts);
    };
    return {column([](const RowRoute &route) { return route.project; }), column(strength_text),
            column([](const RowRoute &route) { return route.customer; }),
            column([](const RowRoute &route) { return route.price; })};
}

void find_parent(std::int32_t integration_id, Part part, ProjectFinder &finder,
                 const std::string &parent, RouteInputs &inputs) {
    Routed *routed = routed_of(part).parent;
    if (routed == nullptr || parent.empty()) {
        return;
    }
    FoundRows rows;
    look_up(*routed, routed->by_key, integration_id, parent, finder.snapshot(), rows);
    inputs.has_parent = !rows.empty();
    if (inputs.has_parent) {
        RowRoute route = route_of(rows.front());
        inputs.parent_project = route.project;
        inputs.parent_strength = route.strength;
    }
}

bool has_row(std::int32_t integration_id, Part part, ProjectFinder &finder, const std::string &id) {
    IndexKey keys[] = {{Int32GetDatum(integration_id), F_INT4EQ}, {text_datum(id), F_TEXTEQ}};
    return routed_of(part).by_key.find(keys, 2, finder.snapshot(),
                                       [](const IndexRow &) { return true; });
}

StripeIds route_rows(std::int32_t integration_id, Part part, const StripeIds &ids,
                     const StripeIds &of_parents) {
    InternalAccess access;
    ProjectFinder finder(integration_id);
    Routed &routed = routed_of(part);
    FoundRows rows;
    for (const std::string &id : ids) {
        look_up(routed, routed.by_key, integration_id, id, finder.snapshot(), rows);
    }
    for (const std::string &parent : of_parents) {
        look_up(routed, routed.by_parent, integration_id, parent, finder.snapshot(), rows);
    }
    Updates updates;
    StripeIds moved;
    std::set<std::string_view> seen; // of both lists
    for (const FoundRow &row : rows) {
        if (!seen.insert(row.texts[place_id]).second) {
            continue;
        }
        RouteInputs inputs = inputs_of(routed, row);
        find_parent(integration_id, part, finder, row.texts[place_parent], inputs);
        RowRoute before = route_of(row);
        bool has_moved = false;
        RowRoute route = finder.route(inputs, before, has_moved);
        if (route != before) {
            updates.ids.emplace_back(row.texts[place_id]);
            updates.routes.push_back(route);
        }
        if (has_moved) {
            moved.emplace_back(row.texts[place_key]);
        }
    }
    ByIndex by_index;
    update(routed, updates);
    return moved;
}

StripeIds unrouted_of_customers(std::int32_t integration_id, Part part,
                                const StripeIds &customers) {
    InternalAccess access;
    ProjectFinder finder(integration_id);
    Routed &routed = routed_of(part);
    StripeIds ids;
    for (const std::string &customer : customers) {
        if (!finder.owns_customer(customer)) {
            continue; // no project's: it tells nothing
        }
        FoundRows rows;
        look_up(routed, routed.by_customer, integration_id, customer, finder.snapshot(), rows);
        for (const FoundRow &row : rows) {
            if (*row.texts[place_project] == '\0' || *row.texts[place_customer_id] == '\0') {
                ids.emplace_back(row.texts[place_key]);
            }
        }
    }
    return ids;
}

StripeIds unrouted_of_prices(std::int32_t integration_id, Part part, const StripeIds &prices) {
    if (part == Part::payments) {
        return {};
    }
    InternalAccess access;
    ByIndex by_index;
    StripeIds owned;
    {
        ProjectFinder finder(integration_id);
        std::copy_if(prices.begin(), prices.end(), std::back_inserter(owned),
                     [&](const std::string &price) { return finder.owns_price(price); });
    }
    if (owned.empty()) {
        return {};
    }
    Statement &statement =
        part == Part::subscriptions ? subscriptions_of_prices : invoices_of_prices;
    return texts_of(statement.run_renewed({param(integration_id), param_text_array(owned)}));
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
