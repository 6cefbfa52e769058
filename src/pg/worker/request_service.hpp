// The worker's side of the request slots: takes what backends have queued, submits it, answers,
// and drops what nobody waits for any more.
#pragma once
#include "pg/calls/intent_service.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

class RequestService {
  public:
    RequestService(SharedState &state, const core::Clock &clock, stripe::Caller &caller,
                   IntentService &intents)
        : state_(state), clock_(clock), caller_(caller), intents_(intents) {}
    // Takes queued slots of this database and cancels abandoned ones; writes go to the intents.
    void look_at_slots();
    bool owns(stripe::CallId id) const { return calls_.contains(id); }
    // Somebody waits for an answer, or did a moment ago: who makes a call often makes another.
    bool in_use() const;
    void on_result(const stripe::CallResult &result);
    // Hands over what the intents have answered. outcomes_follow: their outcomes are recorded next,
    // and outcomes_settled() says that this is over.
    void answer_writes(bool outcomes_follow);
    void outcomes_settled();

  private:
    struct Open {
        RequestSlot *slot;
        std::uint64_t generation;
        bool body_wanted;
    };
    void take(RequestSlot &slot);
    void abandon(RequestSlot &slot);
    void answer(const Open &open, const StripeAnswer &result);

    SharedState &state_;
    const core::Clock &clock_;
    stripe::Caller &caller_;
    IntentService &intents_;
    std::map<stripe::CallId, Open> calls_;
    std::map<IntentService::Waiter, Open> writes_;
    IntentService::Waiter next_waiter_ = 1;
    std::optional<core::MonoTime> last_answer_;
    std::vector<int> outcome_waiters_; // backends, by the index of their PGPROC
};

// Answers every slot the worker of `database` still has as unreachable, with `reason`. For the end
// of the worker: no C++ object of it is needed, nothing is raised.
void fail_taken_slots(Oid database, const char *reason) noexcept;

} // namespace billstack::pg
