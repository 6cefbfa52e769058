// billstack.create_project, list_projects, link_project and unlink_project.
#include "crypto/public_id.hpp"
#include "pg/projects/project_args.hpp"
#include "pg/projects/project_link.hpp"
#include "pg/projects/project_store.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr std::string_view id_prefix = "proj_";
constexpr std::size_t longest_id = 64;
constexpr std::size_t longest_name = 250;

void check_project_id(const std::string &id) {
    bool valid =
        id.size() > id_prefix.size() && id.size() <= longest_id && id.starts_with(id_prefix);
    for (char c : id) {
        valid = valid && (c == '_' || c == '-' || (c >= '0' && c <= '9') ||
                          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    }
    if (!valid) {
        throw core::Error(core::Code::bad_argument, "\"" + id + "\" is no project id",
                          "A project id is proj_ and letters, digits, _ or -, 64 bytes at most.",
                          "Leave it out to have one made.");
    }
    if (json::holds_card_number(id)) { // masked in what Stripe answers, it would route nothing
        throw core::Error(core::Code::bad_argument,
                          "argument \"id\" holds what looks like a card number",
                          "Such digits are masked wherever they come from, and the project would "
                          "not be known again.",
                          "Take another id, or leave it out to have one made.");
    }
}

json::Node answer_about(const std::string &id) {
    json::Node answer = json::Node::object();
    answer.set("project", project_node(*find_project(id, false)));
    StaleCounts stale = count_stale(id);
    if (stale.any()) {
        json::Node counts = json::Node::object();
        counts.set("customers", stale.customers)
            .set("products", stale.products)
            .set("prices", stale.prices);
        answer.set("stale", std::move(counts));
    }
    return answer;
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_create_project) {
    Project project;
    project.team = args.text(0, "team");
    project.name = args.text(1, "name");
    project.integration = args.optional_text(2);
    std::optional<std::string> id = args.optional_text(3);
    require_team(project.team, Need::act);
    require_writable("create_project");
    check_name(project.name, "name", longest_name);
    if (id) {
        check_project_id(*id);
    }
    project.id = id ? *id : crypto::make_public_id(id_prefix);
    project.base_currency = "usd";
    std::optional<Integration> integration;
    if (project.integration) {
        integration = require_integration(project.team, *project.integration, Need::act);
    }
    insert_project(project);
    if (integration) {
        link_to(project, *integration);
    }
    return return_jsonb(answer_about(project.id));
}

BILLSTACK_SQL_FUNCTION(billstack_list_projects) {
    std::string team = args.text(0, "team");
    require_team(team, Need::see);
    json::Node list = json::Node::array();
    for (const ListedProject &listed : projects_of_team(team)) {
        json::Node node = project_node(listed.project);
        node.set("baseCurrency", listed.project.base_currency)
            .set("createdAt", json_time(listed.created_at));
        list.append(std::move(node));
    }
    json::Node answer = json::Node::object();
    answer.set("projects", std::move(list));
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_link_project) {
    std::string id = args.text(0, "project");
    std::string name = args.text(1, "integration");
    require_writable("link_project");
    Project project = require_project_to_manage(id);
    if (project.integration) {
        throw core::Error(core::Code::in_use,
                          "project \"" + id + "\" is linked to integration \"" +
                              *project.integration + "\"",
                          "A project is linked to one integration at most.",
                          "Call billstack.unlink_project('" + id + "') first.");
    }
    link_to(project, require_integration(project.team, name, Need::act));
    return return_jsonb(answer_about(id));
}

BILLSTACK_SQL_FUNCTION(billstack_unlink_project) {
    std::string id = args.text(0, "project");
    require_writable("unlink_project");
    Project project = require_project_to_manage(id);
    if (!project.integration) {
        throw core::Error(core::Code::not_ready,
                          "project \"" + id + "\" is linked to no integration");
    }
    unlink_from(project, require_integration(project.team, *project.integration, Need::act));
    return return_jsonb(answer_about(id));
}
