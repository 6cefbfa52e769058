// The reading side of projection_store.hpp. "@name@" stands for the table of that kind, or, where
// the mirror has none, for a query of its columns without rows; "@raw x@" for the document of table
// x in a form that can be read whatever it holds.
#include "pg/projects/projection_store.hpp"

#include "pg/access/internal_access.hpp"

namespace billstack::pg {

namespace {

constexpr const char *read_customers = R"(
SELECT c.id, c.email, c.name, c._deleted_at IS NOT NULL OR c.deleted IS TRUE AS deleted
  FROM @customer@ AS c WHERE c.id = ANY ($1))";

constexpr const char *read_products = R"(
SELECT p.id, p.name, p.description, p.active IS TRUE AND p._deleted_at IS NULL AS active
  FROM @product@ AS p WHERE p.id = ANY ($1))";

constexpr const char *read_prices = R"(
SELECT p.id, p.active IS TRUE AND p._deleted_at IS NULL AS active
  FROM @price@ AS p WHERE p.id = ANY ($1))";

// Per item: amount x quantity a month (docs/billing.md, "Monthly recurring revenue"); the price is
// the one inside the item, which Stripe always writes out. The first item is the first of the
// subscription's own list. $2 and $3: some by their ids, and what is wanted of their bytes.
// Discounts: by their coupon where the object or the mirror has it, else by what the latest invoice
// took off for the same discount.
constexpr const char *read_subscriptions = R"(
SELECT NULL::text AS parent, s.id, s.created, s.customer,
       CASE WHEN s._deleted_at IS NULL THEN coalesce(s.status, 'incomplete') ELSE 'canceled' END AS status,
       s.currency, s.cancel_at_period_end IS TRUE AS cancel_at_period_end, s.current_period_start,
       s.current_period_end, s.trial_end, s.cancel_at,
       coalesce(s.canceled_at, s._deleted_at) AS canceled_at, s.start_date AS started_at,
       coalesce(s.ended_at, s._deleted_at) AS ended_at,
       CASE WHEN jsonb_typeof(s.metadata) = 'object' THEN s.metadata ELSE '{}' END AS metadata,
       s.metadata ->> 'project_id' AS metadata_project,
       (SELECT c.metadata ->> 'project_id' FROM @checkout_session@ AS c
         WHERE c.subscription = s.id AND c.metadata ->> 'project_id' IS NOT NULL
         ORDER BY c.created, c.id LIMIT 1) AS named_project,
       i.price, i.quantity, i.prices, i.mrr,
       CASE WHEN i.mrr IS NOT NULL
            THEN trim_scale(round(greatest(0, i.mrr * d.kept - d.off * i.monthly), 6)) END AS mrr_discounted
  FROM @subscription@ AS s
 CROSS JOIN LATERAL json_to_record(coalesce($3[array_position($2, s.id)]::json, @raw s@))
       AS r (items json, discount json, discounts json)
 CROSS JOIN LATERAL (
       SELECT array_agg(DISTINCT a.price) FILTER (WHERE a.price IS NOT NULL) AS prices,
              (array_agg(a.price ORDER BY a.is_first DESC NULLS LAST, a.created, a.id))[1] AS price,
              (array_agg(a.quantity ORDER BY a.is_first DESC NULLS LAST, a.created, a.id))[1] AS quantity,
              coalesce((array_agg(a.monthly ORDER BY a.is_first DESC NULLS LAST, a.created, a.id))[1], 1) AS monthly,
              CASE WHEN count(*) > 0 AND count(*) = count(a.amount)
                   THEN trim_scale(round(sum(a.amount), 6)) END AS mrr
         FROM (SELECT i.id, i.created, i.price, i.quantity, m.monthly,
                      i.id = (r.items #>> '{data,0,id}') AS is_first,
                      CASE WHEN coalesce(q.usage_type, p.usage_type) = 'metered' THEN 0
                           ELSE u.unit * m.monthly
                                * CASE WHEN t.divide_by > 0 AND t.round = 'up'
                                            THEN ceil(coalesce(i.quantity, 1) / t.divide_by)
                                       WHEN t.divide_by > 0
                                            THEN floor(coalesce(i.quantity, 1) / t.divide_by)
                                       ELSE coalesce(i.quantity, 1) END END AS amount
                 FROM @subscription_item@ AS i
                CROSS JOIN LATERAL json_to_record(@raw i@) AS o (price json, plan json)
                CROSS JOIN LATERAL json_to_record(
                      CASE WHEN json_typeof(o.price) = 'object' THEN o.price
                           WHEN json_typeof(o.plan) = 'object' THEN o.plan ELSE '{}' END)
                      AS p (unit_amount_decimal text, unit_amount text, amount_decimal text,
                            amount text, recurring json, "interval" text, interval_count numeric,
                            usage_type text, transform_quantity json, transform_usage json)
                CROSS JOIN LATERAL json_to_record(
                      CASE WHEN json_typeof(p.recurring) = 'object' THEN p.recurring ELSE '{}' END)
                      AS q ("interval" text, interval_count numeric, usage_type text)
                CROSS JOIN LATERAL json_to_record(
                      CASE WHEN json_typeof(p.transform_quantity) = 'object' THEN p.transform_quantity
                           WHEN json_typeof(p.transform_usage) = 'object' THEN p.transform_usage
                           ELSE '{}' END) AS t (divide_by numeric, round text)
                CROSS JOIN LATERAL (
                      SELECT CASE coalesce(q."interval", p."interval")
                             WHEN 'month' THEN 1::numeric WHEN 'year' THEN 1 / 12::numeric
                             WHEN 'week' THEN 52 / 12::numeric WHEN 'day' THEN 365 / 12::numeric END
                             / nullif(coalesce(q.interval_count, p.interval_count, 1), 0)) AS m (monthly)
                CROSS JOIN LATERAL (
                      SELECT CASE WHEN w.word ~ '^-?[0-9]{1,20}(\.[0-9]{1,20})?$'
                                  THEN w.word::numeric END
                        FROM (SELECT coalesce(p.unit_amount_decimal, p.unit_amount, p.amount_decimal,
                                              p.amount)) AS w (word)) AS u (unit)
                WHERE i.subscription = s.id
                  AND (i._deleted_at IS NULL OR i._deleted_at = s._deleted_at)) AS a) AS i
 CROSS JOIN LATERAL (
       SELECT CASE WHEN bool_or(k.percent >= 100) THEN 0
                   ELSE coalesce(exp(sum(ln(CASE WHEN k.percent < 100 THEN 1 - k.percent / 100 END))), 1) END AS kept,
              coalesce(sum(k.off), 0) AS off
         FROM json_array_elements(
              CASE WHEN json_typeof(r.discounts) = 'array' AND r.discounts::text <> '[]' THEN r.discounts
                   WHEN json_typeof(r.discount) = 'object' THEN json_build_array(r.discount)
                   ELSE '[]' END) AS e (value)
        CROSS JOIN LATERAL json_to_record(
              CASE WHEN json_typeof(e.value) = 'object' THEN e.value ELSE '{}' END)
              AS x (id text, "end" bigint, coupon json, source json)
        CROSS JOIN LATERAL (SELECT CASE WHEN json_typeof(x.coupon) IN ('object', 'string')
                                        THEN x.coupon ELSE x.source -> 'coupon' END) AS y (coupon)
        CROSS JOIN LATERAL json_to_record(
              CASE WHEN json_typeof(y.coupon) = 'object' THEN y.coupon ELSE '{}' END)
              AS z (percent_off numeric, amount_off numeric, duration text, currency text)
         LEFT JOIN @coupon@ AS c ON json_typeof(y.coupon) = 'string' AND c.id = y.coupon #>> '{}'
        CROSS JOIN LATERAL (
              SELECT CASE WHEN coalesce(z.duration, c.duration) IS NOT NULL
                          THEN coalesce(z.percent_off, c.percent_off) END,
                     CASE WHEN coalesce(z.duration, c.duration) IS NULL THEN
                               (SELECT sum((b.value ->> 'amount')::numeric)
                                  FROM @invoice_line_item@ AS l
                                 CROSS JOIN LATERAL json_array_elements(
                                       CASE WHEN json_typeof(@raw l@ -> 'discount_amounts') = 'array'
                                            THEN @raw l@ -> 'discount_amounts' ELSE '[]' END) AS b (value)
                                 WHERE l.invoice = s.latest_invoice AND l._deleted_at IS NULL
                                   AND l.proration IS NOT TRUE
                                   AND b.value ->> 'discount' = coalesce(x.id, e.value #>> '{}'))
                          WHEN coalesce(z.currency, c.currency) = s.currency
                          THEN coalesce(z.amount_off, c.amount_off) END) AS k (percent, off)
        WHERE coalesce(z.duration, c.duration, '') <> 'once'
          AND (x."end" IS NULL OR to_timestamp(x."end") > now())) AS d
 WHERE s.id = ANY ($1))";

// named_project is in its details.
constexpr const char *read_invoices = R"(
SELECT v.id, v.created, v.customer, v.subscription, v.subscription AS parent, v.number,
       CASE WHEN v._deleted_at IS NULL THEN v.status ELSE 'deleted' END AS status, v.currency,
       v.amount_due, v.amount_paid, v.attempted IS TRUE OR v.attempt_count > 0 AS attempted,
       v.invoice_pdf, v.hosted_invoice_url, v.due_date, v.paid_at,
       v.metadata ->> 'project_id' AS metadata_project, NULL::text AS named_project,
       ARRAY(SELECT DISTINCT l.price FROM @invoice_line_item@ AS l
              WHERE l.invoice = v.id AND l.price IS NOT NULL AND l._deleted_at IS NULL) AS prices,
       NULL::text AS price
  FROM @invoice@ AS v
 WHERE v.id = ANY ($1))";

// $2: those whose bytes are at hand.
constexpr const char *read_invoice_details = R"(
SELECT v.id::text, v.subscription::text, coalesce(v.payment_intent, v.charge)::text,
       CASE WHEN v.id = ANY ($2) THEN NULL ELSE v._raw::text END
  FROM @invoice@ AS v WHERE v.id = ANY ($1))";

