// The ledger's partitions, one a week (Monday 00:00 UTC to the next): made ahead, dropped after
// billstack.inbox_retention. They are members of the extension, so that a dump leaves them alone.
// Also clears what nobody needs any more beside the ledger.
#pragma once
#include "core/clock.hpp"
#include "pg/bridge/guard.hpp"

#include <optional>

namespace billstack::pg {

class LedgerUpkeep {
  public:
    explicit LedgerUpkeep(const core::Clock &clock) : clock_(clock) {}
    // At most once an hour, or a minute after trouble; trouble is logged, not raised.
    void step();

  private:
    const core::Clock &clock_;
    std::optional<core::MonoTime> next_;
};

} // namespace billstack::pg
