// What the operations of the billing functions take, by name: anything else is refused as Stripe
// refuses it. Names as of https://docs.stripe.com/api.
#pragma once

#include "json_util.hpp"
#include "kinds.hpp"

#include <string_view>

namespace stripe_sim {

/// What creating or updating an object of the kind takes: "customer items[] items[][price] ...";
/// empty where the names are not listed here.
std::string_view parameters_of_kind(Kind kind, bool creates);
/// Parameters of the customer portal's session.
extern const std::string_view portal_parameters;

/// Throws ApiError: parameter_unknown for a name that `taken` does not have, and for metadata over
/// Stripe's limits. A name that ends in an object or array takes whatever is listed under it;
/// "metadata" any keys.
void check_parameters(std::string_view taken, const json_t *form);

} // namespace stripe_sim
