#include "pg/billing/analytics_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

// $1 project, $2 base currency, $3 integration or NULL, $4 days, $5 when they began: computed once,
// now() would be once a row. One pass over the subscriptions,
// by an index that holds all that is asked for, and one over the customers, a range a point.
// Digits: https://docs.stripe.com/currencies, zero-decimal and three-decimal currencies; amounts in
// ISK and UGX have two digits at Stripe all the same.
constexpr const char *analytics_text = R"(
WITH span AS (
    SELECT (now() AT TIME ZONE 'UTC')::date AS today),
counted AS MATERIALIZED (
    SELECT s.status, s.currency, count(*) AS subscriptions, sum(s.mrr) AS mrr,
           count(*) FILTER (WHERE coalesce(s.started_at, s.created_at) < $5
                              AND (s.ended_at IS NULL OR s.ended_at >= $5)) AS at_start,
           count(*) FILTER (WHERE coalesce(s.started_at, s.created_at) < $5
                              AND s.ended_at >= $5) AS ended
      FROM billstack_internal.project_subscription AS s
     WHERE s.project_id = $1 AND NOT s.stale
     GROUP BY s.status, s.currency),
revenue AS (
    SELECT c.currency, d.digits, coalesce(round(sum(c.mrr)), 0) AS minor,
           coalesce(round(sum(c.mrr) FILTER (WHERE c.status = 'active')), 0) AS minor_paid
      FROM counted AS c
     CROSS JOIN LATERAL (SELECT CASE
           WHEN c.currency IN ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf',
                               'vnd', 'vuv', 'xaf', 'xof', 'xpf') THEN 0
           WHEN c.currency IN ('bhd', 'jod', 'kwd', 'omr', 'tnd') THEN 3 ELSE 2 END) AS d (digits)
     WHERE c.status IN ('active', 'trialing') AND c.currency IS NOT NULL
     GROUP BY c.currency, d.digits),
shown AS (
    SELECT r.currency, r.minor::bigint AS minor,
           round(r.minor / 10::numeric ^ r.digits, r.digits) AS mrr,
           round(r.minor_paid / 10::numeric ^ r.digits, r.digits) AS paid
      FROM revenue AS r),
points AS (
    SELECT p.day, lag((p.day + 1)::timestamp AT TIME ZONE 'UTC', 1, '-infinity') OVER byday AS after,
           CASE WHEN p.day = w.today THEN 'infinity'
                ELSE (p.day + 1)::timestamp AT TIME ZONE 'UTC' END AS before
      FROM span AS w
     CROSS JOIN LATERAL (
           SELECT w.today - $4 + 7 * k.step FROM generate_series(0, ($4 - 1) / 7) AS k (step)
           UNION ALL SELECT w.today) AS p (day)
    WINDOW byday AS (ORDER BY p.day)),
growth AS (
    SELECT p.day, sum(m.made - g.gone) OVER (ORDER BY p.day) AS customers
      FROM points AS p
     CROSS JOIN LATERAL (
           SELECT count(*) AS made FROM billstack_internal.project_customer AS c
            WHERE c.project_id = $1 AND NOT c.stale
              AND c.created_at >= p.after AND c.created_at < p.before) AS m
     CROSS JOIN LATERAL (
           SELECT count(*) AS gone FROM billstack_internal.project_customer AS c
            WHERE c.project_id = $1 AND NOT c.stale
              AND c.deleted_at >= p.after AND c.deleted_at < p.before) AS g),
churn AS (
    SELECT coalesce(sum(c.at_start), 0) AS at_start, coalesce(sum(c.ended), 0) AS ended
      FROM counted AS c WHERE c.status NOT IN ('incomplete', 'incomplete_expired')),
statuses AS (
    SELECT k.status, coalesce(sum(c.subscriptions), 0) AS subscriptions
      FROM unnest(ARRAY['active', 'trialing', 'past_due', 'canceled', 'unpaid', 'incomplete',
                        'paused', 'incomplete_expired']) AS k (status)
      LEFT JOIN counted AS c ON c.status = k.status
     GROUP BY k.status),
events AS (
    SELECT coalesce((SELECT i.processed FROM billstack_internal.inbox_stat AS i
                      WHERE i.integration_id = $3), 0) AS processed,
           (SELECT count(*) FROM billstack_internal.inbox AS b
             WHERE b.integration_id = $3 AND b.failed_at IS NOT NULL) AS failed)
SELECT json_build_object(
       'mrr', coalesce((SELECT s.mrr FROM shown AS s WHERE s.currency = $2), 0),
       'mrrCents', coalesce((SELECT s.minor FROM shown AS s WHERE s.currency = $2), 0),
       'mrrPaid', coalesce((SELECT s.paid FROM shown AS s WHERE s.currency = $2), 0),
       'mrrByCurrency', (SELECT coalesce(json_object_agg(s.currency, json_build_object(
                'mrr', s.mrr, 'mrrCents', s.minor, 'mrrPaid', s.paid)), '{}') FROM shown AS s),
       'customerCount', (SELECT g.customers FROM growth AS g ORDER BY g.day DESC LIMIT 1),
       'churnRate', (SELECT CASE WHEN c.at_start = 0 THEN 0
                                 ELSE round(100 * c.ended / c.at_start, 2) END FROM churn AS c),
       'subscriptionBreakdown', (SELECT json_object_agg(s.status, s.subscriptions) FROM statuses AS s
                                  WHERE s.status <> 'incomplete_expired' OR s.subscriptions > 0),
       'customerGrowth', (SELECT json_agg(json_build_object('date', g.day, 'count', g.customers)
                                          ORDER BY g.day) FROM growth AS g),
       'webhookStats', (SELECT json_build_object('total', e.processed + e.failed, 'processed',
                                e.processed, 'failed', e.failed) FROM events AS e),
       'referralStats', json_build_object('totalCodes', 0, 'totalReferrals', 0, 'converted', 0))::text
)";
constinit Statement select_analytics{analytics_text};

constinit Statement upsert_account{
    "INSERT INTO billstack_internal.account_map AS m (team, stripe_customer_id, account_ref)"
    " VALUES ($1, $2, $3) ON CONFLICT (team, stripe_customer_id) DO UPDATE"
    " SET account_ref = EXCLUDED.account_ref, mapped_at = now()"
    " WHERE m.account_ref <> EXCLUDED.account_ref"};
constinit Statement delete_account{
    "DELETE FROM billstack_internal.account_map WHERE team = $1 AND stripe_customer_id = $2"};

} // namespace

std::string read_analytics(const Project &project, std::int32_t growth_days) {
    InternalAccess access;
    // Compiling takes longer than what is compiled saves.
    LocalSetting no_jit("jit", "off");
    LocalSetting by_index("enable_seqscan", "off");
    TimestampTz start = GetCurrentTransactionStartTimestamp() - growth_days * USECS_PER_DAY;
    std::optional<std::int64_t> integration;
    if (project.integration_id) {
        integration = *project.integration_id;
    }
    Rows rows = select_analytics.run({param(project.id), param(project.base_currency),
                                      param(integration), param(growth_days), param_time(start)},
                                     true);
    return rows.text(0, 1);
}

void store_account_ref(const std::string &team, const std::string &stripe_customer_id,
                       const std::optional<std::string> &account_ref) {
    InternalAccess access;
    if (account_ref) {
        (void)upsert_account.run({param(team), param(stripe_customer_id), param(*account_ref)});
    } else {
        (void)delete_account.run({param(team), param(stripe_customer_id)});
    }
}

} // namespace billstack::pg
