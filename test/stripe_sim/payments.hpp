// What customers and their banks do, and what Stripe makes of it: a checkout session is paid, an
// invoice is paid or fails, a subscription renews. Every object is made whole, then told of in the
// order Stripe's events arrive in.
#pragma once

#include "billing.hpp"

namespace stripe_sim {

/// Completes an open session: subscription with items, invoice with lines, payment method, payment
/// or setup intent, charge, each with the metadata the session was given for it. Throws ApiError.
void complete_session(const Writing &writing, const std::string &id);
/// Pays an open or draft invoice, or lets the payment fail: the subscription becomes active or
/// past_due.
void settle_invoice(const Writing &writing, const std::string &id, bool paid);
/// The next period of a subscription and its invoice, still open. Its id.
std::string renew_subscription(const Writing &writing, const std::string &id);

} // namespace stripe_sim
