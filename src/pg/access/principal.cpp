#include "pg/access/principal.hpp"

namespace billstack::pg {

namespace {

struct Held {
    Principal principal;
    SubTransactionId subtransaction;
};

// The last one counts. Plain pointer: a destructor would run while the server takes itself apart.
std::vector<Held> *held = nullptr;
std::uint64_t changes = 0;

constexpr std::array<std::string_view, 9> scopes = {
    "customers:read", "customers:write",    "products:read",
    "products:write", "subscriptions:read", "subscriptions:write",
    "referrals:read", "referrals:write",    "analytics:read"};

// Neither callback allocates or can fail.
void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE || held->empty()) {
        return;
    }
    held->clear();
    ++changes;
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void *) {
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
        for (Held &one : *held) {
            if (one.subtransaction == own) {
                one.subtransaction = parent;
            }
        }
    } else if (event == SUBXACT_EVENT_ABORT_SUB) {
        changes += std::erase_if(*held, [&](const Held &one) { return one.subtransaction == own; });
    }
}

std::vector<Held> &all_held() {
    if (held == nullptr) {
        auto made = std::make_unique<std::vector<Held>>();
        call([] {
            RegisterXactCallback(at_transaction_end, nullptr);
            RegisterSubXactCallback(at_subtransaction_end, nullptr);
        });
        held = made.release();
    }
    return *held;
}

bool reaches(const Principal &principal, std::string_view team, std::string_view project_id) {
    return principal.team == team && (!principal.project_id || *principal.project_id == project_id);
}

bool has_scope(const Principal &principal, std::string_view scope) {
    return principal.scopes.empty() || std::find(principal.scopes.begin(), principal.scopes.end(),
                                                 scope) != principal.scopes.end();
}

} // namespace

void set_principal(Principal principal) {
    std::vector<Held> &all = all_held();
    SubTransactionId current = GetCurrentSubTransactionId();
    ++changes;
    if (!all.empty() && all.back().subtransaction == current) {
        all.back().principal = std::move(principal);
    } else {
        all.push_back({std::move(principal), current});
    }
}

const Principal *current_principal() noexcept {
    return held == nullptr || held->empty() ? nullptr : &held->back().principal;
}

std::uint64_t principal_changes() noexcept {
    return changes;
}

bool is_scope(std::string_view scope) noexcept {
    return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

void check_principal(const std::string &team, const std::string &project_id,
                     std::string_view scope) {
    const Principal *principal = current_principal();
    if (principal == nullptr) {
        return;
    }
    if (!reaches(*principal, team, project_id)) {
        throw unknown_project(project_id);
    }
    if (!has_scope(*principal, scope)) {
        throw core::Error(core::Code::not_allowed,
                          "the API key lacks the scope \"" + std::string(scope) + "\"",
                          "An API key with scopes may do what they name and nothing else.",
                          "Create a key with this scope.");
    }
}

bool principal_allows(std::string_view team, std::string_view project_id, std::string_view scope) {
    const Principal *principal = current_principal();
    return principal == nullptr ||
           (reaches(*principal, team, project_id) && has_scope(*principal, scope));
}

bool is_bound_to_project() noexcept {
    const Principal *principal = current_principal();
    return principal != nullptr && principal->project_id.has_value();
}

void refuse_principal() {
    if (current_principal() != nullptr) {
        throw core::Error(core::Code::not_allowed, "an API key does not reach functions on teams",
                          "This transaction acts for an API key, which reaches the projects of its "
                          "team and nothing else.",
                          "Call it in a transaction without billstack.authenticate().");
    }
}

core::Error unknown_project(const std::string &id) {
    return core::Error(core::Code::unknown_object, "project \"" + id + "\" does not exist",
                       "There is no such project, or you have no access to it.",
                       "Check the id, or ask the team's owner for access.");
}

} // namespace billstack::pg
