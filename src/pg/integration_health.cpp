// The integrations' part of health(): one row a problem, one row "ok" for each without any.
#include "pg/health.hpp"

#include "pg/health_store.hpp"
#include "pg/integration_store.hpp"
#include "pg/mirror_admin.hpp"
#include "pg/team_access.hpp"

namespace billstack::pg {

namespace {

std::string quoted_call(const char *function, const std::string &team,
                        const std::string &integration) {
    std::string text = std::string("billstack.") + function + "('" + team + "'";
    if (integration != "default") {
        text += ", integration => '" + integration + "'";
    }
    return text + ")";
}

// Problems of one integration, worst first.
std::vector<HealthCheck> problems_of(const Integration &found) {
    std::string name = "integration " + found.team + "/" + found.name;
    std::vector<HealthCheck> problems;
    auto add = [&](const char *status, std::string detail, std::optional<std::string> hint) {
        problems.push_back({name, status, std::move(detail), std::move(hint)});
    };
    auto advise = [&](const char *function) {
        return "Call " + quoted_call(function, found.team, found.name) + ".";
    };
    if (!OidIsValid(role_oid(found.owner_name))) {
        add("fail", "its owner, role \"" + found.owner_name + "\", does not exist",
            "Call billstack.set_owner('" + found.team + "', <role>).");
    }
    if (found.is_copy()) {
        add("warn", *found.shown_error(), "Call billstack.arm('" + found.team + "').");
        return problems; // the rest is about the place the copy was made from
    }
    if (!schema_exists(found.schema_oid)) {
        add("fail", "its schema \"" + found.schema_name + "\" does not exist",
            advise("disconnect") + " Then connect it again.");
    }
    if (!found.key_valid) {
        add("fail", "Stripe rejected its key", advise("rotate_keys"));
    }
    if (!found.is_active) {
        add("warn", "it is not active", {});
    }
    std::optional<LastRun> run = last_run_of(found.id);
    if (run && run->state == "failed") {
        add("fail", "backfill " + std::to_string(run->id) + " failed: " + run->error.value_or(""),
            advise("backfill"));
    }
    if (found.last_error && !(run && run->error == found.last_error)) {
        add("warn", *found.last_error, {});
    }
    if (found.mirror_version < stripe::mirror_version) {
        add("warn",
            "its mirror is version " + std::to_string(found.mirror_version) + " of " +
                std::to_string(stripe::mirror_version),
            advise("upgrade_mirror"));
    }
    return problems;
}

bool has_rights_of(const std::string &role_name) {
    Oid role = role_oid(role_name);
    return OidIsValid(role) && call([&] { return has_privs_of_role(GetUserId(), role); });
}

} // namespace

std::vector<HealthCheck> integration_health() {
    std::vector<HealthCheck> checks;
    for (const std::string &team : all_teams()) {
        bool team_visible = may_use_team(team, Need::see);
        for (const Integration &found : load_integrations(team, std::nullopt, true)) {
            if (!team_visible && !has_rights_of(found.owner_name)) {
                continue;
            }
            std::vector<HealthCheck> problems = problems_of(found);
            if (problems.empty()) {
                problems.push_back({"integration " + found.team + "/" + found.name,
                                    "ok",
                                    found.shown_sync_status(),
                                    {}});
            }
            std::move(problems.begin(), problems.end(), std::back_inserter(checks));
        }
    }
    return checks;
}

} // namespace billstack::pg
