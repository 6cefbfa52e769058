// Checkout sessions, the customer portal, refunds and changes of subscriptions: what Stripe makes
// of such a request beyond storing its members.
#pragma once

#include "changes.hpp"

#include <string>

namespace stripe_sim {

/// One request that writes, or one act of a customer.
struct Writing {
    Store &store;
    Rng &rng;
    std::string idempotency_key{}; ///< for the events
};

/// Each takes a form with its types (see form.hpp) and throws ApiError as Stripe refuses it.
/// The id of an open session; no event tells of it.
std::string create_session(const Writing &writing, const json_t *form);
void expire_session(const Writing &writing, const std::string &id);
/// A session of the customer portal: kept nowhere, as nothing lists them.
Json portal_session(const Writing &writing, const json_t *form);
/// The id of a refund that has succeeded; the charge knows of it.
std::string create_refund(const Writing &writing, const json_t *form);
void update_subscription(const Writing &writing, const std::string &id, const json_t *form);
/// Refuses a subscription that has ended, as Stripe no longer finds it.
void require_live_subscription(Store &store, const std::string &id);

/// The price with this id, whole. Throws ApiError naming `param`.
Json require_price(Store &store, const std::string &id, const std::string &param);
/// An item of a subscription for a price: no id yet, period from `at`.
Json item_for(const json_t *price, int64_t quantity, int64_t at);
/// `count` intervals ("month") after `at`, by the calendar, in UTC.
int64_t add_interval(int64_t at, const std::string &interval, int64_t count);
/// Smallest currency units; 0 where the price has no amount of its own.
int64_t amount_of(const json_t *price, int64_t quantity);
/// Applies one change and tells of it.
ChangeResult apply(const Writing &writing, Op op, Kind kind, const std::string &id, Json fields,
                   const std::string &type = {}, bool silent = false);

} // namespace stripe_sim
