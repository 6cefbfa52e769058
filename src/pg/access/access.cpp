// Grants are recorded by role name and applied at once; whatever comes later (schemas, tables,
// functions) is given to the recorded roles when it comes. No role is ever made here.
#include "pg/access/access.hpp"

#include "pg/access/access_store.hpp"
#include "pg/access/principal.hpp"
#include "pg/access/team_access.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr unsigned admin = 1;
constexpr unsigned app = 2;
constexpr unsigned webhook = 4;
constexpr unsigned reader = 8;
constexpr unsigned policy = 16;

struct Profile {
    const char *name;
    unsigned bit;
    bool reads_mirrors;
};
constexpr Profile profiles[] = {{"admin", admin, true},
                                {"app", app, true},
                                {"webhook", webhook, false},
                                {"reader", reader, true},
                                {"policy", policy, false}};

// Functions and views of schema billstack, by name. Each checks by itself which teams the caller
// may use; this table says who may call at all. What is not listed is for the extension's owner.
struct GrantedObject {
    const char *name;
    unsigned profiles;
};
constexpr GrantedObject granted_objects[] = {
    {"adopt_product", admin | app},
    {"analytics", admin | app | reader},
    {"arm", admin},
    {"assign_customers", admin | app},
    {"authenticate", admin | app},
    {"backfill", admin},
    {"backfills", admin | app | reader},
    {"billing_health", admin | app | reader},
    {"calls", admin | app | reader},
    {"cancel_backfill", admin},
    {"cancel_subscription", admin | app},
    {"check_keys", admin},
    {"connect", admin},
    {"create_api_key", admin},
    {"create_checkout", admin | app},
    {"create_customer", admin | app},
    {"create_portal_session", admin | app},
    {"create_price", admin | app},
    {"create_product", admin | app},
    {"create_project", admin},
    {"create_refund", admin | app},
    {"create_setup_checkout", admin | app},
    {"create_webhook_endpoint", admin},
    {"delete_customer", admin | app},
    {"disconnect", admin},
    {"event_json", admin | app | reader},
    {"failed_events", admin | app | reader},
    {"failed_handler_calls", admin | app | reader},
    {"get_customer", admin | app | reader},
    {"get_price", admin | app | reader},
    {"get_product", admin | app | reader},
    {"get_subscription", admin | app | reader},
    {"grant_access", admin},
    {"has_active_subscription", admin | app | reader | policy},
    {"has_feature", admin | app | reader | policy},
    {"health", admin | app | reader},
    {"inbox_counters", admin | app | reader},
    {"inbox_status", admin | app | reader},
    {"integrations", admin | app | reader},
    {"link_project", admin},
    {"list_api_keys", admin},
    {"list_customers", admin | app | reader},
    {"list_invoices", admin | app | reader},
    {"list_payments", admin | app | reader},
    {"list_prices", admin | app | reader},
    {"list_products", admin | app | reader},
    {"list_projects", admin | app | reader},
    {"list_subscriptions", admin | app | reader},
    {"map_account", admin | app},
    {"mrr", admin | app | reader},
    {"receive_webhook", admin | app | webhook},
    {"receive_webhook_raw", admin | app | webhook},
    {"refetches", admin | app | reader},
    {"relink_project", admin},
    {"replay", admin},
    {"retry_failed", admin},
    {"revoke_access", admin},
    {"revoke_api_key", admin},
    {"rotate_keys", admin},
    {"run_backfill", admin},
    {"set_owner", admin},
    {"set_webhook_secret", admin},
    {"status", admin | app | reader},
    {"subscribe", admin | app},
    {"subscriptions", admin | app | reader},
    {"sync_progress", admin | app | reader},
    {"unlink_project", admin},
    {"unsubscribe", admin | app},
    {"update_customer", admin | app},
    {"update_price", admin | app},
    {"update_product", admin | app},
    {"update_subscription", admin | app},
    {"upgrade_mirror", admin},
    {"validate", admin},
    {"webhook_events", admin | app | reader},
    {"webhook_inbox", admin | app | webhook},
    {"webhook_url", admin | app},
};

const Profile *find_profile(const std::string &name) {
    for (const Profile &profile : profiles) {
        if (name == profile.name) {
            return &profile;
        }
    }
    return nullptr;
}

const Profile &require_profile(const std::string &name) {
    const Profile *profile = find_profile(name);
    if (profile == nullptr) {
        throw core::Error(core::Code::bad_argument, "unknown access profile \"" + name + "\"",
                          "Profiles are admin, app, webhook, reader and policy.");
    }
    return *profile;
}

// An unknown profile in the table is from a newer version: it gives nothing here.
unsigned bit_of(const std::string &profile) {
    const Profile *found = find_profile(profile);
    return found == nullptr ? 0 : found->bit;
}

bool reads_mirrors(const RecordedGrant &grant) {
    const Profile *found = find_profile(grant.profile);
    return found != nullptr && found->reads_mirrors;
}

// Of the objects the first set of profiles has and the second has not.
std::vector<std::string> object_names(unsigned having, unsigned not_having) {
    std::vector<std::string> names;
    for (const GrantedObject &object : granted_objects) {
        if ((object.profiles & having) != 0 && (object.profiles & not_having) == 0) {
            names.emplace_back(object.name);
        }
    }
    return names;
}

void give_objects(const RecordedGrant &grant) {
    change_schema_usage(Change::give, grant.role_name);
    change_objects(Change::give, grant.role_name, object_names(bit_of(grant.profile), 0));
}

