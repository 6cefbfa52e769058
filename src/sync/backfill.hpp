// One backfill of one integration as the worker runs it: first the newest event's id and Stripe's
// clock, then a walker per range, several kinds in flight. No server, no network of its own: calls
// go through the Caller, pages come out of next_page() and are written by src/pg.
#pragma once
#include "sync/range_walker.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace billstack::sync {

struct RangeSpec {
    const stripe::Kind *kind = nullptr;
    int range_no = 0;
    RangePosition position;
};

class BackfillRun {
  public:
    enum class Phase { opening, copying, finished };

    // start_known: the run's start on Stripe's clock is stored already (it is resumed).
    BackfillRun(stripe::Caller &caller, const core::Clock &clock, WalkerOptions options,
                std::vector<RangeSpec> ranges, bool start_known);
    ~BackfillRun();
    BackfillRun(const BackfillRun &) = delete;
    BackfillRun &operator=(const BackfillRun &) = delete;

    // The run's start, known once the phase has left `opening`. Unix seconds on Stripe's clock.
    struct Start {
        std::int64_t stripe_time = 0;
        std::string newest_event_id; // empty: none, or the key may not read events
    };
    const Start &start() const { return start_; }
    // Why the run cannot open yet, "" when it does; plain words.
    const std::string &opening_error() const { return opening_error_; }
    Phase phase() const { return phase_; }

    void advance();
    bool owns(stripe::CallId id) const;
    void on_result(stripe::CallResult result);
    // A page that can be written now, round robin over the ranges; nullptr when there is none.
    RangeWalker *next_ready();
    bool has_ready() const;
    std::optional<core::MonoTime> next_retry() const;
    const std::vector<std::unique_ptr<RangeWalker>> &walkers() const { return walkers_; }
    // Set when nothing of the run can go on, e.g. Stripe rejected the key.
    const std::optional<core::Error> &fatal() const { return fatal_; }
    void stop();

  private:
    void open();
    void on_opened(const stripe::CallResult &result);
    void check_finished();

    stripe::Caller &caller_;
    const core::Clock &clock_;
    WalkerOptions options_;
    Phase phase_;
    Start start_;
    std::optional<stripe::CallId> opening_call_;
    std::optional<core::MonoTime> reopen_at_;
    int open_failures_ = 0;
    std::string opening_error_;
    std::vector<std::unique_ptr<RangeWalker>> walkers_;
    std::size_t turn_ = 0;
    std::optional<core::Error> fatal_;
};

} // namespace billstack::sync
