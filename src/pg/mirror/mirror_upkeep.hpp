// After a package upgrade: the worker brings every mirror to the catalogue's layout.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

class MirrorUpkeep {
  public:
    explicit MirrorUpkeep(const core::Clock &clock) : clock_(clock) {}
    // Upgrades at most one mirror, in a transaction of its own with the worker's lock timeout. What
    // cannot be upgraded now (a lock, a missing schema) is told in the integration's last_error and
    // tried again a minute later. Copies of another database are left alone until arm(). True:
    // there may be more to do at once.
    bool step();
    std::optional<core::MonoTime> next_retry() const;

  private:
    using Name = std::pair<std::string, std::string>; // team, integration
    const core::Clock &clock_;
    std::map<Name, core::MonoTime> retry_at_;
};

} // namespace billstack::pg
