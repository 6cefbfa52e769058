#include "pg/billing/billing_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_subscription{
    "SELECT s.id, s.stripe_subscription_id, s.status, s.stale"
    " FROM billstack_internal.project_subscription AS s WHERE s.project_id = $1 AND s.id = $2"};

constinit Statement select_payment{
    "SELECT y.id, y.stripe_payment_intent_id, y.stripe_charge_id, y.amount, y.amount_refunded,"
    " coalesce(y.currency, ''), coalesce(y.status, ''), y.stale"
    " FROM billstack_internal.project_payment AS y WHERE y.project_id = $1 AND y.id = $2"};

// A time as ISO 8601 in UTC with Z is to_char(... AT TIME ZONE 'UTC', f.iso).
constexpr const char *formats = R"(
 CROSS JOIN (SELECT 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS f (iso))";

// Our own keys in the metadata are nobody's business but ours.
constexpr const char *subscription_json = R"(jsonb_build_object(
    'id', s.id, 'customerId', s.customer_id, 'stripeSubscriptionId', s.stripe_subscription_id,
    'status', s.status, 'priceId', s.price_id, 'quantity', s.quantity,
    'cancelAtPeriodEnd', s.cancel_at_period_end,
    'currentPeriodStart', to_char(s.current_period_start AT TIME ZONE 'UTC', f.iso),
    'currentPeriodEnd', to_char(s.current_period_end AT TIME ZONE 'UTC', f.iso),
    'trialEnd', to_char(s.trial_end AT TIME ZONE 'UTC', f.iso),
    'cancelAt', to_char(s.cancel_at AT TIME ZONE 'UTC', f.iso),
    'canceledAt', to_char(s.canceled_at AT TIME ZONE 'UTC', f.iso),
    'endedAt', to_char(s.ended_at AT TIME ZONE 'UTC', f.iso), 'currency', s.currency,
    'metadata', s.metadata - 'project_id' - 'billstack_intent', 'projectId', s.project_id,
    'stale', s.stale, 'createdAt', to_char(s.created_at AT TIME ZONE 'UTC', f.iso),
    'updatedAt', to_char(s.updated_at AT TIME ZONE 'UTC', f.iso)))";

constexpr const char *invoice_json = R"(jsonb_build_object(
    'id', s.id, 'stripeInvoiceId', s.stripe_invoice_id, 'number', s.number, 'status', s.status,
    'currency', s.currency, 'amountDue', s.amount_due, 'amountPaid', s.amount_paid,
    'pdfUrl', s.invoice_pdf, 'hostedUrl', s.hosted_invoice_url, 'customerId', s.customer_id,
    'subscriptionId', (SELECT o.id FROM billstack_internal.project_subscription AS o
                        WHERE o.integration_id = s.integration_id AND o.project_id = s.project_id
                          AND o.stripe_subscription_id = s.stripe_subscription_id),
    'dueDate', to_char(s.due_date AT TIME ZONE 'UTC', f.iso),
    'paidAt', to_char(s.paid_at AT TIME ZONE 'UTC', f.iso), 'projectId', s.project_id,
    'stale', s.stale, 'createdAt', to_char(s.created_at AT TIME ZONE 'UTC', f.iso),
    'updatedAt', to_char(s.updated_at AT TIME ZONE 'UTC', f.iso)))";

constexpr const char *payment_json = R"(jsonb_build_object(
    'id', s.id, 'stripePaymentIntentId', s.stripe_payment_intent_id,
    'stripeChargeId', s.stripe_charge_id, 'amount', s.amount,
    'amountRefunded', s.amount_refunded, 'currency', s.currency, 'status', s.status,
    'failureCode', s.failure_code, 'failureMessage', s.failure_message,
    'customerId', s.customer_id,
    'invoiceId', (SELECT o.id FROM billstack_internal.project_invoice AS o
                   WHERE o.integration_id = s.integration_id AND o.project_id = s.project_id
                     AND o.stripe_invoice_id = s.stripe_invoice_id),
    'projectId', s.project_id, 'stale', s.stale,
    'createdAt', to_char(s.created_at AT TIME ZONE 'UTC', f.iso),
    'updatedAt', to_char(s.updated_at AT TIME ZONE 'UTC', f.iso)))";

