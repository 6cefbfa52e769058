#include "pg/handlers/handler_service.hpp"

#include "pg/access/team_access.hpp"
#include "pg/bridge/log.hpp"
#include "pg/bridge/store_transaction.hpp"
#include "pg/config.hpp"
#include "pg/handlers/handler_function.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

using core::Milliseconds;

constexpr Milliseconds longest_turn{50};
// After a call longer than this its handler rests four times as long.
constexpr Milliseconds free_time{250};
constexpr int rest_factor = 4;
constexpr Milliseconds lock_rest{1000}; // somebody holds the row of a call or a subscription
constexpr std::size_t longest_error = 2000;

// Which call this process is in, for the process that follows it if it ends there.
void mark_running(std::int64_t call_id) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return;
    }
    SpinGuard guard(*state);
    if (DatabaseEntry *entry = find_entry(*state, MyDatabaseId)) {
        entry->running_call = call_id;
    }
}

std::int64_t marked_call() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return 0;
    }
    SpinGuard guard(*state);
    DatabaseEntry *entry = find_entry(*state, MyDatabaseId);
    return entry != nullptr ? entry->running_call : 0;
}

struct RunningMark {
    explicit RunningMark(std::int64_t call_id) { mark_running(call_id); }
    ~RunningMark() { mark_running(0); }
};

// What a handler leaves in the session although its transaction has ended.
void forget_session_state() {
    call([] { LockReleaseSession(USER_LOCKMETHOD); });
}

std::string error_text(const std::string &message, const std::string &state) {
    std::string text = state.empty() ? message : message + " (" + state + ")";
    if (text.size() > longest_error) {
        const char *bytes = text.c_str();
        int length = static_cast<int>(text.size());
        int kept = call([&] { return pg_mbcliplen(bytes, length, longest_error); });
        text.resize(static_cast<std::size_t>(kept));
    }
    return text;
}

// As the role that subscribed. What it may has been taken from it since, perhaps.
void require_rights(const HandlerCall &call) {
    try {
        (void)require_integration(call.team, call.integration, Need::subscribe);
    } catch (const core::Error &) {
        throw core::Error(core::Code::not_allowed, "role \"" + call.role_name +
                                                       "\" may not subscribe to team \"" +
                                                       call.team + "\" any more");
    }
}

// A function of the name that somebody else has made meanwhile is not what the role trusted.
void require_owner(const HandlerFunction &handler, const HandlerCall &call) {
    if (handler.owner != call.handler_owner) {
        throw core::Error(core::Code::not_allowed,
                          "handler " + shown_handler(handler.name) + " belongs to \"" +
                              handler.owner + "\" now, it was subscribed as a function of \"" +
                              call.handler_owner + "\"");
    }
}

void run_as_subscriber(const HandlerCall &taken) {
    Oid role = role_oid(taken.role_name);
    if (!OidIsValid(role)) {
        throw core::Error(core::Code::unknown_object,
                          "role \"" + taken.role_name + "\", which subscribed, does not exist");
    }
    Datum event = event_datum(*taken.payload);
    std::string activity = "handler " + shown_handler(taken.handler);
    const char *shown = activity.c_str();
    call([&] { pgstat_report_activity(STATE_RUNNING, shown); });
    {
        UserContext user(role, UserContext::Rights::restricted);
        require_rights(taken);
        HandlerFunction handler = require_handler(taken.handler);
        require_owner(handler, taken);
        // It may take its time, but not the worker's: teams and other handlers wait for it.
        TimeLimit limit(config::handler_timeout_ms());
        call_handler(handler, event);
    }
    // Functions can be made in pg_temp, where temporary tables cannot: they go with the call.
    call([] { ResetTempTableNamespace(); });
}

bool is_lock_trouble(const PgError &error) {
    return error.sqlstate() == ERRCODE_LOCK_NOT_AVAILABLE ||
           error.sqlstate() == ERRCODE_T_R_DEADLOCK_DETECTED;
}

} // namespace

HandlerService::HandlerService(const core::Clock &clock)
    : clock_(clock), random_(static_cast<std::minstd_rand::result_type>(clock.unix_us())) {
    backoff_.first = Milliseconds(1000);
    backoff_.ceiling = std::chrono::hours(1);
    backoff_.floor = Milliseconds(500);
}

bool HandlerService::work() {
    if (!settled_) {
        settle_ended_call();
    }
    auto started = clock_.mono();
    if (due_.empty()) {
        bool retry_due = retry_at_ && started >= *retry_at_;
        if (!look_wanted_ && !retry_due) {
            return false;
        }
        look();
    }
    while (!due_.empty()) {
        DueCall next = due_.front();
        due_.pop_front();
        run(next);
        if (clock_.mono() - started >= longest_turn) {
            break;
        }
    }
    return !due_.empty() || look_wanted_;
}

