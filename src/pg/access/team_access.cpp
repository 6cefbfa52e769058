#include "pg/access/team_access.hpp"

#include "pg/access/principal.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

bool caller_has_rights_of(const std::string &role_name) {
    Oid role = role_oid(role_name);
    return OidIsValid(role) && call([&] { return has_privs_of_role(GetUserId(), role); });
}

// Superusers have the rights of every role.
bool caller_owns_extension() {
    Oid owner = extension_owner();
    return call([&] { return has_privs_of_role(GetUserId(), owner); });
}

bool read_only_for(Need need) {
    return need == Need::see || need == Need::read_billing || need == Need::ask_entitlement;
}

bool suffices(const std::string &profile, Need need) {
    switch (need) {
    case Need::see:
        return profile != "policy";
    case Need::ask_entitlement:
        return profile != "webhook";
    case Need::receive:
        return profile == "admin" || profile == "app" || profile == "webhook";
    case Need::subscribe:
    case Need::write_billing:
        return profile == "admin" || profile == "app";
    case Need::read_billing:
        return profile == "admin" || profile == "app" || profile == "reader";
    case Need::act:
        break;
    }
    return profile == "admin";
}

bool may_use_integration(const Integration &integration, bool team_allowed) {
    return team_allowed || caller_has_rights_of(integration.owner_name);
}

core::Error unknown_integration(const std::string &team, const std::string &integration) {
    return core::Error(core::Code::unknown_object,
                       "integration \"" + integration + "\" of team \"" + team +
                           "\" does not exist",
                       "Integrations are created with billstack.connect().",
                       "See billstack.integrations for those that exist.");
}

// Whoever may see the team is told that more is needed; for all others it does not exist.
core::Error refusal(const std::string &team, Need need) {
    if (need != Need::see && may_use_team(team, Need::see)) {
        return core::Error(
            core::Code::not_allowed, "permission denied for team \"" + team + "\"",
            need == Need::act ? "It takes the team's owner or a role with the admin profile."
            : need == Need::subscribe
                ? "It takes the team's owner or a role with the app or admin profile."
                : "It takes the team's owner or a role with the webhook, app or "
                  "admin profile.",
            "Ask the team's owner to call billstack.grant_access().");
    }
    return unknown_team(team);
}

} // namespace

bool may_use_team(const std::string &team, Need need) {
    bool read_only = read_only_for(need);
    std::optional<std::string> owner = find_team_owner(team, read_only);
    if (!owner) {
        return false;
    }
    if (caller_owns_extension() || caller_has_rights_of(*owner)) {
        return true;
    }
    for (const AccessGrant &grant : access_grants_covering(team, read_only)) {
        if (suffices(grant.profile, need) && caller_has_rights_of(grant.role_name)) {
            return true;
        }
    }
    return false;
}

bool may_use_integration(const std::string &team, const std::string &integration, Need need) {
    std::vector<Integration> found = load_integrations(team, integration, read_only_for(need));
    return !found.empty() && may_use_integration(found.front(), may_use_team(team, need));
}

core::Error unknown_team(const std::string &team) {
    return core::Error(core::Code::unknown_object, "team \"" + team + "\" does not exist",
                       "There is no such team, or your role has no access to it.",
                       "Check the spelling, connect the team with billstack.connect(), or ask its "
                       "owner for access.");
}

void require_team(const std::string &team, Need need) {
    refuse_principal();
    core::check_slug(team, "team");
    if (!may_use_team(team, need)) {
        throw refusal(team, need);
    }
}

std::vector<Integration> require_integrations(const std::string &team,
                                              const std::optional<std::string> &integration,
                                              Need need) {
    refuse_principal();
    if (integration) {
        core::check_team_and_integration(team, *integration);
    } else {
        core::check_slug(team, "team");
    }
    bool team_allowed = may_use_team(team, need);
    std::vector<Integration> allowed;
    for (Integration &found : load_integrations(team, integration, read_only_for(need))) {
        if (may_use_integration(found, team_allowed)) {
            allowed.push_back(std::move(found));
        }
    }
    if (allowed.empty() && !team_allowed) {
        throw refusal(team, need);
    }
    if (allowed.empty() && integration) {
        throw unknown_integration(team, *integration);
    }
    return allowed;
}

Integration require_integration(const std::string &team, const std::string &integration,
                                Need need) {
    return std::move(require_integrations(team, integration, need).front());
}

std::string current_role_name() {
    char *name = call([] { return GetUserNameFromId(GetUserId(), false); });
    return name;
}

Oid role_oid(const std::string &name) {
    const char *text = name.c_str();
    return call([&] { return get_role_oid(text, true); });
}

void require_writable(const char *function_name) {
    if (RecoveryInProgress()) {
        throw core::Error(core::Code::in_recovery,
                          std::string("cannot execute ") + function_name + "() during recovery",
                          "A standby keeps no connection to Stripe.",
                          "Call it on the primary server.");
    }
    if (XactReadOnly) {
        throw core::Error(core::Code::in_recovery, std::string("cannot execute ") + function_name +
                                                       "() in a read-only transaction");
    }
}

} // namespace billstack::pg
