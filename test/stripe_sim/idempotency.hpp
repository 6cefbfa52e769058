// Idempotency keys as Stripe keeps them: https://docs.stripe.com/api/idempotent_requests. The
// answer of an executed request, a 500 too, is replayed for 24 hours of the simulator's clock; what
// failed validation is not kept.
#pragma once

#include "clock.hpp"
#include "request.hpp"
#include "response.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace stripe_sim {

class IdempotencyKeys {
  public:
    /// Keys belong to an account; requests without one, or with another method than POST, are
    /// never replayed and never kept.
    /// Answers from what is kept: true when `response` is complete. Throws ApiError: 400 for other
    /// parameters or another path, 409 while the first answer is not out yet.
    bool replay(const std::string &account, const Request &request, const SimClock &clock,
                Response &response);
    /// Keeps the answer, in place of one kept before.
    void keep(const std::string &account, const Request &request, const SimClock &clock,
              const Response &response);
    /// The kept answer is on its way for this long, from now.
    void hold(const std::string &account, const Request &request, int64_t ms);

    /// As after a day.
    void forget() { answers_.clear(); }

  private:
    struct Answer {
        std::string path;
        std::string asked; ///< parameters, in order of their names
        int64_t at = 0;    ///< Unix seconds of the simulator's clock
        int status = 200;
        std::string body;
        std::string request_id;
        std::chrono::steady_clock::time_point out{};
    };
    std::unordered_map<std::string, Answer> answers_; ///< by account and key
};

} // namespace stripe_sim
