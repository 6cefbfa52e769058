// SQL on what is billed: subscriptions, invoices and payments of a project, and the answers made of
// them. No rule about who may do what lives here (pg/project_access.hpp). Every function opens SPI
// itself, as the extension's owner; a transaction must be open. read_only: with the snapshot of the
// running statement, for STABLE functions.
#pragma once
#include "pg/projects/project_args.hpp"

namespace billstack::pg {

struct BilledSubscription {
    std::string id;
    std::string stripe_id;
    std::string status;
    bool stale = false;
};
std::optional<BilledSubscription> find_subscription(const std::string &project,
                                                    const std::string &id, bool read_only);

struct BilledPayment {
    std::string id;
    std::optional<std::string> stripe_intent_id;
    std::optional<std::string> stripe_charge_id;
    std::int64_t amount = 0; // minor units, as the two below
    std::int64_t refunded = 0;
    std::string currency;
    std::string status;
    bool stale = false;
};
std::optional<BilledPayment> find_payment(const std::string &project, const std::string &id);

// {"subscription":{...}} as JSON text.
std::string subscription_answer(const std::string &id, bool read_only);
// {"subscriptions":[...]} and the like, newest first. customer: pc_ id, nullopt for all.
std::string subscription_list(const std::string &project,
                              const std::optional<std::string> &customer, bool active_only,
                              const Paging &paging);
std::string invoice_list(const std::string &project, const std::optional<std::string> &customer,
                         const Paging &paging);
std::string payment_list(const std::string &project, const std::optional<std::string> &customer,
                         const Paging &paging);

} // namespace billstack::pg
