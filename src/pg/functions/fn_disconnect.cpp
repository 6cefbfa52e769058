// billstack.disconnect: ends an integration and drops what billstack made for it, nothing else.
#include "pg/inbox/inbox_store.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/projects/project_link.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

BILLSTACK_SQL_FUNCTION(billstack_disconnect) {
    bool drop_dependents = args.boolean(2, "drop_dependents");
    Integration integration =
        require_integration(args.text(0, "team"), args.text(1, "integration"), Need::act);
    require_writable("disconnect");
    refuse_while_projects_are_linked(integration);
    hold_open_run(integration.id);
    delete_queue(integration.id); // before the mirror: the worker locks in this order too
    std::optional<std::string> dropped = drop_mirror(integration, drop_dependents);
    if (cancel_open_run(integration.id, "the integration was disconnected")) {
        wake_worker_at_commit();
    }
    delete_ledger(integration.id);
    delete_integration(integration.id);
    forget_counters_at_commit(integration.id);
    delete_team_without_integrations(integration.team);
    json::Node answer = json::Node::object();
    answer.set("success", true).set("droppedSchema", dropped);
    return return_jsonb(answer);
}

} // namespace billstack::pg
