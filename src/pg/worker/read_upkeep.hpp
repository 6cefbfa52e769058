// Stores what was read from Stripe now and then, so that no call writes a row. A crash of the
// server forgets a few seconds' worth.
#pragma once
#include "pg/bridge/guard.hpp"

#include <optional>

namespace billstack::pg {

class ReadUpkeep {
  public:
    explicit ReadUpkeep(const core::Clock &clock) : clock_(clock) {}
    // At most every five seconds while there is something to store.
    void work();
    std::optional<core::MonoTime> next_retry() const;

  private:
    const core::Clock &clock_;
    core::MonoTime due_{};
};

} // namespace billstack::pg
