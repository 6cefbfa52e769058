// Walks one time range of one kind: page after page, newest first, with the sub-lists that go past
// the embedded ten. One page is fetched ahead of the one being written. States:
//
//   walking --(no more pages)--> exhausted --(last page written)--> done
//      |  ^
//      v  | retry_at reached                    walking --(refused for good)--> failed
//   waiting  (Stripe unreachable, rate limited)
//
// A kind with one list per object of another (tax ids of a customer) is walked along that other
// kind: its objects are read, the lists of each, and only what is in those is written.
//
// A cursor whose object was deleted is refused by Stripe; the range then starts again at the second
// of the last object seen, and rows that are already there are recognised as unchanged.
//
// The range may lose its older part to another one at any time (raise_created_gte); what an answer
// on its way brings of that part is left to its owner.
#pragma once
#include "core/error.hpp"
#include "stripe/caller.hpp"
#include "sync/apply.hpp"
#include "sync/page_budget.hpp"
#include "sync/range_sight.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>

namespace billstack::sync {

// What is left of a range; stored in billstack_internal.backfill_range. Unix seconds.
struct RangePosition {
    std::optional<std::int64_t> created_gte;
    std::optional<std::int64_t> created_lte;
    std::string cursor; // id of the last object written, empty at the start
    std::optional<std::int64_t> cursor_created;
};

// A page ready to be written, and where the range stands once it is.
struct PendingPage {
    std::unique_ptr<FetchedPage> fetched;
    RangePosition after;
    std::optional<std::int64_t> newest_created;
    bool last = false;  // nothing is left of the range
    int open_calls = 0; // child pages still to come
    std::size_t bytes = 0;
    std::size_t rows_written = 0; // of fetched->rows, in parts (sync/page_part.hpp)

    // Where the range stands when so many of the rows are written, and not all.
    RangePosition position_after(std::size_t rows) const;
    void forget_written_children();
};

struct WalkerOptions {
    std::shared_ptr<const core::SecretBytes> key;
    std::string account; // stripe::rate_account()
    core::Milliseconds timeout{30000};
    stripe::RetryPolicy retry{5, true, core::Milliseconds{120000}};
    int page_size = 100;
    int pages_ahead = 2;    // fetched and not yet written, at most
    int most_children = 16; // calls for child pages at once
    std::shared_ptr<PageBudget> budget = std::make_shared<PageBudget>();
};

// text, followed by Stripe's own words or the transport's, and the request id to quote to Stripe.
std::string describe_failure(std::string text, const stripe::CallResult &result);

class RangeWalker {
  public:
    enum class State { walking, waiting, exhausted, done, failed };

    RangeWalker(stripe::Caller &caller, const core::Clock &clock, const stripe::Kind &kind,
                int range_no, RangePosition position, WalkerOptions options);
    ~RangeWalker();
    RangeWalker(const RangeWalker &) = delete;
    RangeWalker &operator=(const RangeWalker &) = delete;

    const stripe::Kind &kind() const { return kind_; }
    int range_no() const { return range_no_; }
    State state() const { return state_; }
    // Why the range waits or failed; plain words, no secret.
    const std::string &error() const { return error_; }
    // The code of a failure: stripe_key_rejected ends the whole run, others this kind only.
    core::Code error_code() const { return error_code_; }
    // Where the range stands in the table.
    const RangePosition &position() const { return written_; }
    // Stripe has answered a list request of the range, or it began before this worker did.
    bool has_read() const { return has_read_; }
    std::optional<core::MonoTime> retry_at() const;

    void advance(); // submits what may be submitted now
    bool owns(stripe::CallId id) const { return calls_.contains(id); }
    void on_result(stripe::CallResult result);
    // The oldest page when it is complete, else nullptr. Where the budget is spent it is also ready
    // when only its first rows are complete.
    PendingPage *ready_page();
    // How many rows of ready_page() may be written at once where `most` are wanted; 0: all.
    std::size_t writable_rows(std::size_t most) const;
    void page_written();                 // of ready_page()
    void part_written(std::size_t rows); // the next rows of ready_page(), which has more
    // ready_page() cannot be written now; it is kept and ready again after a delay that grows from
    // 1 s to 30 s, which is returned. Other ranges go on.
    core::Milliseconds put_off(std::string reason);
    bool is_put_off() const { return put_off_until_.has_value(); }
    // Writing is hopeless: the range has failed.
    void give_up(std::string reason);
    // ready_page() turned out to hold what is no object: it is fetched again, and after some tries
    // the range fails.
    void page_unreadable(const std::string &reason);
    void stop(); // forgets all calls
    // What is older than that belongs to another range now.
    void raise_created_gte(std::int64_t created_gte);

