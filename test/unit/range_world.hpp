// Stripe's lists over generated objects, behind a transport with a latency, a gate with limits, and
// a clock that jumps from event to event: no server, no network, no wall clock.
#pragma once

#include "fake_transport.hpp"
#include "stripe/rate_table.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <random>

namespace billstack::test {

// Objects of one kind, newest first; the id carries the number.
class ListedKind {
  public:
    struct Object {
        std::int64_t created;
        std::int64_t number;
        bool operator==(const Object &) const = default;
        // The order of the list.
        bool operator<(const Object &other) const {
            return std::pair(other.created, other.number) < std::pair(created, number);
        }
    };

    void add(std::int64_t created) {
        objects.push_back({created, static_cast<std::int64_t>(created_of.size())});
        created_of.push_back(created);
    }
    void sort() { std::sort(objects.begin(), objects.end()); }
    void insert(std::int64_t created) {
        const Object object{created, static_cast<std::int64_t>(created_of.size())};
        created_of.push_back(created);
        objects.insert(std::lower_bound(objects.begin(), objects.end(), object), object);
    }
    void remove(std::size_t place) {
        objects.erase(objects.begin() + static_cast<std::ptrdiff_t>(place));
    }
    std::int64_t created(std::int64_t number) const {
        return created_of.at(static_cast<std::size_t>(number));
    }

    http::Response answer(const Asked &asked, std::int64_t now) const {
        const Object from{number(asked, "created[lte]", INT64_MAX), INT64_MAX};
        const Object to{number(asked, "created[gte]", INT64_MIN), -1};
        if (from.created < 0 || (asked.params.contains("created[gte]") && to.created < 0))
            return answered_at(now, 400, error_of("parameter_invalid_integer", "created"));
        auto first = std::lower_bound(objects.begin(), objects.end(), from);
        const auto last = std::lower_bound(objects.begin(), objects.end(), to);
        if (const auto cursor = asked.params.find("starting_after"); cursor != asked.params.end()) {
            const std::int64_t at = std::stoll(cursor->second.substr(2));
            const Object object{created_of.at(static_cast<std::size_t>(at)), at};
            const auto found = std::lower_bound(objects.begin(), objects.end(), object);
            if (found == objects.end() || !(*found == object))
                return answered_at(now, 400, error_of("resource_missing", "starting_after"));
            first = std::max(first, found + 1);
        }
        const auto end = std::min<std::ptrdiff_t>(std::max<std::ptrdiff_t>(last - first, 0),
                                                  number(asked, "limit", 10));
        std::string body = R"({"object":"list","data":[)";
        for (auto object = first; object < first + end; ++object)
            body += (object == first ? "" : ",") +
                    object_of("o_" + std::to_string(object->number), object->created);
        body += R"(],"has_more":)";
        body += last - first > end ? "true}" : "false}";
        return answered_at(now, 200, body);
    }

    std::vector<Object> objects;

  private:
    static std::int64_t number(const Asked &asked, const char *name, std::int64_t absent) {
        const auto found = asked.params.find(name);
        return found == asked.params.end() ? absent : std::stoll(found->second);
    }
    std::vector<std::int64_t> created_of; // by number
};

// The buckets that workers share, here in a memory of their own.
class WorldGate final : public stripe::RateGate {
  public:
    WorldGate(const core::Clock &clock, double endpoint_rate, double total_rate)
        : clock_(clock), limits_{static_cast<std::int32_t>(total_rate),
                                 static_cast<std::int32_t>(endpoint_rate)} {}
    std::optional<core::Milliseconds> admit(const stripe::RateKey &key,
                                            stripe::Priority priority) override {
        const std::int64_t now =
            std::chrono::duration_cast<std::chrono::microseconds>(clock_.mono().time_since_epoch())
                .count();
        const std::int64_t wait =
            stripe::admit(*table_, stripe::names_of(key), limits_, priority, {}, now);
        if (wait == 0)
            return std::nullopt;
        return core::Milliseconds((wait + 999) / 1000);
    }
    void answered(const stripe::RateKey &, const Answer &) override {}

  private:
    const core::Clock &clock_;
    stripe::RateLimits limits_;
    std::unique_ptr<stripe::RateTable> table_ = std::make_unique<stripe::RateTable>();
};

class WorldTransport final : public http::Transport {
  public:
    using Lists = std::map<std::string, ListedKind>; // by path
    WorldTransport(TestClock &clock, Lists &lists, std::uint64_t seed)
        : clock_(clock), lists_(lists), random_(seed) {}
    core::Milliseconds latency{150};
    double jitter = 0.1; // of the latency, each way
    // Answers in place of the list's when not nullopt.
    std::function<std::optional<http::Response>(const Asked &)> fault;
    std::map<std::string, std::int64_t> asked_for; // requests, by path

    http::RequestId start(http::Request request) override {
        const double factor = 1 + std::uniform_real_distribution<double>(-jitter, jitter)(random_);
        const auto due = clock_.passed + core::Milliseconds(static_cast<std::int64_t>(
                                             static_cast<double>(latency.count()) * factor));
        due_.emplace(due, std::pair(++last_, asked_by(request)));
        return last_;
    }
    void cancel(http::RequestId id) override {
        std::erase_if(due_, [&](const auto &item) { return item.second.first == id; });
    }
    std::size_t in_flight() const override { return due_.size(); }
    int poll_fd() const override { return -1; }
    std::optional<core::Milliseconds> next_timeout() const override {
        if (due_.empty())
            return std::nullopt;
        return std::max(due_.begin()->first - clock_.passed, core::Milliseconds(0));
    }
    void step(std::vector<http::Completion> &out) override {
        while (!due_.empty() && due_.begin()->first <= clock_.passed) {
            const auto [id, asked] = due_.begin()->second;
            due_.erase(due_.begin());
            ++asked_for[asked.path];
            std::optional<http::Response> response = fault ? fault(asked) : std::nullopt;
            const std::int64_t now = 1700000000 + clock_.passed.count() / 1000;
            if (!response)
                response = lists_[asked.path].answer(asked, now);
            out.push_back({id, std::move(*response)});
        }
    }

  private:
    TestClock &clock_;
    Lists &lists_;
    std::mt19937_64 random_;
    http::RequestId last_ = 0;
    std::multimap<core::Milliseconds, std::pair<http::RequestId, Asked>> due_;
};

} // namespace billstack::test
