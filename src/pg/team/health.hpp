// The checks of billstack.health(): what a DBA would look at, each with what to do about it. The
// caller sees the server's checks and the integrations of his teams; names of files and of roles
// only as the extension's owner.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

struct HealthCheck {
    std::string name;
    const char *status; // "ok", "warn" or "fail"
    std::string detail;
    std::optional<std::string> hint;
};

std::vector<HealthCheck> server_health();
std::vector<HealthCheck> integration_health();

} // namespace billstack::pg