    // For the estimate of what is left, see range_split.hpp.
    const RangeSight &sight() const { return sight_; }
    const RangePosition &fetched() const { return fetched_; } // where the next list page starts
    // Where it began to read, unix seconds; nullopt: at the newest object there is.
    std::optional<std::int64_t> began() const { return began_; }
    bool list_in_flight() const { return list_call_open_; }
    bool all_fetched() const { return all_fetched_ || state_ == State::done; }
    std::int64_t list_pages() const { return list_pages_; } // answered
    // Seconds a list page takes on the wire, smoothed; 0 before the first.
    double latency() const { return latency_; }
    bool starved() const; // only the budget keeps a list page from being asked for

  private:
    struct Purpose {
        PendingPage *page = nullptr; // null: the call is for the next list page
        const stripe::ChildList *list = nullptr;
        std::string parent_id;
    };
    // A child page that is still to be asked for.
    struct Wanted {
        PendingPage *page;
        const stripe::ChildList *list;
        std::string parent_id;
        std::string after_id;
    };
    bool may_fetch() const;
    void submit_list_page();
    void want_child_page(PendingPage &page, const stripe::ChildList &list, std::string parent_id,
                         std::string after_id);
    void want_child_pages(PendingPage &added);
    void submit_child_page(const Wanted &wanted);
    void submit_child_pages();
    static void check_progress(const json::ListPage &list, const std::string &cursor);
    std::size_t complete_rows() const; // of the oldest page, from its first on
    bool drop_older(FetchedPage &fetched) const;
    void note_sight(const FetchedPage &fetched);
    void settle(); // with the budget
    void accept_list_page(stripe::CallResult &result);
    void accept_child_page(const Purpose &purpose, stripe::CallResult &result);
    void on_failure(const Purpose &purpose, const stripe::CallResult &result);
    void wait_and_start_over(std::string reason);
    void bad_answer(const std::string &reason);
    void fail(core::Code code, std::string reason);
    void drop_unwritten();
    void restart_after_lost_cursor();
    bool is_lost_cursor(const Purpose &purpose, const stripe::CallResult &result) const;

    stripe::Caller &caller_;
    const core::Clock &clock_;
    const stripe::Kind &kind_;
    const stripe::Kind &walked_; // whose list is read: kind_, or its list_parent
    int range_no_;
    WalkerOptions options_;
    int most_a_page_; // objects; what is smaller after a bad answer grows up to it again
    State state_ = State::walking;
    RangePosition written_; // what the table holds
    RangePosition fetched_; // where the next list page starts
    std::optional<std::int64_t> began_;
    RangeSight sight_;
    std::int64_t list_pages_ = 0;
    double latency_ = 0;
    std::size_t page_bytes_ = std::size_t{256} << 10; // of the last list page, guessed at first
    std::size_t budget_held_ = 0;                     // of ours in the budget
    int budget_moving_ = 0;
    bool list_call_open_ = false;
    bool all_fetched_ = false;
    int failures_ = 0; // since the last page was written
    int unreadable_ = 0;
    int bad_answers_ = 0; // to requests for a single object, since the last page was written
    int put_offs_ = 0;    // in a row
    std::optional<core::MonoTime> put_off_until_;
    core::MonoTime retry_at_{};
    std::string error_;
    core::Code error_code_ = core::Code::internal;
    bool has_read_ = false;
    std::deque<std::unique_ptr<PendingPage>> pages_;
    std::map<stripe::CallId, Purpose> calls_;
    std::deque<Wanted> wanted_;
};

} // namespace billstack::sync
