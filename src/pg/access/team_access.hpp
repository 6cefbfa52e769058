// Who may act on a team. For everybody else the team does not exist: unknown and foreign teams
// raise the same error. Roles are kept by name and looked up at each call.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct Integration;

// see: status, addresses, rows of views. receive: handing in events. subscribe: handlers.
// ask_entitlement: who has paid for what. read_billing, write_billing: what is in projects. act:
// everything else.
enum class Need { see, receive, subscribe, ask_entitlement, read_billing, write_billing, act };

// The extension's owner, superusers, the team's owner (members included); holders of an `admin`
// grant that covers the team, for Need::receive of a `webhook` or `app` grant too, for
// Need::subscribe and write_billing of an `app` grant too, for Need::read_billing of an `app` or
// `reader` grant too, for Need::ask_entitlement of a `policy` grant besides, for Need::see of any
// grant but `policy`.
bool may_use_team(const std::string &team, Need need);

// The same for one integration, whose own owner may too. False when there is none.
bool may_use_integration(const std::string &team, const std::string &integration, Need need);

// Throws core::Error(unknown_object) for a team that is unknown or foreign, not_allowed for one
// that the caller may see, but not as much.
void require_team(const std::string &team, Need need);

// The error of require_team.
core::Error unknown_team(const std::string &team);

// Checks the slugs (core::Error(bad_argument)), then access, then loads. An integration's own owner
// may use it like the team's owner. Throws core::Error(unknown_object).
Integration require_integration(const std::string &team, const std::string &integration, Need need);

// All integrations of a team, or the named one; the rules of require_integration.
std::vector<Integration> require_integrations(const std::string &team,
                                              const std::optional<std::string> &integration,
                                              Need need);

std::string current_role_name();
// InvalidOid when there is no such role (any more).
Oid role_oid(const std::string &name);

// Throws core::Error(in_recovery) where nothing can be written: standby, read-only transaction.
void require_writable(const char *function_name);

} // namespace billstack::pg
