// billstack.upgrade_mirror, set_owner and arm: the mirror as a whole, and where it may be fed.
#include "pg/access/access.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/extension_mark.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

namespace {

json::Node name_list(const std::vector<std::string> &names) {
    json::Node list = json::Node::array();
    for (const std::string &name : names) {
        list.append(name);
    }
    return list;
}

json::Node upgrade_one(const Integration &integration) {
    require_armed(integration); // else the schema is not known by its OID here
    MirrorChange change = upgrade_mirror(integration, MirrorExtent::all_kinds);
    if (!change.tables.empty()) {
        apply_access_to_schema(integration.team, integration.schema_name);
    }
    json::Node answer = json::Node::object();
    answer.set("integration", integration.name)
        .set("from", static_cast<std::int64_t>(integration.mirror_version))
        .set("to", static_cast<std::int64_t>(stripe::mirror_version))
        .set("addedTables", name_list(change.tables))
        .set("addedColumns", name_list(change.columns))
        .set("addedIndexes", name_list(change.indexes));
    return answer;
}

std::string existing_role(Oid role) {
    char *name = OidIsValid(role) ? call([&] { return GetUserNameFromId(role, true); }) : nullptr;
    if (name == nullptr) {
        throw core::Error(core::Code::bad_argument, "argument \"owner\" is not a role");
    }
    return name;
}

json::Node arm_one(const Integration &integration) {
    check_sealed_keys(integration);
    std::string owner = integration.owner_name;
    Oid schema = find_mirror_by_name(integration.schema_name, owner);
    stamp_integration(integration.id, schema, owner);
    json::Node answer = json::Node::object();
    answer.set("integration", integration.name).set("schemaExists", OidIsValid(schema));
    return answer;
}

} // namespace

BILLSTACK_SQL_FUNCTION(billstack_upgrade_mirror) {
    std::vector<Integration> integrations =
        require_integrations(args.text(0, "team"), args.optional_text(1), Need::act);
    require_writable("upgrade_mirror");
    json::Node list = json::Node::array();
    for (const Integration &integration : integrations) {
        list.append(upgrade_one(integration));
    }
    json::Node answer = json::Node::object();
    answer.set("success", true).set("integrations", std::move(list));
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_set_owner) {
    std::string team = args.text(0, "team");
    std::string owner = existing_role(args.oid(1, "owner"));
    std::optional<std::string> name = args.optional_text(2);
    std::vector<Integration> integrations = require_integrations(team, name, Need::act);
    require_writable("set_owner");
    for (const Integration &integration : integrations) {
        require_armed(integration); // else the schema is not known by its OID here
        change_mirror_owner(integration, owner);
        set_integration_owner(integration.id, owner);
    }
    if (!name) {
        require_team(team, Need::act); // an integration's own owner may not give away the team
        set_team_owner(team, owner);
    }
    wake_worker_at_commit(); // a run in progress goes on as the new owner
    json::Node answer = json::Node::object();
    answer.set("success", true).set("owner", owner);
    return return_jsonb(answer);
}

// A copy made with TEMPLATE lacks the mark by which the launcher finds databases.
static void start_worker_of_copy() {
    UserContext user(extension_owner(), UserContext::Rights::plain);
    if (owns_database(MyDatabaseId, extension_owner())) {
        set_extension_mark();
    }
    wake_launcher_at_commit();
}

BILLSTACK_SQL_FUNCTION(billstack_arm) {
    std::string team = args.text(0, "team");
    require_team(team, Need::act);
    require_writable("arm");
    json::Node list = json::Node::array();
    for (const Integration &integration : load_integrations(team, std::nullopt)) {
        list.append(arm_one(integration));
    }
    start_worker_of_copy();
    json::Node answer = json::Node::object();
    answer.set("success", true).set("team", team).set("integrations", std::move(list));
    return return_jsonb(answer);
}

} // namespace billstack::pg
