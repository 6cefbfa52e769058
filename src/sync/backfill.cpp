#include "sync/backfill.hpp"

#include "json/json.hpp"

#include <algorithm>

namespace billstack::sync {

BackfillRun::BackfillRun(stripe::Caller &caller, const core::Clock &clock, BackfillOptions options,
                         std::vector<RangeSpec> ranges, bool start_known)
    : caller_(caller), clock_(clock), options_(std::move(options)),
      phase_(start_known ? Phase::copying : Phase::opening) {
    for (RangeSpec &range : ranges) {
        add_walker(std::move(range));
    }
}

BackfillRun::~BackfillRun() {
    stop();
}

void BackfillRun::add_walker(RangeSpec range) {
    walkers_.push_back(std::make_unique<RangeWalker>(caller_, clock_, *range.kind, range.range_no,
                                                     std::move(range.position), options_.walker));
}

void BackfillRun::open() {
    stripe::Call call;
    call.path = "/v1/events";
    call.params.emplace_back("limit", "1");
    call.key = options_.walker.key;
    call.account = options_.walker.account;
    call.timeout = options_.walker.timeout;
    call.retry = options_.walker.retry;
    opening_call_ = caller_.submit(std::move(call));
    reopen_at_.reset();
}

// The event cursor is taken before the first page, so that what changes during the run can be
// caught up from events. A key that may not read events still tells Stripe's time.
void BackfillRun::on_opened(const stripe::CallResult &result) {
    using stripe::CallStatus;
    opening_call_.reset();
    if (result.status == CallStatus::key_rejected) {
        fatal_ = core::Error(core::Code::stripe_key_rejected,
                             describe_failure("Stripe rejected the key, asked for events", result));
        phase_ = Phase::finished;
        return;
    }
    bool answered = result.status == CallStatus::ok || result.status == CallStatus::forbidden ||
                    result.status == CallStatus::refused;
    if (!answered || result.window_start == 0) {
        int seconds = std::min(60, 1 << std::min(open_failures_++, 6));
        opening_error_ = describe_failure("could not reach Stripe", result);
        reopen_at_ = clock_.mono() + std::chrono::seconds(seconds);
        return;
    }
    start_.stripe_time = result.window_start;
    if (result.status == CallStatus::ok) {
        try {
            start_.newest_event_id =
                json::Node::parse(result.body).text_at("data.0.id").value_or("");
        } catch (const core::Error &) {
            opening_error_ = "Stripe's answer could not be read";
            reopen_at_ = clock_.mono() + std::chrono::seconds(1);
            return;
        }
    }
    opening_error_.clear();
    phase_ = Phase::copying;
}

void BackfillRun::advance() {
    if (phase_ == Phase::opening && !opening_call_ &&
        (!reopen_at_ || clock_.mono() >= *reopen_at_)) {
        open();
    }
    if (phase_ != Phase::copying) {
        return;
    }
    for (std::size_t i = 0; i < walkers_.size(); ++i) { // the budget's room goes round
        walkers_[(turn_ + i) % walkers_.size()]->advance();
    }
    check_finished();
}

bool BackfillRun::owns(stripe::CallId id) const {
    return opening_call_ == id || std::any_of(walkers_.begin(), walkers_.end(),
                                              [&](const auto &walker) { return walker->owns(id); });
}

void BackfillRun::on_result(stripe::CallResult result) {
    if (opening_call_ == result.id) {
        on_opened(result);
        advance();
        return;
    }
    for (auto &walker : walkers_) {
        if (!walker->owns(result.id)) {
            continue;
        }
        walker->on_result(std::move(result));
        cut_may_help_ = true;
        if (!first_answer_) {
            first_answer_ = clock_.mono();
        }
        if (walker->state() == RangeWalker::State::failed &&
            walker->error_code() == core::Code::stripe_key_rejected) {
            fatal_ = core::Error(core::Code::stripe_key_rejected, walker->error());
            stop();
            phase_ = Phase::finished;
        }
        break;
    }
    check_finished();
}

void BackfillRun::check_finished() {
    if (phase_ == Phase::copying &&
        std::all_of(walkers_.begin(), walkers_.end(), [](const auto &walker) {
            return walker->state() == RangeWalker::State::done ||
                   walker->state() == RangeWalker::State::failed;
        })) {
        phase_ = Phase::finished;
    }
}

RangeWalker *BackfillRun::next_ready() {
    if (phase_ != Phase::copying) {
        return nullptr;
    }
    for (std::size_t i = 0; i < walkers_.size(); ++i) {
        RangeWalker &walker = *walkers_[(turn_ + i) % walkers_.size()];
        if (walker.ready_page() != nullptr) {
            turn_ = (turn_ + i + 1) % walkers_.size();
            return &walker;
        }
    }
    return nullptr;
}

bool BackfillRun::has_ready() const {
    return phase_ == Phase::copying &&
           std::any_of(walkers_.begin(), walkers_.end(),
                       [](const auto &walker) { return walker->ready_page() != nullptr; });
}

std::optional<core::MonoTime> BackfillRun::next_retry() const {
    std::optional<core::MonoTime> earliest = reopen_at_;
    bool starved = false;
    for (const auto &walker : walkers_) {
        auto at = walker->retry_at();
        if (at && (!earliest || *at < *earliest)) {
            earliest = at;
        }
        if (walker->starved()) {
            starved = true;
        }
    }
    bool room = starved && options_.walker.budget->has_room();
    return room ? std::optional(clock_.mono()) : earliest;
}

void BackfillRun::stop() {
    if (opening_call_) {
        caller_.cancel(*opening_call_);
        opening_call_.reset();
    }
    for (auto &walker : walkers_) {
        walker->stop();
    }
}

void BackfillRun::add_range(RangeSpec range) {
    add_walker(std::move(range));
    if (phase_ == Phase::finished && !fatal_) {
        phase_ = Phase::copying;
    }
    advance();
}

void BackfillRun::drop_range(const stripe::Kind &kind, int range_no) {
    auto lost = std::find_if(walkers_.begin(), walkers_.end(), [&](const auto &walker) {
        return &walker->kind() == &kind && walker->range_no() == range_no;
    });
    if (lost != walkers_.end()) {
        (*lost)->stop();
        walkers_.erase(lost);
        check_finished();
    }
}

} // namespace billstack::sync
