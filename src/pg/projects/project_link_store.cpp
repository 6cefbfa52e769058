#include "pg/projects/project_link_store.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement update_link{
    "UPDATE billstack_internal.project SET integration_id = $2, linked_at = now(),"
    " updated_at = now() WHERE id = $1"};
constinit Statement update_first_currency{
    "UPDATE billstack_internal.project SET base_currency = $2 WHERE id = $1 AND account_id IS NULL"
    " AND livemode IS NULL"};
constinit Statement clear_link{
    "UPDATE billstack_internal.project SET integration_id = NULL, linked_at = NULL,"
    " updated_at = now() WHERE id = $1"};
constinit Statement update_place{
    "UPDATE billstack_internal.project SET account_id = $2, livemode = $3 WHERE id = $1"};

constinit Statement select_stale{R"(
SELECT (SELECT count(*) FROM billstack_internal.project_customer
         WHERE project_id = $1 AND stale AND deleted_at IS NULL),
       (SELECT count(*) FROM billstack_internal.project_product WHERE project_id = $1 AND stale),
       (SELECT count(*) FROM billstack_internal.project_price WHERE project_id = $1 AND stale))"};

// What the projects' functions make, and what the mirror's writers make of events.
constexpr const char *catalog_tables[] = {"project_customer", "project_product", "project_price"};
struct EventTable {
    const char *name;
    const char *stripe_id;
};
constexpr EventTable event_tables[] = {{"project_subscription", "stripe_subscription_id"},
                                       {"project_invoice", "stripe_invoice_id"},
                                       {"project_payment", "stripe_payment_id"}};

std::string marking(const char *table, const char *condition) {
    return std::string("UPDATE billstack_internal.") + table +
           " SET stale = true, stale_account = $2, stale_livemode = $3 WHERE " + condition +
           " AND NOT stale";
}

std::string reviving(const char *table, const char *condition) {
    return std::string("UPDATE billstack_internal.") + table +
           " SET stale = false, stale_account = NULL, stale_livemode = NULL WHERE " + condition +
           " AND stale AND stale_account = $2 AND stale_livemode = $3";
}

constexpr const char *of_project = "project_id = $1";
constexpr const char *unrouted = "integration_id = $1 AND project_id IS NULL";

} // namespace

void store_link(const std::string &project, std::int32_t integration_id) {
    InternalAccess access;
    (void)update_link.run({param(project), param(integration_id)});
}

void store_first_currency(const std::string &project, const std::string &currency) {
    InternalAccess access;
    (void)update_first_currency.run({param(project), param(currency)});
}

void store_unlink(const std::string &project) {
    InternalAccess access;
    (void)clear_link.run({param(project)});
}

void store_place(const std::string &project, const StripePlace &place) {
    InternalAccess access;
    (void)update_place.run({param(project), param(place.account), param(place.livemode)});
}

void mark_stale(const std::string &project, const StripePlace &from) {
    InternalAccess access;
    std::vector<Param> params{param(project), param(from.account), param(from.livemode)};
    for (const char *table : catalog_tables) {
        (void)run_once(marking(table, of_project), params);
    }
    for (const EventTable &table : event_tables) {
        (void)run_once(marking(table.name, of_project), params);
    }
}

void revive_rows(const std::string &project, const StripePlace &place) {
    InternalAccess access;
    std::vector<Param> params{param(project), param(place.account), param(place.livemode)};
    for (const char *table : catalog_tables) {
        (void)run_once(reviving(table, of_project), params);
    }
    for (const EventTable &table : event_tables) {
        (void)run_once(reviving(table.name, of_project), params);
    }
}

void mark_unrouted_stale(std::int32_t integration_id, const StripePlace &from) {
    InternalAccess access;
    for (const EventTable &table : event_tables) {
        (void)run_once(marking(table.name, unrouted),
                       {param(integration_id), param(from.account), param(from.livemode)});
    }
}

void revive_unrouted(std::int32_t integration_id, const StripePlace &place) {
    InternalAccess access;
    for (const EventTable &table : event_tables) {
        (void)run_once(reviving(table.name, unrouted),
                       {param(integration_id), param(place.account), param(place.livemode)});
    }
}

void move_rows(const std::string &project, std::int32_t integration_id) {
    InternalAccess access;
    std::vector<Param> params{param(project), param(integration_id)};
    for (const EventTable &table : event_tables) {
        const std::string name = std::string("billstack_internal.") + table.name;
        const std::string id = table.stripe_id;
        (void)run_once("DELETE FROM " + name +
                           " AS n WHERE n.integration_id = $2 AND n.project_id IS NULL AND EXISTS"
                           " (SELECT FROM " +
                           name +
                           " AS o WHERE o.project_id = $1 AND o.integration_id <> $2"
                           " AND NOT o.stale AND o." +
                           id + " = n." + id + ")",
                       params);
        (void)run_once("UPDATE " + name +
                           " AS o SET integration_id = $2 WHERE o.project_id = $1"
                           " AND o.integration_id <> $2 AND NOT o.stale AND NOT EXISTS"
                           " (SELECT FROM " +
                           name + " AS n WHERE n.integration_id = $2 AND n." + id + " = o." + id +
                           ")",
                       params);
    }
}

StaleCounts count_stale(const std::string &project) {
    InternalAccess access;
    Rows rows = select_stale.run({param(project)});
    return {rows.int64(0, 1), rows.int64(0, 2), rows.int64(0, 3)};
}

} // namespace billstack::pg
