// Writes to Stripe in the worker: each is recorded durably before it is sent, carried out also when
// nobody waits any more, and its outcome recorded before the caller's function returns (unless a
// lock is in the way). One at a time of the same key; who asks for it meanwhile gets the same
// answer. Changes of one object are made one after the other, in the order they were asked for.
// States of one:
//
//   queued --> sending --> reading ----> answered
//    ^  \ \______|____________^   /
//    |   \-----> searching ------/
//    \______________/               another round, with another key
#pragma once
#include "pg/calls/intent_store.hpp"
#include "sync/intent_search.hpp"

namespace billstack::pg {

class IntentService {
  public:
    using Waiter = std::uint64_t; // the asker's own number
    struct Answer {
        Waiter waiter = 0;
        StripeAnswer answer;
    };

    explicit IntentService(stripe::Caller &caller);
    ~IntentService();

    void add(Waiter waiter, stripe::Call call, RequestIntent intent);
    bool has_queued() const { return !queue_.empty(); }
    // One transaction for all that is queued, then they are sent. What the database refuses is
    // answered as not sent; of several each alone.
    void send_queued();
    void refuse_queued(const std::string &reason);

    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    bool has_answers() const { return !answers_.empty(); }
    std::vector<Answer> take_answers() { return std::exchange(answers_, {}); }

    // Stores the outcomes that have come. False: somebody's lock, they wait.
    bool record();
    bool has_outcomes() const { return !outcomes_.empty(); }
    // Since it was asked last: a write whose outcome is not known.
    bool take_left_open() { return std::exchange(left_open_, false); }
    // Rows of what is under way.
    std::vector<std::int64_t> open_rows() const;

  private:
    enum class Stage { queued, sending, reading, searching };
    struct Open;
    using OpenList = std::vector<std::unique_ptr<Open>>;

    bool must_wait(const Open &open) const;
    void prepare(Open &open);
    void prepare_known(Open &open);
    void go(Open &open);
    void send(Open &open);
    void read(Open &open);
    void search(Open &open);
    void renew(Open &open);
    void on_sent(Open &open, stripe::CallResult result);
    void on_spent(Open &open, stripe::CallResult result);
    void on_read(Open &open, stripe::CallResult result);
    void on_searched(Open &open);
    void note(Open &open, std::optional<stripe::IntentState> state,
              const stripe::CallResult &result);
    void answer(Open &open, const StripeAnswer &answer);
    void leave_open(Open &open, stripe::CallResult result);
    void store_outcomes() const;
    void refuse(const std::vector<Open *> &batch, const std::string &reason);
    void remove_answered();
    Open *find(stripe::CallId id) const;

    stripe::Caller &caller_;
    OpenList open_;
    std::vector<Open *> queue_;
    std::vector<Open *> waiting_; // for another change of the same object
    std::vector<Answer> answers_;
    std::vector<IntentOutcome> outcomes_;
    bool left_open_ = false;
};

} // namespace billstack::pg
