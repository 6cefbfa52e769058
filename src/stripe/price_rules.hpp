// What Stripe accepts for a price, checked before it is asked. Limits:
// https://docs.stripe.com/api/prices/create, "recurring.interval_count": three years at most.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace billstack::stripe {

struct PriceTerms {
    std::int64_t unit_amount = 0;                  // minor units of the currency
    std::string currency;                          // ISO 4217 in lower case
    std::optional<std::string> recurring_interval; // nullopt: one-time
    std::int32_t interval_count = 1;
};

// Throws core::Error(bad_argument).
void check_price(const PriceTerms &terms);

} // namespace billstack::stripe