void give_mirrors(const RecordedGrant &grant) {
    if (reads_mirrors(grant)) {
        change_mirrors(Change::give, grant.role_name, {grant.team, std::nullopt, {}});
    }
}

// Takes what `gone` gave, except what the grants that are left still give.
void take_back(const RecordedGrant &gone, const std::vector<RecordedGrant> &left) {
    unsigned kept = 0;
    bool all_mirrors_kept = false;
    std::vector<std::string> kept_teams;
    for (const RecordedGrant &grant : left) {
        kept |= bit_of(grant.profile);
        if (reads_mirrors(grant)) {
            all_mirrors_kept = all_mirrors_kept || grant.team.empty();
            kept_teams.push_back(grant.team);
        }
    }
    change_objects(Change::take, gone.role_name, object_names(bit_of(gone.profile), kept));
    if (left.empty()) {
        change_schema_usage(Change::take, gone.role_name);
    }
    if (reads_mirrors(gone) && !all_mirrors_kept) {
        change_mirrors(Change::take, gone.role_name, {gone.team, std::nullopt, kept_teams});
    }
}

// All teams: the extension's owner, superusers, and admins of all teams.
bool may_use_all_teams() {
    Oid owner = extension_owner();
    if (call([&] { return has_privs_of_role(GetUserId(), owner); })) {
        return true;
    }
    for (const AccessGrant &grant : access_grants_covering("")) {
        Oid role = role_oid(grant.role_name);
        if (grant.profile == "admin" && OidIsValid(role) &&
            call([&] { return has_privs_of_role(GetUserId(), role); })) {
            return true;
        }
    }
    return false;
}

std::string name_of_role(Oid role) {
    char *name = call([&] { return GetUserNameFromId(role, true); });
    if (name == nullptr) {
        throw core::Error(core::Code::unknown_object, "role does not exist");
    }
    return name;
}

// The arguments of both functions, checked; the caller's right to act included.
RecordedGrant grant_of(const Args &args, const char *function_name) {
    require_writable(function_name);
    refuse_principal();
    RecordedGrant grant;
    Oid role = args.oid(0, "role");
    grant.profile = require_profile(args.text(1, "profile")).name;
    grant.role_name = name_of_role(role);
    if (std::optional<std::string> team = args.optional_text(2)) {
        require_team(*team, Need::act);
        grant.team = *team;
    } else if (!may_use_all_teams()) {
        throw core::Error(core::Code::not_allowed,
                          "permission denied to change access to all teams",
                          "Without a team this takes the extension's owner or an admin of all "
                          "teams.",
                          "Name the team.");
    }
    return grant;
}

Datum answer(const RecordedGrant &grant, bool changed) {
    json::Node node = json::Node::object();
    node.set("success", true).set("role", grant.role_name).set("profile", grant.profile);
    if (grant.team.empty()) {
        node.set_null("team");
    } else {
        node.set("team", grant.team);
    }
    node.set("changed", changed);
    return return_jsonb(node);
}

// What an extension's script grants counts as initial and pg_dump leaves it out; these grants are
// the user's, so the script's mark is off meanwhile (an error resets it, extension.c).
class OutsideExtensionScript {
  public:
    OutsideExtensionScript() : outer_(creating_extension) { creating_extension = false; }
    ~OutsideExtensionScript() { creating_extension = outer_; }
    OutsideExtensionScript(const OutsideExtensionScript &) = delete;
    OutsideExtensionScript &operator=(const OutsideExtensionScript &) = delete;

  private:
    bool outer_;
};

} // namespace

void apply_access_to_schema(const std::string &team, const std::string &schema) {
    lock_grants(GrantLock::reader);
    std::set<std::string> roles;
    for (const RecordedGrant &grant : applicable_grants()) {
        if (reads_mirrors(grant) && (grant.team.empty() || grant.team == team)) {
            roles.insert(grant.role_name);
        }
    }
    for (const std::string &role : roles) {
        change_mirrors(Change::give, role, {team, schema, {}});
    }
}

void apply_all_access() {
    bool in_script = creating_extension;
    lock_grants(GrantLock::writer);
    for (const RecordedGrant &grant : applicable_grants()) {
        OutsideExtensionScript scope;
        give_objects(grant);
        // A script does not touch mirrors: they are the teams'.
        if (!in_script) {
            give_mirrors(grant);
        }
    }
}

} // namespace billstack::pg

BILLSTACK_SQL_FUNCTION(billstack_grant_access) {
    using namespace billstack::pg;
    RecordedGrant grant = grant_of(args, "grant_access");
    lock_grants(GrantLock::writer);
    bool changed = insert_grant(grant);
    // Given again when it was recorded before: rights taken by hand come back.
    give_objects(grant);
    give_mirrors(grant);
    return answer(grant, changed);
}

BILLSTACK_SQL_FUNCTION(billstack_revoke_access) {
    using namespace billstack::pg;
    RecordedGrant grant = grant_of(args, "revoke_access");
    lock_grants(GrantLock::writer);
    bool changed = delete_grant(grant);
    if (changed) {
        take_back(grant, grants_of(grant.role_name));
    }
    return answer(grant, changed);
}

BILLSTACK_SQL_FUNCTION(billstack_apply_access) {
    billstack::pg::apply_all_access();
    return static_cast<Datum>(0);
}
