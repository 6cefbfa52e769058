// For whom the running transaction acts: the API key that authenticate() was given. It lives in
// this process alone and ends with the transaction, or with the subtransaction that set it when
// that rolls back; no setting, role change or DISCARD touches it. It only ever takes rights away:
// what the caller's role may do is decided besides.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct Principal {
    std::string key_id;
    std::string team;
    std::optional<std::string> project_id; // nullopt: every project of the team
    std::vector<std::string> scopes;       // empty: all
};

// Holds until the transaction ends or the current subtransaction rolls back; replaces an earlier
// one for as long.
void set_principal(Principal principal);
// nullptr: the transaction has none. Valid until the next set_principal().
const Principal *current_principal() noexcept;
// Changes whenever current_principal() may answer otherwise: for what is remembered by it.
std::uint64_t principal_changes() noexcept;

// "customers:read" and the like, of features.md: an API key may name these and no others.
bool is_scope(std::string_view scope) noexcept;

// Nothing without a principal. core::Error(unknown_object), as of a project that does not exist,
// when it is bound to another team or project; not_allowed when it lacks the scope.
void check_principal(const std::string &team, const std::string &project_id,
                     std::string_view scope);
// The same as a question.
bool principal_allows(std::string_view team, std::string_view project_id, std::string_view scope);
// The transaction acts for a key of one project: what the team's other projects have is not to be
// told to it.
bool is_bound_to_project() noexcept;
// core::Error(not_allowed) with a principal: functions on teams never accept an API key.
void refuse_principal();

// One text for projects that are unknown, foreign, or out of the API key's reach.
core::Error unknown_project(const std::string &id);

} // namespace billstack::pg