struct List {
    const char *member;
    const char *json;
    const char *table;
    const char *condition; // may use $5
    SPIPlanPtr plan = nullptr;
};
constinit List subscriptions{"subscriptions", subscription_json, "project_subscription",
                             "(NOT $5 OR status IN ('active', 'trialing'))"};
constinit List invoices{"invoices", invoice_json, "project_invoice",
                        "$5 AND status IS DISTINCT FROM 'deleted'"};
constinit List payments{"payments", payment_json, "project_payment", "$5"};

// $1 the project, $2 its customer or NULL, $3 max_rows, $4 skip_rows.
std::string list(List &list, const std::string &project, const std::optional<std::string> &customer,
                 bool flag, const Paging &paging) {
    InternalAccess access;
    std::vector<Param> params{param(project), param(customer), param(paging.max_rows),
                              param(paging.skip_rows), param(flag)};
    if (list.plan == nullptr) {
        std::string sql =
            "SELECT jsonb_build_object('" + std::string(list.member) + "', coalesce(jsonb_agg(" +
            list.json + " ORDER BY s.created_at DESC, s.id), '[]'))::text FROM (SELECT * FROM" +
            " billstack_internal." + list.table +
            " WHERE project_id = $1 AND ($2 IS NULL OR customer_id = $2) AND " + list.condition +
            " ORDER BY created_at DESC, id LIMIT $3 OFFSET $4) AS s" + formats;
        list.plan = keep_plan(sql, {TEXTOID, TEXTOID, INT4OID, INT4OID, BOOLOID});
    }
    return run_plan(list.plan, params, true).text(0, 1);
}

} // namespace

std::optional<BilledSubscription> find_subscription(const std::string &project,
                                                    const std::string &id, bool read_only) {
    InternalAccess access;
    Rows rows = select_subscription.run({param(project), param(id)}, read_only);
    if (rows.empty()) {
        return std::nullopt;
    }
    return BilledSubscription{rows.text(0, 1), rows.text(0, 2), rows.text(0, 3),
                              rows.boolean(0, 4)};
}

std::optional<BilledPayment> find_payment(const std::string &project, const std::string &id) {
    InternalAccess access;
    Rows rows = select_payment.run({param(project), param(id)});
    if (rows.empty()) {
        return std::nullopt;
    }
    return BilledPayment{rows.text(0, 1),  rows.optional_text(0, 2), rows.optional_text(0, 3),
                         rows.int64(0, 4), rows.int64(0, 5),         rows.text(0, 6),
                         rows.text(0, 7),  rows.boolean(0, 8)};
}

std::string subscription_answer(const std::string &id, bool read_only) {
    static SPIPlanPtr plan = nullptr;
    InternalAccess access;
    if (plan == nullptr) {
        std::string sql = "SELECT jsonb_build_object('subscription', " +
                          std::string(subscription_json) +
                          ")::text FROM billstack_internal.project_subscription AS s" + formats +
                          " WHERE s.id = $1";
        plan = keep_plan(sql, {TEXTOID});
    }
    return run_plan(plan, {param(id)}, read_only).text(0, 1);
}

std::string subscription_list(const std::string &project,
                              const std::optional<std::string> &customer, bool active_only,
                              const Paging &paging) {
    return list(subscriptions, project, customer, active_only, paging);
}

std::string invoice_list(const std::string &project, const std::optional<std::string> &customer,
                         const Paging &paging) {
    return list(invoices, project, customer, true, paging);
}

std::string payment_list(const std::string &project, const std::optional<std::string> &customer,
                         const Paging &paging) {
    return list(payments, project, customer, true, paging);
}

} // namespace billstack::pg
