// Bodies as Stripe's API takes them: application/x-www-form-urlencoded with nested names.
#pragma once

#include "json_util.hpp"

#include <string_view>

namespace stripe_sim {

/// `metadata[a]=b&items[0][price]=p&expand[]=x` as nested objects and arrays of strings; an empty
/// value is null. Throws ApiError for names that contradict each other.
Json parse_form(std::string_view body);

/// Gives the strings of a form the types that the members of that name have in `example`, and in
/// Stripe's documents where the example has null. Throws ApiError as Stripe refuses a value.
void give_types(json_t *form, const json_t *example);

} // namespace stripe_sim
