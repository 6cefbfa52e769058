#include "pg/worker/rate_gate_shared.hpp"

#include "pg/config.hpp"
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

namespace {

class RateGuard {
  public:
    explicit RateGuard(RateState &rates) noexcept : rates_(rates) { SpinLockAcquire(&rates_.lock); }
    ~RateGuard() { SpinLockRelease(&rates_.lock); }
    RateGuard(const RateGuard &) = delete;
    RateGuard &operator=(const RateGuard &) = delete;

  private:
    RateState &rates_;
};

stripe::RateLimits limits_now(const stripe::RateKey &key) {
    return stripe::limits_of(key, config::rate_limit(), config::endpoint_rate_limit());
}

// With the lock held. nullptr: no place for another account.
AccountReads *find_reads(RateState &rates, const char *account, bool make) noexcept {
    AccountReads *usable = nullptr;
    for (AccountReads &each : rates.reads) {
        if (each.database == MyDatabaseId && std::strcmp(each.account, account) == 0) {
            return &each;
        }
        if (usable == nullptr && (each.database == InvalidOid || each.reads == 0)) {
            usable = &each;
        }
        if (each.database == InvalidOid) {
            break;
        }
    }
    if (!make || usable == nullptr) {
        return nullptr;
    }
    usable->database = MyDatabaseId;
    strlcpy(usable->account, account, sizeof(usable->account));
    usable->reads = 0;
    return usable;
}

void add_reads(const std::string &account, std::int64_t reads) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr || account.size() >= sizeof(AccountReads::account)) {
        return;
    }
    RateGuard guard(state->rates);
    if (AccountReads *found = find_reads(state->rates, account.c_str(), true)) {
        found->reads += reads;
    }
}

} // namespace

std::int64_t SharedRateGate::now_us() const {
    using namespace std::chrono;
    return duration_cast<microseconds>(clock_.mono().time_since_epoch()).count();
}

stripe::RequestsInFlight SharedRateGate::in_flight(const stripe::RateNames &names) const {
    stripe::RequestsInFlight count;
    if (auto found = open_.find(names.account); found != open_.end()) {
        count.account = found->second;
    }
    if (auto found = open_.find(names.endpoint); found != open_.end()) {
        count.endpoint = found->second;
    }
    return count;
}

std::optional<core::Milliseconds> SharedRateGate::admit(const stripe::RateKey &key,
                                                        stripe::Priority priority) {
    stripe::RateNames names = stripe::names_of(key);
    stripe::RateLimits limits = limits_now(key);
    SharedState *state = shared_state();
    if (state != nullptr && (limits.account > 0 || limits.endpoint > 0)) {
        stripe::RequestsInFlight open = in_flight(names);
        std::int64_t now = now_us();
        std::int64_t wait_us = 0;
        {
            RateGuard guard(state->rates);
            wait_us = stripe::admit(state->rates.table, names, limits, priority, open, now);
        }
        if (wait_us > 0) {
            return core::Milliseconds((wait_us + 999) / 1000);
        }
    }
    ++open_[names.account];
    ++open_[names.endpoint];
    return std::nullopt;
}

void SharedRateGate::answered(const stripe::RateKey &key, const Answer &answer) {
    stripe::RateNames names = stripe::names_of(key);
    stripe::RateRefusal refusal;
    refusal.in_flight = in_flight(names);
    for (std::uint64_t name : {names.account, names.endpoint}) {
        if (auto found = open_.find(name); found != open_.end() && --found->second <= 0) {
            open_.erase(found);
        }
    }
    if (answer.http_status != 429) {
        if (answer.http_status > 0 && key.endpoint.starts_with("GET ")) {
            add_reads(key.account, 1);
        }
        return;
    }
    SharedState *state = shared_state();
    refusal.reason = stripe::limit_reason_of(answer.limited_reason);
    if (state == nullptr || refusal.reason == stripe::LimitReason::none) {
        return;
    }
    stripe::RateLimits limits = limits_now(key);
    std::int64_t now = now_us();
    refusal.retry_after_us = answer.retry_after.count() * 1000;
    refusal.sent_us = now - answer.latency.count() * 1000;
    RateGuard guard(state->rates);
    stripe::note_refusal(state->rates.table, names, limits, refusal, now);
}

std::int64_t unstored_reads(const std::string &account) noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return 0;
    }
    RateGuard guard(state->rates);
    const AccountReads *found = find_reads(state->rates, account.c_str(), false);
    return found != nullptr ? found->reads : 0;
}

bool has_unstored_reads() noexcept {
    SharedState *state = shared_state();
    if (state == nullptr) {
        return false;
    }
    RateGuard guard(state->rates);
    for (const AccountReads &each : state->rates.reads) {
        if (each.database == MyDatabaseId && each.reads > 0) {
            return true;
        }
        if (each.database == InvalidOid) {
            return false;
        }
    }
    return false;
}

std::vector<ReadCount> take_read_counts() {
    std::vector<ReadCount> taken;
    SharedState *state = shared_state();
    if (state == nullptr) {
        return taken;
    }
    for (AccountReads &each : state->rates.reads) {
        AccountReads copy;
        {
            RateGuard guard(state->rates);
            copy = each;
            if (copy.database == MyDatabaseId) {
                each.reads = 0;
            }
        }
        if (copy.database == InvalidOid) {
            break;
        }
        if (copy.database == MyDatabaseId && copy.reads > 0) {
            taken.push_back({copy.account, copy.reads});
        }
    }
    return taken;
}

void give_back_read_counts(const std::vector<ReadCount> &counts) noexcept {
    for (const ReadCount &count : counts) {
        add_reads(count.account, count.reads);
    }
}

} // namespace billstack::pg
