// Back-off arithmetic in doubles, so that no attempt count overflows.
#include "core/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace billstack::core {

Milliseconds Backoff::delay(int failure_count, double unit_random) const {
    const double doublings = std::max(failure_count, 1) - 1;
    const double whole = std::min(static_cast<double>(first.count()) * std::exp2(doublings),
                                  static_cast<double>(ceiling.count()));
    const double unit = unit_random >= 0.0 ? std::min(unit_random, 1.0) : 0.0;
    const double jittered = whole * (jitter_from + (1.0 - jitter_from) * unit);
    return std::max(floor, Milliseconds(static_cast<Milliseconds::rep>(jittered)));
}

} // namespace billstack::core
