// The queue of a Caller: a lane for the calls of one priority that count against the same limits.
// Within a lane calls go in the order in which they came; a lane that waits for a token is
// overtaken by the others.
#pragma once
#include "stripe/rate_gate.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

namespace billstack::stripe {

using CallId = std::uint64_t;

struct CallLane {
    RateKey key;
    Priority priority = Priority::background;
    std::deque<CallId> waiting;
    core::MonoTime not_before{}; // the gate has said so
    std::size_t calls = 0;       // that have not ended, waiting or not
};

class CallLanes {
  public:
    // One more call; the lane stays until it has ended.
    CallLane &join(Priority priority, RateKey key);
    void leave(CallLane &lane);
    // The lane whose first call is the oldest, of those that may go; nullptr: none.
    CallLane *next(Priority priority, core::MonoTime now);
    // When the first of them may go; nullopt: nothing waits.
    std::optional<core::MonoTime> next_time(Priority priority) const;
    // Of background calls that have not ended.
    int accounts() const;

  private:
    using Map = std::map<std::pair<std::string, std::string>, CallLane>;
    Map &lanes_of(Priority priority) { return lanes_[priority == Priority::user ? 0 : 1]; }

    Map lanes_[2]; // by priority
};

} // namespace billstack::stripe