// Of several charges of an intent the one that the intent names counts, else the newest. What is
// refunded: whatever the charges say, or, when they say less, the refunds.
constexpr const char *read_payments = R"(
SELECT '{}'::text[] AS prices, NULL::text AS price, k.id, coalesce(p.created, c.created) AS created, coalesce(p.customer, c.customer) AS customer,
       CASE WHEN k.id = c.id THEN NULL ELSE k.id END AS payment_intent,
       coalesce(c.id, p.latest_charge) AS charge,
       coalesce(p.invoice, c.invoice,
                (SELECT v.id FROM @invoice@ AS v WHERE v.payment_intent = k.id ORDER BY v.created, v.id LIMIT 1),
                (SELECT ip.invoice FROM @invoice_payment@ AS ip WHERE ip.payment_intent = k.id
                  ORDER BY ip.created, ip.id LIMIT 1)) AS invoice,
       coalesce(CASE WHEN p.status = 'succeeded' THEN nullif(p.amount_received, 0) END, p.amount,
                CASE WHEN c.captured THEN nullif(c.amount_captured, 0) END, c.amount, 0) AS amount,
       greatest(c.given_back, (SELECT sum(f.amount) FROM @refund@ AS f
                              WHERE (f.payment_intent = k.id OR f.charge = k.id)
                                AND f.status IN ('succeeded', 'pending', 'requires_action')
                                AND f._deleted_at IS NULL), 0) AS amount_refunded,
       coalesce(p.currency, c.currency) AS currency,
       coalesce(p.status, CASE WHEN c.status = 'succeeded' AND c.captured IS FALSE
                               THEN 'requires_capture' ELSE c.status END) AS status,
       CASE WHEN p.status IS DISTINCT FROM 'succeeded'
            THEN coalesce(c.failure_code, p.last_payment_error_code) END AS failure_code,
       CASE WHEN p.status IS DISTINCT FROM 'succeeded'
            THEN coalesce(c.failure_message, CASE WHEN p.last_payment_error_code IS NOT NULL
                 THEN @raw p@ #>> '{last_payment_error,message}' END) END AS failure_message,
       CASE WHEN p.id IS NULL THEN c.metadata ELSE p.metadata END ->> 'project_id' AS metadata_project,
       coalesce((SELECT s.metadata ->> 'project_id' FROM @checkout_session@ AS s
                  WHERE s.payment_intent = k.id AND s.metadata ->> 'project_id' IS NOT NULL
                  ORDER BY s.created, s.id LIMIT 1),
                c.metadata ->> 'project_id') AS named_project
  FROM unnest($1) AS k (id)
  LEFT JOIN @payment_intent@ AS p ON p.id = k.id
  LEFT JOIN LATERAL (
       SELECT h.*, sum(h.amount_refunded) OVER () AS given_back FROM @charge@ AS h
        WHERE h.payment_intent = k.id OR h.id = k.id
        ORDER BY h.id = p.latest_charge DESC NULLS LAST, h.created DESC NULLS LAST, h.id LIMIT 1) AS c ON true
 WHERE coalesce(p.created, c.created) IS NOT NULL)";

