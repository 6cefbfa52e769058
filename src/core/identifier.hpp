// Slugs and the names made from them (sql-api.md, Conventions): `[a-z0-9]+(_[a-z0-9]+)*`.
#pragma once
#include "core/pure.hpp"

#include <string>
#include <string_view>

namespace billstack::core {

// what: "team" or "integration", for the message. Throws Error(bad_argument): empty, over 40 bytes
// (team), or not of the pattern.
void check_slug(std::string_view slug, std::string_view what);
// Checks both and that together they are at most 49 bytes when the integration is not "default".
void check_team_and_integration(std::string_view team, std::string_view integration);
// stripe_team_<team> or stripe_team_<team>__<integration>
std::string mirror_schema_name(std::string_view team, std::string_view integration);

} // namespace billstack::core
