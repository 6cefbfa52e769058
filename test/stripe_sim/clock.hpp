// The simulator's clock: this machine's, moved, set or standing still. Unix seconds.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>

namespace stripe_sim {

struct SimClock {
    int64_t offset = 0;
    std::optional<int64_t> standing; ///< set: time does not pass

    int64_t now() const { return standing ? *standing : std::time(nullptr) + offset; }
};

} // namespace stripe_sim
