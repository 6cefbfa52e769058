#include "stripe/call_lanes.hpp"

#include <algorithm>

namespace billstack::stripe {

CallLane &CallLanes::join(Priority priority, RateKey key) {
    CallLane &lane = lanes_of(priority)[{key.account, key.endpoint}];
    if (lane.calls++ == 0) {
        lane.key = std::move(key);
        lane.priority = priority;
    }
    return lane;
}

void CallLanes::leave(CallLane &lane) {
    if (--lane.calls == 0)
        lanes_of(lane.priority).erase(std::pair(lane.key.account, lane.key.endpoint));
}

CallLane *CallLanes::next(Priority priority, core::MonoTime now) {
    CallLane *found = nullptr;
    for (auto &[name, lane] : lanes_of(priority)) {
        if (!lane.waiting.empty() && lane.not_before <= now &&
            (found == nullptr || lane.waiting.front() < found->waiting.front()))
            found = &lane;
    }
    return found;
}

std::optional<core::MonoTime> CallLanes::next_time(Priority priority) const {
    std::optional<core::MonoTime> earliest;
    for (const auto &[name, lane] : lanes_[priority == Priority::user ? 0 : 1]) {
        if (!lane.waiting.empty())
            earliest = std::min(earliest.value_or(lane.not_before), lane.not_before);
    }
    return earliest;
}

int CallLanes::accounts() const {
    int count = 0;
    const std::string *last = nullptr; // lanes are sorted by account
    for (const auto &[name, lane] : lanes_[1]) {
        count += last == nullptr || *last != name.first ? 1 : 0;
        last = &name.first;
    }
    return count;
}

} // namespace billstack::stripe
