// Stripe's limits on requests: per account and per operation, on the rate and on what is in flight.
// Strict: never more than so many accepted requests in any second, whenever it begins.
#pragma once

#include "json_util.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace stripe_sim {

class Limits {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// 0: no limit.
    struct Settings {
        uint64_t rate = 0;
        uint64_t endpoint_rate = 0;
        uint64_t concurrency = 0;
        uint64_t endpoint_concurrency = 0;
        int64_t retry_after = 0; ///< seconds, of refusals; 0: no such header
    };

    void set(const Settings &settings) { settings_ = settings; }
    /// Members as those of Settings; what is not named is 0. Forgets what was counted.
    void load(const json_t *settings);
    const Settings &settings() const { return settings_; }

    /// "" when the request is accepted, else the value of Stripe-Rate-Limited-Reason.
    std::string admit(const std::string &account, const std::string &operation, Time now);
    /// It is answered only then.
    void note_end(const std::string &account, const std::string &operation, Time end);
    /// {"settings", "refused": {reason: n}, "busiest_second": n, "endpoints": {"GET /v1/...":
    /// {"requests", "refused", "busiest_second"}}}; requests that were refused count.
    std::string report() const;
    void reset();

  private:
    struct Limited {
        std::deque<Time> accepted; ///< of the last second
        std::deque<Time> arrived;
        std::vector<Time> ends;
        uint64_t requests = 0;
        uint64_t refused = 0;
        uint64_t busiest_second = 0;
        void arrive(Time now);
        bool rate_reached(uint64_t limit, Time now);
        bool concurrency_reached(uint64_t limit, Time now);
    };
    std::map<std::string, Limited> accounts_;
    std::map<std::pair<std::string, std::string>, Limited> endpoints_;
    std::map<std::string, uint64_t> by_reason_;
    Settings settings_;
};

} // namespace stripe_sim