struct Hanging {
    const char *kind;
    const char *sql; // part ("s", "p") and id
};

constexpr Hanging hanging[] = {
    {"charge",
     "SELECT 'p', coalesce(c.payment_intent, c.id) FROM @charge@ AS c WHERE c.id = ANY ($1)"},
    {"refund",
     "SELECT 'p', coalesce(f.payment_intent, f.charge) FROM @refund@ AS f WHERE f.id = ANY ($1)"},
    {"invoice_payment",
     "SELECT 'p', coalesce(i.payment_intent, i.charge) FROM @invoice_payment@ AS i"
     " WHERE i.id = ANY ($1)"},
    {"checkout_session", "SELECT u.part, u.id FROM @checkout_session@ AS c CROSS JOIN LATERAL"
                         " (VALUES ('s', c.subscription), ('p', c.payment_intent)) AS u (part, id)"
                         " WHERE c.id = ANY ($1)"},
};

const stripe::Kind &kind_named(std::string_view name) {
    for (const stripe::Kind *kind : stripe::all_kinds()) {
        if (kind->name == name) {
            return *kind;
        }
        for (const stripe::ChildList &list : kind->children) {
            if (list.kind->name == name) {
                return *list.kind;
            }
        }
    }
    throw core::Error(core::Code::internal, "no kind " + std::string(name));
}

