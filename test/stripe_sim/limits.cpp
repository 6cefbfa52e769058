// See limits.hpp.
#include "limits.hpp"

#include <algorithm>

namespace stripe_sim {

static constexpr std::chrono::seconds second{1};

static uint64_t limit_of(const json_t *settings, const char *name) {
    return static_cast<uint64_t>(std::max<int64_t>(0, get_int(settings, name, 0)));
}

void Limits::load(const json_t *settings) {
    settings_ = {limit_of(settings, "rate"), limit_of(settings, "endpoint_rate"),
                 limit_of(settings, "concurrency"), limit_of(settings, "endpoint_concurrency"),
                 get_int(settings, "retry_after", 0)};
    reset();
}

static void forget_old(std::deque<Limits::Time> &times, Limits::Time now) {
    while (!times.empty() && now - times.front() >= second)
        times.pop_front();
}

void Limits::Limited::arrive(Time now) {
    ++requests;
    forget_old(arrived, now);
    arrived.push_back(now);
    busiest_second = std::max<uint64_t>(busiest_second, arrived.size());
}

bool Limits::Limited::rate_reached(uint64_t limit, Time now) {
    forget_old(accepted, now);
    return limit > 0 && accepted.size() >= limit;
}

bool Limits::Limited::concurrency_reached(uint64_t limit, Time now) {
    std::erase_if(ends, [&](Time end) { return end <= now; });
    return limit > 0 && ends.size() >= limit;
}

std::string Limits::admit(const std::string &account, const std::string &operation, Time now) {
    Limited &all = accounts_[account];
    Limited &one = endpoints_[{account, operation}];
    all.arrive(now);
    one.arrive(now);
    std::string reason;
    if (all.rate_reached(settings_.rate, now))
        reason = "global-rate";
    else if (one.rate_reached(settings_.endpoint_rate, now))
        reason = "endpoint-rate";
    else if (all.concurrency_reached(settings_.concurrency, now))
        reason = "global-concurrency";
    else if (one.concurrency_reached(settings_.endpoint_concurrency, now))
        reason = "endpoint-concurrency";
    if (!reason.empty()) {
        ++all.refused;
        ++one.refused;
        ++by_reason_[reason];
        return reason;
    }
    all.accepted.push_back(now);
    one.accepted.push_back(now);
    return reason;
}

void Limits::note_end(const std::string &account, const std::string &operation, Time end) {
    if (settings_.concurrency > 0 || settings_.endpoint_concurrency > 0) {
        accounts_[account].ends.push_back(end);
        endpoints_[{account, operation}].ends.push_back(end);
    }
}

void Limits::reset() {
    accounts_.clear();
    endpoints_.clear();
    by_reason_.clear();
}

static std::string member(std::string_view name, uint64_t value) {
    return quoted(name) + ": " + std::to_string(value);
}

std::string Limits::report() const {
    uint64_t busiest = 0;
    for (const auto &[account, all] : accounts_)
        busiest = std::max(busiest, all.busiest_second);
    std::string out = "{\n  \"settings\": {" + member("rate", settings_.rate) + ", " +
                      member("endpoint_rate", settings_.endpoint_rate) + ", " +
                      member("concurrency", settings_.concurrency) + ", " +
                      member("endpoint_concurrency", settings_.endpoint_concurrency) +
                      "},\n  \"refused\": {";
    const char *separator = "";
    for (const auto &[reason, count] : by_reason_) {
        out += separator + member(reason, count);
        separator = ", ";
    }
    out += "},\n  " + member("busiest_second", busiest) + ",\n  \"endpoints\": {";
    std::map<std::string, std::array<uint64_t, 3>> operations;
    for (const auto &[name, one] : endpoints_) {
        auto &sum = operations[name.second];
        sum[0] += one.requests;
        sum[1] += one.refused;
        sum[2] = std::max(sum[2], one.busiest_second);
    }
    separator = "\n    ";
    for (const auto &[operation, sum] : operations) {
        out += separator + quoted(operation) + ": {" + member("requests", sum[0]) + ", " +
               member("refused", sum[1]) + ", " + member("busiest_second", sum[2]) + "}";
        separator = ",\n    ";
    }
    return out + "\n  }\n}\n";
}

} // namespace stripe_sim
