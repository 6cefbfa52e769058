#include "pg/inbox/receiving.hpp"

#include "pg/access/principal.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/inbox/inbox_store.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t most_kept = 256; // integrations; their secrets are few

using Key = std::pair<std::string, std::string>;
using View = std::pair<std::string_view, std::string_view>;

struct ByName {
    using is_transparent = void;
    bool operator()(const auto &a, const auto &b) const { return View(a) < View(b); }
};

struct Kept {
    std::map<Key, Receiving, ByName> integrations;
    std::array<Oid, 4> tables{};
};

// Plain pointer: a destructor would run after the server's own end. The secrets are wiped before.
Kept *kept = nullptr;
bool stale = false;

// May run at any moment in which the server takes messages, with a Receiving in use: only notes it.
void on_relation_changed(Datum, Oid relation) {
    if (kept != nullptr &&
        (relation == InvalidOid ||
         std::find(kept->tables.begin(), kept->tables.end(), relation) != kept->tables.end())) {
        stale = true;
    }
}

void at_exit(int, Datum) {
    delete std::exchange(kept, nullptr);
}

Kept &kept_here() {
    if (kept == nullptr) {
        auto made = std::make_unique<Kept>();
        call([] {
            before_shmem_exit(at_exit, 0);
            CacheRegisterRelcacheCallback(on_relation_changed, 0);
        });
        kept = made.release();
        stale = true;
    }
    return *kept;
}

// Before anything is read from the tables: a change that comes after is noticed.
void look_for_tables(Kept &here) {
    static constexpr std::array<const char *, 4> names = {"team", "integration", "sealed_key",
                                                          "access_grant"};
    here.integrations.clear();
    stale = false;
    call([&] {
        Oid schema = get_namespace_oid("billstack_internal", false);
        for (std::size_t i = 0; i < names.size(); ++i) {
            here.tables[i] = get_relname_relid(names[i], schema);
        }
    });
}

bool is_member_of_any(const std::vector<std::string> &roles) {
    return std::any_of(roles.begin(), roles.end(), [](const std::string &name) {
        Oid role = role_oid(name);
        return OidIsValid(role) && call([&] { return has_privs_of_role(GetUserId(), role); });
    });
}

// For its error, and for those whom the list of roles does not know.
void require_by_the_rule(const Receiving &found) {
    (void)require_integration(found.team, found.name, Need::receive);
}

Receiving load(const std::string &team, const std::string &name) {
    std::optional<ReceivingIntegration> found = load_receiving(team, name);
    if (!found) {
        (void)require_integration(team, name, Need::receive); // throws what is to be said of it
        found = load_receiving(team, name);
    }
    Receiving receiving;
    if (!found) {
        throw core::Error(core::Code::unknown_object, "the integration has just been removed");
    }
    receiving.id = found->integration.id;
    receiving.team = team;
    receiving.name = name;
    receiving.secret_state = found->integration.webhook_secret_state;
    receiving.roles = std::move(found->roles);
    return receiving;
}

void open_secrets(Receiving &receiving) {
    Integration integration;
    integration.id = receiving.id;
    integration.team = receiving.team;
    integration.name = receiving.name;
    for (OpenedKey &opened : open_webhook_secrets(integration)) {
        receiving.secrets.push_back({std::move(opened.secret), opened.valid_until});
    }
}

Receiving &find_or_load(Kept &here, std::string_view team, std::string_view name) {
    auto found = here.integrations.find(View(team, name));
    if (found != here.integrations.end()) {
        return found->second;
    }
    core::check_team_and_integration(team, name);
    if (here.integrations.size() >= most_kept) {
        here.integrations.clear();
    }
    Key key{std::string(team), std::string(name)};
    Receiving receiving = load(key.first, key.second);
    return here.integrations.emplace(std::move(key), std::move(receiving)).first->second;
}

} // namespace

const Receiving &require_receiving(std::string_view team, std::string_view name) {
    refuse_principal();
    Kept &here = kept_here();
    LocalTransactionId transaction = own_local_transaction();
    call([] { AcceptInvalidationMessages(); });
    if (stale) {
        look_for_tables(here);
    }
    Receiving &found = find_or_load(here, team, name);
    if (found.checked_in == transaction && found.checked_for == GetUserId()) {
        return found;
    }
    found.extension_owner = extension_owner();
    Oid owner = found.extension_owner;
    if (!is_member_of_any(found.roles) &&
        !call([&] { return has_privs_of_role(GetUserId(), owner); })) {
        require_by_the_rule(found);
    }
    if (found.secrets.empty() && found.secret_state == "set") {
        open_secrets(found); // only for those who may: nobody else learns whether they open
    }
    found.checked_in = transaction;
    found.checked_for = GetUserId();
    return found;
}

} // namespace billstack::pg