bool is_default(const stripe::Kind &kind) {
    for (const stripe::Kind *parent : stripe::all_kinds()) {
        for (const stripe::ChildList &list : parent->children) {
            if (list.kind == &kind && parent->is_default) {
                return true;
            }
        }
    }
    return kind.is_default;
}

std::string no_rows(const stripe::Kind &kind) {
    std::string columns;
    for (const sync::MirrorColumn &column : sync::mirror_columns(kind, false)) {
        columns += (columns.empty() ? "" : ", ") + ("NULL::" + column.type) + " AS " +
                   sync::quote_identifier(column.name);
    }
    return "(SELECT " + columns + " WHERE false)";
}

constexpr std::string_view raw_of = "raw ";

std::string with_tables(std::string_view text, const MirrorReader &mirror) {
    std::string sql;
    for (bool is_name = false;; is_name = !is_name) {
        std::size_t end = text.find('@');
        std::string_view piece = text.substr(0, end);
        if (!is_name) {
            sql += piece;
        } else if (piece.starts_with(raw_of)) {
            sql += "(" + sync::readable_raw(piece.substr(raw_of.size())) + ")";
        } else {
            const stripe::Kind &kind = kind_named(piece);
            bool there = is_default(kind) || mirror.kinds.contains(std::string(piece));
            sql += there ? sync::quote_identifier(mirror.schema) + "." +
                               sync::quote_identifier(kind.table)
                         : no_rows(kind);
        }
        if (end == std::string_view::npos) {
            return sql;
        }
        text.remove_prefix(end + 1);
    }
}

const char *text_of_part(Part part) {
    switch (part) {
    case Part::customers:
        return read_customers;
    case Part::products:
        return read_products;
    case Part::prices:
        return read_prices;
    case Part::subscriptions:
        return read_subscriptions;
    case Part::invoices:
        return read_invoices;
    case Part::payments:
        break;
    }
    return read_payments;
}

