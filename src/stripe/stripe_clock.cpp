// A Date header is a whole second cut off, made before it was received: each is a lower bound.
#include "stripe/stripe_clock.hpp"

#include <chrono>

namespace billstack::stripe {

namespace {

// Two clocks drift apart. A bound older than this gives way to a fresh one even if it is lower; in
// this time 100 parts per million make 6 ms.
constexpr std::chrono::seconds bound_lifetime{60};

} // namespace

void StripeClock::observe(std::int64_t date_seconds, core::MonoTime received) {
    if (known_ && received - received_ < bound_lifetime) {
        const auto held = std::chrono::ceil<std::chrono::seconds>(received - received_);
        if (date_seconds - date_seconds_ < held.count())
            return; // a slow answer: what is known says more
    }
    known_ = true;
    date_seconds_ = date_seconds;
    received_ = received;
}

std::int64_t StripeClock::lower_bound(core::MonoTime now) const {
    if (!known_)
        return 0;
    return date_seconds_ + std::chrono::floor<std::chrono::seconds>(now - received_).count();
}

} // namespace billstack::stripe
