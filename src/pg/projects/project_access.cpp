#include "pg/projects/project_access.hpp"

#include "pg/access/principal.hpp"
#include "pg/access/team_access.hpp"
#include "pg/projects/project_store.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

core::Error refusal(const Project &project, const char *rule) {
    return core::Error(core::Code::not_allowed,
                       "permission denied for project \"" + project.id + "\"", rule,
                       "Ask the team's owner to call billstack.grant_access().");
}

} // namespace

Project require_project(const std::string &id, Billing need, std::string_view scope) {
    std::optional<Project> found = find_project(id, need == Billing::read);
    if (!found || !may_use_team(found->team, Need::read_billing)) {
        throw unknown_project(id);
    }
    check_principal(found->team, found->id, scope);
    if (need == Billing::read) {
        return std::move(*found);
    }
    if (!may_use_team(found->team, Need::write_billing)) {
        throw refusal(*found, "It takes the team's owner or a role with the app or admin profile.");
    }
    return lock_project(id, ProjectLock::use);
}

Project require_project_to_manage(const std::string &id) {
    refuse_principal();
    std::optional<Project> found = find_project(id, false);
    if (!found || !may_use_team(found->team, Need::see)) {
        throw unknown_project(id);
    }
    if (!may_use_team(found->team, Need::act)) {
        throw refusal(*found, "It takes the team's owner or a role with the admin profile.");
    }
    return lock_project(id, ProjectLock::change);
}

Integration require_linked(const Project &project) {
    if (!project.integration) {
        throw core::Error(core::Code::not_ready,
                          "project \"" + project.id + "\" is linked to no integration",
                          "Calls to Stripe are made with the keys of the project's integration.",
                          "Call billstack.link_project() first.");
    }
    std::vector<Integration> found = load_integrations(project.team, project.integration);
    if (found.empty() || found.front().id != project.integration_id) {
        throw core::Error(core::Code::changed_meanwhile,
                          "the integration of project \"" + project.id + "\" has changed", "",
                          "Try again.");
    }
    require_armed(found.front());
    return std::move(found.front());
}

core::Error unknown_in_project(const char *kind, const std::string &id) {
    return core::Error(core::Code::unknown_object,
                       std::string(kind) + " \"" + id + "\" does not exist",
                       "The project has no such " + std::string(kind) + ".");
}

core::Error stale_in_project(const Project &project, const char *kind, const std::string &id) {
    return core::Error(
        core::Code::not_ready,
        std::string(kind) + " \"" + id + "\" belongs to another Stripe account or mode",
        "Its Stripe id was stored before the project came to stand on integration "
        "\"" +
            project.integration.value_or("") + "\".",
        "Call billstack.relink_project('" + project.id + "') to find it in the present account.");
}

ProjectCustomer require_customer(const Project &project, const std::string &id, bool live) {
    std::optional<ProjectCustomer> found = find_customer(project.id, id, !live);
    if (!found || (live && found->deleted_at)) {
        throw unknown_in_project("customer", id);
    }
    if (live && (found->stale || !found->stripe_customer_id)) {
        throw stale_in_project(project, "customer", id);
    }
    return std::move(*found);
}

ProjectProduct require_product(const Project &project, const std::string &id, bool live) {
    std::optional<ProjectProduct> found = find_product(project.id, id, !live);
    if (!found) {
        throw unknown_in_project("product", id);
    }
    if (live && found->stale) {
        throw stale_in_project(project, "product", id);
    }
    return std::move(*found);
}

ProjectPrice require_price(const Project &project, const std::string &id, bool live) {
    std::optional<ProjectPrice> found = find_price(project.id, id, !live);
    if (!found) {
        throw unknown_in_project("price", id);
    }
    if (live && found->stale) {
        throw stale_in_project(project, "price", id);
    }
    return std::move(*found);
}

} // namespace billstack::pg