struct KeptPlan {
    SPIPlanPtr plan = nullptr;
    std::uint64_t runs = 0;
};

// How many reads are under way: what a mirror's owner has put in the way (a view, a policy) may
// call functions of ours that read a mirror too.
int reads_open = 0;

class OpenRead {
  public:
    OpenRead() { ++reads_open; }
    ~OpenRead() { --reads_open; }
    OpenRead(const OpenRead &) = delete;
    OpenRead &operator=(const OpenRead &) = delete;
};

// Plans of this process, by their text; thrown away together when there are too many.
SPIPlanPtr kept_plan(const std::string &sql, const std::vector<Param> &params) {
    constexpr std::size_t most = 500;
    static auto &plans = *new std::map<std::string, KeptPlan>(); // lives as long as the process
    bool alone = reads_open == 1;                                // no plan is in use
    if (alone && plans.size() >= most && !plans.contains(sql)) {
        for (auto &[text, kept] : plans) {
            SPIPlanPtr old = kept.plan;
            call([&] { SPI_freeplan(old); });
        }
        plans.clear();
    }
    KeptPlan &kept = plans[sql];
    if (alone) {
        renew_plan(kept.plan, kept.runs);
    }
    if (kept.plan == nullptr) {
        std::vector<Oid> types;
        for (const Param &each : params) {
            types.push_back(each.type);
        }
        kept.plan = keep_plan(sql, types);
    }
    return kept.plan;
}

// The newest snapshot as the one of the statement: REPEATABLE READ would not see what was committed
// before the lock was had.
class LatestSnapshot {
  public:
    explicit LatestSnapshot(bool wanted)
        : pushed_(wanted && IsolationUsesXactSnapshot()), exceptions_(std::uncaught_exceptions()) {
        if (pushed_) {
            call([] { PushActiveSnapshot(GetLatestSnapshot()); });
        }
    }
    ~LatestSnapshot() {
        if (pushed_ && std::uncaught_exceptions() == exceptions_) {
            PopActiveSnapshot();
        }
    }
    LatestSnapshot(const LatestSnapshot &) = delete;
    LatestSnapshot &operator=(const LatestSnapshot &) = delete;
    bool pushed() const { return pushed_; }

  private:
    bool pushed_;
    int exceptions_;
};

// The project that the subscription's metadata named, as the invoice knew them, and whether any
// discount was taken off.
void read_details(std::string_view bytes, InvoiceDetails &details) {
    static constexpr std::string_view paths[] = {"parent.subscription_details.metadata.project_id",
                                                 "subscription_details.metadata.project_id",
                                                 "total_discount_amounts.0"};
    static const auto &reader = *new json::PathReader(paths);
    std::array<json::Token, 3> found;
    try {
        reader.read(bytes, found);
    } catch (const core::Error &) { // whatever its owner has put there
        return;
    }
    const json::Token &named = found[0].kind == json::TokenKind::string ? found[0] : found[1];
    if (named.kind == json::TokenKind::string) {
        details.named_project = json::unescaped(named.text);
    }
    details.discounted = found[2].kind != json::TokenKind::absent;
}

constexpr int first_column = 5; // after the id, the parent, the price and the prices

std::string text_at(const PartTable &table, const std::vector<PartColumn> &columns,
                    std::string_view name, std::size_t row) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].from == name) {
            return table.nulls[i][row] ? std::string() : text_of(table.values[i][row]);
        }
    }
    return {};
}

