// Delays between attempts: doubling from `first` up to `ceiling`, spread by jitter so that many
// waiters do not return at once.
#pragma once
#include "core/clock.hpp"
#include "core/pure.hpp"

namespace billstack::core {

struct Backoff {
    Milliseconds first{500};
    Milliseconds ceiling{5000};
    Milliseconds floor{0};    // the jittered delay is never below this
    double jitter_from = 0.5; // the delay is multiplied by a number from [jitter_from, 1)

    // Delay after the failure_count-th failure in a row (1 or more; less counts as 1).
    // unit_random: from [0, 1), by the caller's generator; values outside are clamped.
    Milliseconds delay(int failure_count, double unit_random) const;
};

} // namespace billstack::core
