// SQL on what a link of a project changes: the link itself, and which rows belong to the account
// and mode that the project stands on. Opens SPI itself, as the extension's owner.
#pragma once
#include "pg/projects/project_access.hpp"

namespace billstack::pg {

// Where Stripe ids belong.
struct StripePlace {
    std::string account; // the account's id; "integration:<id>" where the key may not read it
    bool livemode = false;
};

struct StaleCounts {
    std::int64_t customers = 0, products = 0, prices = 0; // deleted customers do not count
    bool any() const { return customers + products + prices > 0; }
};

void store_link(const std::string &project, std::int32_t integration_id);
// Only before the first link: what analytics counts in.
void store_first_currency(const std::string &project, const std::string &currency);
void store_unlink(const std::string &project);

// Where the project stands from now on; nothing changes on rows.
void store_place(const std::string &project, const StripePlace &place);
// All rows of the project that are not stale belong to `from` and become stale.
void mark_stale(const std::string &project, const StripePlace &from);
// Stale rows that belong to `place` are good again.
void revive_rows(const std::string &project, const StripePlace &place);
// The same two for rows of the integration that no project has.
void mark_unrouted_stale(std::int32_t integration_id, const StripePlace &from);
void revive_unrouted(std::int32_t integration_id, const StripePlace &place);
// Subscriptions, invoices and payments of the project that are not stale follow it to another
// integration of the same account; the copies that integration has and no project owns go.
void move_rows(const std::string &project, std::int32_t integration_id);

StaleCounts count_stale(const std::string &project);

} // namespace billstack::pg