PartTable table_of(Part part, const Rows &rows, const InvoicesDetails &invoices) {
    const std::vector<PartColumn> &columns = part_columns(part);
    PartTable table;
    table.values.resize(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
        table.nulls.push_back(std::make_unique<bool[]>(rows.size()));
    }
    std::size_t created = columns.size() - 1;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        if (rows.is_null(row, first_column + static_cast<int>(created))) {
            continue; // not in the query: an index on that column would look better there than
                      // the one on the ids while the tables are small
        }
        std::size_t place = table.ids.size();
        table.ids.push_back(rows.text(row, 1));
        table.parents.push_back(rows.text(row, 2));
        auto detail = part == Part::invoices ? invoices.find(table.ids.back()) : invoices.end();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            Datum value =
                rows.value(row, first_column + static_cast<int>(i), table.nulls[i][place]);
            if (detail != invoices.end() && std::string_view(columns[i].from) == "named_project" &&
                !detail->second.named_project.empty()) {
                value = text_datum(detail->second.named_project);
                table.nulls[i][place] = false;
            }
            table.values[i].push_back(value);
        }
        RouteInputs &inputs = table.inputs.emplace_back();
        inputs.customer = text_at(table, columns, "customer", place);
        inputs.metadata_project = text_at(table, columns, "metadata_project", place);
        inputs.named_project = text_at(table, columns, "named_project", place);
        inputs.price = rows.text(row, 3);
        inputs.prices = rows.text_array(row, 4);
    }
    return table;
}

} // namespace

Rows MirrorReader::run(const std::string &sql, const std::vector<Param> &params) const {
    UserContext user(owner, UserContext::Rights::restricted);
    LocalSetting by_index("enable_seqscan", "off");
    LocalSetting by_loop("enable_hashjoin", "off");
    LocalSetting no_merge("enable_mergejoin", "off");
    LocalSetting generic("plan_cache_mode", "force_generic_plan"); // planning takes longer
    LocalSetting backslashes("standard_conforming_strings", "on"); // the caller's may be off
    LatestSnapshot snapshot(latest);
    OpenRead open;
    return run_plan(kept_plan(with_tables(sql, *this), params), params, snapshot.pushed());
}

std::string MirrorReader::read_owned(Part part, const std::vector<std::string> &ids) const {
    Rows rows = run("SELECT coalesce(json_agg(x), '[]')::text FROM (" +
                        std::string(text_of_part(part)) + ") AS x",
                    {param_text_array(ids)});
    return rows.empty() ? "[]" : rows.text(0, 1);
}

namespace {

// What read_subscriptions wants of the bytes at hand.
std::vector<Param> subscription_params(const std::vector<std::string> &ids,
                                       const KnownBytes &known) {
    static constexpr std::string_view paths[] = {"items.data.0.id", "discount", "discounts"};
    static const auto &reader = *new json::PathReader(paths);
    std::vector<std::string> at_hand;
    std::vector<std::string> documents;
    for (const std::string &id : ids) {
        auto bytes = known.find(id);
        if (bytes == known.end()) {
            continue;
        }
        std::array<json::Token, 3> found;
        reader.read(bytes->second, found);
        auto fits = [](const json::Token &token) { return !json::needs_cleaning(token.text); };
        if (found[0].kind != json::TokenKind::string || found[0].escaped || !fits(found[1]) ||
            !fits(found[2])) {
            continue; // the statement reads it
        }
        std::string document =
            R"({"items":{"data":[{"id":")" + std::string(found[0].text) + "\"}]}";
        for (int i : {1, 2}) {
            bool has =
                found[i].kind == json::TokenKind::object || found[i].kind == json::TokenKind::array;
            document +=
                has ? ",\"" + std::string(paths[i]) + "\":" + std::string(found[i].text) : "";
        }
        at_hand.push_back(id);
        documents.push_back(document + "}");
    }
    return {param_text_array(ids), param_text_array(at_hand), param_text_array(documents)};
}

} // namespace

PartTable MirrorReader::read(Part part, const std::vector<std::string> &ids,
                             const InvoicesDetails &invoices, const KnownBytes &known) const {
    const std::vector<PartColumn> &columns = part_columns(part);
    std::string parent = part == Part::payments ? "x.invoice" : "x.parent";
    std::string sql = "SELECT x.id::text, " + parent + "::text, x.price::text, x.prices::text[]";
    for (const PartColumn &column : columns) {
        sql += std::string(", x.") + column.from + "::" + column.type;
    }
    Rows rows = run(sql + " FROM (" + text_of_part(part) + ") AS x",
                    part == Part::subscriptions ? subscription_params(ids, known)
                                                : std::vector<Param>{param_text_array(ids)});
    return table_of(part, rows, invoices);
}