// The process before this one ended inside a handler: one that trapped its cancel, for example.
void HandlerService::settle_ended_call() {
    std::int64_t call_id = marked_call();
    if (call_id != 0) {
        (void)note_failure(call_id, "the worker ended while the handler ran", false);
        mark_running(0);
    }
    settled_ = true;
}

void HandlerService::look() {
    std::vector<std::int32_t> not_now = resting();
    std::optional<TimestampTz> retry;
    {
        StoreTransaction transaction;
        std::vector<DueCall> found = load_due_calls(not_now);
        due_.assign(found.begin(), found.end());
        if (due_.empty()) {
            retry = earliest_retry(not_now);
        }
        transaction.commit();
    }
    look_wanted_ = !due_.empty(); // more may be behind these
    retry_at_.reset();
    if (retry) {
        TimestampTz now = GetCurrentTimestamp();
        retry_at_ = clock_.mono() + std::chrono::microseconds(std::max<std::int64_t>(
                                        0, static_cast<std::int64_t>(*retry) - now));
    }
    for (const auto &[subscription, until] : rests_) {
        if (!retry_at_ || until < *retry_at_) {
            retry_at_ = until;
        }
    }
}

// Drops rests that are over.
std::vector<std::int32_t> HandlerService::resting() {
    auto now = clock_.mono();
    std::erase_if(rests_, [&](const auto &rest) { return rest.second <= now; });
    std::vector<std::int32_t> subscriptions;
    for (const auto &[subscription, until] : rests_) {
        subscriptions.push_back(subscription);
    }
    return subscriptions;
}

void HandlerService::rest(std::int32_t subscription_id, Milliseconds duration) {
    rests_[subscription_id] = clock_.mono() + duration;
    std::erase_if(due_, [&](const DueCall &due) { return due.subscription_id == subscription_id; });
    look_wanted_ = true; // for the others, and to learn when the rest ends
}

void HandlerService::run(const DueCall &due) {
    MemoryScope memory("billstack handler call");
    auto started = clock_.mono();
    bool made = false;
    std::string error;
    bool hopeless = false;
    {
        RunningMark mark(due.id);
        try {
            made = run_in_transaction(due);
        } catch (const PgError &failure) {
            made = true;
            error = error_text(failure.what(), failure.sqlstate_text());
        } catch (const UnusableEvent &failure) {
            made = true;
            hopeless = true;
            error = error_text(failure.message, "");
        } catch (const core::Error &failure) {
            made = true;
            error = error_text(failure.message, "");
        }
        forget_session_state();
    }
    call([] { pgstat_report_activity(STATE_IDLE, nullptr); });
    if (!made) {
        rest(due.subscription_id, lock_rest);
        return;
    }
    auto taken = std::chrono::duration_cast<Milliseconds>(clock_.mono() - started);
    if (taken > free_time) {
        rest(due.subscription_id, taken * rest_factor);
    }
    if (!error.empty() && !note_failure(due.id, error, hopeless)) {
        rest(due.subscription_id, lock_rest);
    }
}

// False: the call is gone or held by somebody. Throws what the handler throws.
bool HandlerService::run_in_transaction(const DueCall &due) {
    StoreTransaction transaction;
    std::optional<HandlerCall> taken = take_call(due.id);
    if (!taken) {
        return false;
    }
    if (!taken->payload) {
        throw UnusableEvent(core::Code::bad_argument,
                            "the event is no longer in the ledger (billstack.inbox_retention)");
    }
    run_as_subscriber(*taken);
    transaction.commit();
    return true;
}

// False: somebody holds the row, so the call will be made once more than it should be.
bool HandlerService::note_failure(std::int64_t call_id, const std::string &error, bool hopeless) {
    bool dead = false;
    try {
        StoreTransaction transaction;
        double unit = static_cast<double>(random_() - std::minstd_rand::min()) /
                      (std::minstd_rand::max() - std::minstd_rand::min());
        Milliseconds delay = backoff_.delay(attempts_of_call(call_id) + 1, unit);
        dead = note_call_failure({call_id, error, hopeless, config::max_attempts(), delay.count()});
        transaction.commit();
    } catch (const PgError &trouble) {
        if (!is_lock_trouble(trouble)) {
            throw;
        }
        return false;
    }
    if (dead) {
        log(LOG, "billstack handler call " + std::to_string(call_id) + " is given up: " + error);
    }
    return true;
}

std::optional<core::MonoTime> HandlerService::next_retry() const {
    return retry_at_;
}

void HandlerService::clean_up() {
    StoreTransaction transaction;
    drop_stale_calls(config::inbox_retention_s());
    transaction.commit();
}

} // namespace billstack::pg
