// Who may use a project and what is in it. For everybody else it does not exist: unknown and
// foreign projects, customers, products and prices raise the same error. Projects belong to teams;
// what a role may do follows from the team (pg/team_access.hpp).
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct Integration;

struct Project {
    std::string id, team, name, base_currency;
    std::optional<std::int32_t> integration_id;
    std::optional<std::string> integration; // its name
    // Where the Stripe ids of rows that are not stale belong; see pg/project_store.hpp.
    std::optional<std::string> account_id;
    std::optional<bool> livemode;
};

struct ProjectCustomer {
    std::string id, project_id;
    std::optional<std::string> email, name;
    std::string metadata; // JSON text
    std::optional<std::string> stripe_customer_id;
    std::string link; // created, metadata, oldest, assigned, relinked
    std::optional<std::string> link_detail;
    bool stale = false;
    TimestampTz created_at = 0, updated_at = 0;
    std::optional<TimestampTz> deleted_at;
};

struct ProjectProduct {
    std::string id, project_id, name;
    std::optional<std::string> description;
    bool is_active = true;
    std::string metadata; // JSON text
    std::string stripe_product_id;
    bool stale = false;
    TimestampTz created_at = 0, updated_at = 0;
};

struct ProjectPrice {
    std::string id, project_id, product_id;
    std::optional<std::int64_t> unit_amount; // minor units; nullopt: tiered
    std::string currency;
    std::optional<std::string> recurring_interval; // nullopt: one-time
    std::optional<std::int32_t> interval_count;
    bool is_active = true;
    std::string metadata; // JSON text
    std::string stripe_price_id;
    bool stale = false;
    TimestampTz created_at = 0, updated_at = 0;
};

// read: admin, app and reader grants, the team's owner; write: admin, app, the team's owner.
enum class Billing { read, write };

// scope: what a principal needs, "customers:read". Throws core::Error(unknown_object) with one
// text for unknown and foreign projects; not_allowed for one that the caller may only read. With
// Billing::write the project's row is locked against link and unlink until the transaction ends;
// with Billing::read it is read with the snapshot of the running statement.
Project require_project(const std::string &id, Billing need, std::string_view scope);

// For functions that manage projects: Need::act on the team, no principal. Locks the row for
// changing it.
Project require_project_to_manage(const std::string &id);

// The integration a project is linked to. Throws core::Error(not_ready) when it is linked to none,
// or in a copied database.
Integration require_linked(const Project &project);

// live: what a call to Stripe needs. Refuses deleted customers (unknown_object) and those whose
// Stripe id belongs to another account or mode (not_ready, naming them). Without live a deleted
// customer is found too, and all is read with the snapshot of the running statement.
ProjectCustomer require_customer(const Project &project, const std::string &id, bool live = true);
ProjectProduct require_product(const Project &project, const std::string &id, bool live = true);
ProjectPrice require_price(const Project &project, const std::string &id, bool live = true);

// The errors of require_customer and the like, for other kinds: "subscription \"ps_x\" does not
// exist".
core::Error unknown_in_project(const char *kind, const std::string &id);
core::Error stale_in_project(const Project &project, const char *kind, const std::string &id);

} // namespace billstack::pg
