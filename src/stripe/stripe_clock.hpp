// Stripe's clock, as far as it is known.
#pragma once
#include "core/clock.hpp"

#include <cstdint>

namespace billstack::stripe {

// Follows Stripe's clock through Date headers and our monotonic clock; the database's own clock
// may be minutes off and plays no part.
class StripeClock {
  public:
    // date_seconds: the Date header of an answer that was here at `received`.
    void observe(std::int64_t date_seconds, core::MonoTime received);
    // Greatest known lower bound of Stripe's time at `now`, unix seconds; 0 before the first
    // observation.
    std::int64_t lower_bound(core::MonoTime now) const;
    bool known() const { return known_; }

  private:
    bool known_ = false;
    std::int64_t date_seconds_ = 0;
    core::MonoTime received_{};
};

} // namespace billstack::stripe
