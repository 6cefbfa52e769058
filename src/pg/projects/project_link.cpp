#include "pg/projects/project_link.hpp"

#include "pg/access/access.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/projects/project_store.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

// Beside the six default kinds: what the billing functions make at Stripe and what routing reads.
constexpr std::string_view billing_kinds[] = {
    "checkout_session", "coupon", "payment_intent", "payment_method",
    "promotion_code",   "refund", "setup_intent",   "invoice_payment"};

void make_billing_tables(const Integration &integration) {
    std::vector<const stripe::Kind *> kinds;
    for (std::string_view name : billing_kinds) {
        if (const stripe::Kind *kind = stripe::find_kind(name)) {
            kinds.push_back(kind);
        }
    }
    if (!add_mirror_kinds(integration, kinds).tables.empty()) {
        apply_access_to_schema(integration.team, integration.schema_name);
    }
}

bool same_place(const StripePlace &a, const StripePlace &b) {
    return a.account == b.account && a.livemode == b.livemode;
}

// The rows of a project that comes to stand on `place`.
void change_place(const Project &project, const StripePlace &place) {
    if (project.account_id && project.livemode) {
        StripePlace old{*project.account_id, *project.livemode};
        if (!same_place(old, place)) {
            mark_stale(project.id, old);
        }
    }
    revive_rows(project.id, place);
    store_place(project.id, place);
}

MirrorTarget target_of(const Integration &integration) {
    return {integration.id, integration.team, integration.name, integration.schema_name,
            integration.schema_oid};
}

} // namespace

StripePlace place_of(const Integration &integration) {
    return {integration.account.id.value_or("integration:" + std::to_string(integration.id)),
            integration.livemode};
}

void route_all(const Integration &integration) {
    Oid owner = require_mirror_owner(integration.owner_name, integration.schema_name,
                                     integration.schema_oid);
    SpiSession spi;
    project_all(target_of(integration), owner);
}

json::Node project_node(const Project &project) {
    json::Node node = json::Node::object();
    node.set("id", project.id).set("name", project.name).set("integration", project.integration);
    return node;
}

void link_to(const Project &project, const Integration &integration) {
    require_armed(integration);
    make_billing_tables(integration);
    if (integration.account.default_currency) {
        store_first_currency(project.id, *integration.account.default_currency);
    }
    // Before any row that the worker may hold while it waits for one of ours.
    hold_links_alone(integration.id);
    store_link(project.id, integration.id);
    change_place(project, place_of(integration));
    move_rows(project.id, integration.id);
    route_all(integration);
    notify_change("link", integration, &project.id);
}

void unlink_from(const Project &project, const Integration &integration) {
    store_unlink(project.id);
    notify_change("unlink", integration, &project.id);
}

void follow_rotation(const Integration &integration, const StripePlace &before, bool changed) {
    StripePlace after = place_of(integration);
    if (same_place(before, after)) {
        return;
    }
    // First the projects, as whoever writes for one of them does.
    std::vector<Project> linked = projects_of_integration(integration.id, false);
    for (Project &project : linked) {
        project = lock_project(project.id, ProjectLock::change);
    }
    hold_links_alone(integration.id);
    for (const Project &project : linked) {
        if (project.integration_id != integration.id) {
            continue; // unlinked meanwhile
        }
        if (changed) {
            change_place(project, after);
        } else {
            store_place(project.id, after); // the same account by another name
        }
    }
    if (changed) {
        mark_unrouted_stale(integration.id, before);
        revive_unrouted(integration.id, after);
    }
}

void refuse_while_projects_are_linked(const Integration &integration) {
    std::vector<Project> linked = projects_of_integration(integration.id, false);
    if (linked.empty()) {
        return;
    }
    std::string list;
    for (const Project &project : linked) {
        list += (list.empty() ? "" : ", ") + project.id + " (" + project.name + ")";
    }
    throw core::Error(core::Code::in_use,
                      "integration \"" + integration.name + "\" of team \"" + integration.team +
                          "\" is in use",
                      "Linked projects: " + list + ".",
                      "Call billstack.unlink_project() for each of them first.");
}

} // namespace billstack::pg
