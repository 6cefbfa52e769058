// What health() reads from tables. Every function opens SPI itself, as the extension's owner.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

std::string installed_extension_version(); // "" when there is none
// The mark of this database (pg/extension_mark.hpp).
bool database_is_marked();
std::vector<std::string> all_teams();

struct LastRun {
    std::int64_t id;
    std::string state;
    std::optional<std::string> error;
    std::optional<std::string> hint;
    std::int64_t age_s = 0; // since it was asked for
    // Why its open ranges wait, and why objects that lists no longer show cannot be read; "" for
    // no trouble.
    std::string waits_for;
    std::vector<std::string> skipped;
};
std::optional<LastRun> last_run_of(std::int32_t integration_id);

} // namespace billstack::pg
