// The worker's calls of subscribed handlers: each in a transaction of its own, as the role that
// subscribed, with its row's removal; what fails is tried again alone and given up alone.
#pragma once
#include "core/backoff.hpp"
#include "pg/handlers/handler_store.hpp"

#include <deque>

namespace billstack::pg {

class HandlerService {
  public:
    explicit HandlerService(const core::Clock &clock);

    // Calls were queued, or a look at the table is due for another reason.
    void wake() { look_wanted_ = true; }
    // Makes due calls for about 50 ms, at least one. True: more is due now. Throws only for trouble
    // with billstack's own tables; what a handler does is between it and its row.
    bool work();
    // When work() is worth calling again without wake(); nullopt: not by itself.
    std::optional<core::MonoTime> next_retry() const;
    // Drops what nobody will call: subscriptions that are gone, old dead letters. Now and then.
    void clean_up();

  private:
    void settle_ended_call();
    void look();
    void run(const DueCall &due);
    bool run_in_transaction(const DueCall &due);
    bool note_failure(std::int64_t call_id, const std::string &error, bool hopeless);
    void rest(std::int32_t subscription_id, core::Milliseconds duration);
    std::vector<std::int32_t> resting();

    const core::Clock &clock_;
    core::Backoff backoff_;
    std::minstd_rand random_;
    bool look_wanted_ = true;
    bool settled_ = false;
    std::deque<DueCall> due_;
    std::map<std::int32_t, core::MonoTime> rests_; // subscription -> until
    std::optional<core::MonoTime> retry_at_;
};

} // namespace billstack::pg
