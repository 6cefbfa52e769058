// SQL on project_customer. Opens SPI itself, as the extension's owner; a transaction must be open.
// Metadata is JSON text. Answers are JSON text in the shape users see.
#pragma once
#include "pg/projects/project_access.hpp"
#include "pg/projects/project_mirror_store.hpp"

namespace billstack::pg {

struct NewCustomer {
    std::string project, email;
    std::optional<std::string> name;
    std::string metadata;
};

// As the server's lower() has it, by which e-mails are compared.
std::string lower_case(const std::string &text);

// Takes the e-mail for a new customer without a Stripe id, and returns its id; another transaction
// that takes it too waits for the end of this one. A stale customer with that e-mail is taken over
// and keeps its id. Throws core::Error(exists_already).
std::string reserve_customer(const NewCustomer &customer);

struct CustomerLink {
    std::string stripe_id;
    std::string link; // created, metadata, oldest, relinked
    std::optional<std::string> detail;
    std::optional<std::string> name; // taken where the customer has none
};
// Throws core::Error(changed_meanwhile) when another customer of the project got the Stripe id.
void link_customer(const std::string &id, const CustomerLink &link);

// Of these Stripe customers, those that a customer of the project (not deleted, not stale) has.
std::set<std::string> taken_stripe_customers(const std::string &project,
                                             const std::vector<std::string> &stripe_ids);

// NULL keeps. Throws core::Error(exists_already) when the project has the e-mail already.
void change_customer(const std::string &id, const std::optional<std::string> &email,
                     const std::optional<std::string> &name,
                     const std::optional<std::string> &metadata);
void mark_customer_deleted(const std::string &id);
// "ps_1 (sub_1, active)", nullopt when none is live. Rows of another account do not count.
std::optional<std::string> live_subscription_of(const std::string &customer);

// {"customer": ...} and {"customers": [...]}. read_only: the snapshot of the running statement.
std::string customer_answer(const std::string &id, bool read_only);
std::string customer_list(const std::string &project, std::int32_t max_rows,
                          std::int32_t skip_rows);

// Of these, those that a customer (not deleted, not stale) of any project of the integration has.
std::set<std::string> owned_stripe_customers(std::int32_t integration_id,
                                             const std::vector<std::string> &stripe_ids);
// Of these, those that another project of the team has (not deleted), linked or not, stale or not.
std::set<std::string> stripe_customers_of_others(const Project &project,
                                                 const std::vector<std::string> &stripe_ids);
// Links these in one statement, in this order, where e-mail and Stripe id are free in the project.
// Returns the Stripe ids that were linked.
std::set<std::string> insert_assigned(const std::string &project,
                                      const std::vector<MirroredCustomer> &customers);
// Of those that were not linked: Stripe id and reason.
std::vector<std::pair<std::string, std::string>>
reasons_not_assigned(const std::string &project, const std::vector<MirroredCustomer> &customers);

} // namespace billstack::pg
