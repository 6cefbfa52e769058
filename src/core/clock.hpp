// Time as a parameter: everything below src/pg asks a Clock, so tests own the time.
#pragma once
#include "core/pure.hpp"

#include <chrono>
#include <cstdint>

namespace billstack::core {

using MonoTime = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

class Clock {
  public:
    virtual ~Clock() = default;
    // For durations and deadlines; never goes back.
    virtual MonoTime mono() const = 0;
    // Microseconds since 1970, by this machine's clock. Never compared with Stripe's times.
    virtual std::int64_t unix_us() const = 0;
};

class SystemClock final : public Clock {
  public:
    MonoTime mono() const override { return std::chrono::steady_clock::now(); }
    std::int64_t unix_us() const override {
        using namespace std::chrono;
        return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
    }
};

} // namespace billstack::core