InvoicesDetails MirrorReader::invoice_details(const std::vector<std::string> &ids,
                                              const KnownBytes &known) const {
    std::vector<std::string> at_hand;
    for (const std::string &id : ids) {
        if (known.contains(id)) {
            at_hand.push_back(id);
        }
    }
    Rows rows = run(read_invoice_details, {param_text_array(ids), param_text_array(at_hand)});
    InvoicesDetails details;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        InvoiceDetails &each = details[rows.text(row, 1)];
        each.subscription = rows.text(row, 2);
        each.payment = rows.text(row, 3);
        auto found = rows.is_null(row, 4) ? known.find(rows.text(row, 1)) : known.end();
        std::string stored = rows.text(row, 4);
        read_details(found == known.end() ? std::string_view(stored) : found->second, each);
    }
    return details;
}

std::vector<std::pair<Part, std::string>>
MirrorReader::hangs_on(const stripe::Kind &kind, const std::vector<std::string> &ids) const {
    std::vector<std::pair<Part, std::string>> found;
    for (const Hanging &each : hanging) {
        if (each.kind != kind.name) {
            continue;
        }
        Rows rows = run("SELECT a.p::text, a.i::text FROM (" + std::string(each.sql) +
                            ") AS a (p, i) WHERE a.i IS NOT NULL",
                        {param_text_array(ids)});
        for (std::uint64_t row = 0; row < rows.size(); ++row) {
            found.emplace_back(rows.text(row, 1) == "s" ? Part::subscriptions : Part::payments,
                               rows.text(row, 2));
        }
    }
    return found;
}

std::string MirrorReader::names(const stripe::Kind &kind,
                                const std::vector<std::string> &ids) const {
    std::string columns = sync::quote_literal(kind.name) + " AS kind, t.id";
    if (kind.name == "customer") {
        columns += ", t.id AS customer";
    }
    for (const stripe::Column &column : kind.columns) {
        std::string_view name = column.name;
        if (name == "customer" || name == "subscription" || name == "invoice" ||
            name == "payment_intent" || name == "charge" || name == "product") {
            columns += ", t." + std::string(name);
        } else if (name == "metadata") {
            columns += ", t.metadata ->> 'project_id' AS project";
        }
    }
    Rows rows = run("SELECT coalesce(json_agg(x), '[]')::text FROM (SELECT " + columns + " FROM @" +
                        std::string(kind.name) + "@ AS t WHERE t.id = ANY ($1)) AS x",
                    {param_text_array(ids)});
    return rows.empty() ? "[]" : rows.text(0, 1);
}

std::vector<SubscriptionItem> MirrorReader::items_of(const std::string &subscription) const {
    Rows rows = run("SELECT i.id::text, i.price::text FROM @subscription_item@ AS i WHERE "
                    "i.subscription = $1 AND i._deleted_at IS NULL ORDER BY i.created, i.id",
                    {param(subscription)});
    std::vector<SubscriptionItem> items;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        items.push_back({rows.text(row, 1), rows.text(row, 2)});
    }
    return items;
}

std::vector<std::string> MirrorReader::next_ids(const stripe::Kind &kind, std::string &after,
                                                int limit) const {
    // A charge whose intent is there comes with it.
    std::string key = kind.name != "charge" ? "t.id"
                                            : "CASE WHEN NOT EXISTS (SELECT FROM @payment_intent@ "
                                              "AS p WHERE p.id = t.payment_intent) THEN "
                                              "coalesce(t.payment_intent, t.id) END";
    Rows rows = run("SELECT t.id::text, " + key + " FROM @" + std::string(kind.name) +
                        "@ AS t WHERE t.id > $1 ORDER BY t.id LIMIT $2",
                    {param(after), param(static_cast<std::int64_t>(limit))});
    std::vector<std::string> ids;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        if (!rows.is_null(row, 2)) {
            ids.push_back(rows.text(row, 2));
        }
    }
    after = rows.empty() ? "" : rows.text(rows.size() - 1, 1);
    return ids;
}

} // namespace billstack::pg
