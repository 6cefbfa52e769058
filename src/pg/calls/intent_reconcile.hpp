// Writes whose outcome got lost (a crash, no answer from Stripe) are looked for after a while,
// never sent again, and recorded as done or as never come about. Records that are over go.
#pragma once
#include "pg/calls/intent_service.hpp"

namespace billstack::pg {

class IntentReconcile {
  public:
    IntentReconcile(stripe::Caller &caller, const core::Clock &clock, IntentService &intents);
    ~IntentReconcile();

    // After a start, an arm(), new keys: nothing rests any more.
    void rescan();
    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    // Sends what is due, writes at most one answer; refetches_asked() afterwards.
    void work();
    bool busy() const;
    std::optional<core::MonoTime> next_retry() const { return look_at_; }
    bool take_refetches_asked() { return std::exchange(refetches_asked_, false); }

  private:
    struct Search;
    struct Rest {
        core::MonoTime until;
        int failures = 0;
    };
    void look();
    using Groups = std::map<std::pair<std::int32_t, std::string>, std::vector<OpenIntent>>;
    void start(Groups groups);
    void start(std::int32_t integration_id, std::vector<OpenIntent> intents);
    bool is_searched(std::int32_t integration_id) const;
    void settle_unsearchable(const OpenIntent &intent, bool found);
    void settle_moved(const OpenIntent &intent);
    void finish(Search &search);
    using Group = std::pair<std::int32_t, std::string>; // of an integration: a kind
    void rest(const Group &group, const std::string &reason);
    IntentsLeftOut left_out() const;
    void purge();

    stripe::Caller &caller_;
    const core::Clock &clock_;
    IntentService &intents_;
    bool wanted_ = true;
    std::optional<core::MonoTime> look_at_;
    core::MonoTime purge_at_{};
    std::map<Group, Rest> rests_;
    std::vector<std::unique_ptr<Search>> searches_;
    bool refetches_asked_ = false;
};

} // namespace billstack::pg
