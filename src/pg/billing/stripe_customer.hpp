// The Stripe customer for an e-mail: found in the mirror or at Stripe, or made.
#pragma once
#include "pg/billing/customer_store.hpp"
#include "pg/projects/project_args.hpp"

namespace billstack::pg {

// An existing customer with that e-mail that no other customer of the project stands for: one that
// carries the project's id, else the oldest. Looks in the mirror, ignoring case, and when it has
// none asks Stripe, whose filter is exact. project_id is written to one that carries none.
// Otherwise makes a customer. Throws what write_to_stripe() throws.
CustomerLink find_or_make_stripe_customer(const Project &project, const Integration &integration,
                                          const NewCustomer &customer,
                                          const stripe::Metadata &metadata);

// "/v1/customers/cus_1"
std::string stripe_path(const char *list_path, const std::string &id);

} // namespace billstack::pg
