// How long a run takes beside the least that the limits allow, and how many requests it makes
// beside the pages there are, on a clock of its own.
#include "range_world.hpp"
#include "sync/backfill.hpp"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

constexpr std::int64_t day = 86400;
constexpr std::int64_t now = 1700000000;

struct Account {
    const char *name;
    // A part of the account's life, from 0 to 1, for a number from 0 to 1.
    std::function<double(double)> age;
    std::int64_t began = now - 3 * 365 * day;
    int scale = 1;
    // What must hold at 150 ms: time / least time, requests / pages.
    double most_time = 1.07;
    double most_requests = 1.02;
};

struct Limits {
    double endpoint;
    double total;
    int latency; // ms
};

struct Outcome {
    double seconds = 0;
    double least = 0;
    std::int64_t requests = 0;
    std::int64_t pages = 0;
    int cuts = 0;
};

class Schedule {
  public:
    Schedule(const Account &account, const Limits &limits, std::uint64_t seed)
        : transport_(clock_, lists_, seed), gate_(clock_, limits.endpoint, limits.total),
          limits_(limits), random_(seed) {
        transport_.latency = core::Milliseconds(limits.latency);
        const std::pair<const char *, int> kinds[] = {{"customer", 10000}, {"subscription", 8000},
                                                      {"invoice", 30000},  {"charge", 40000},
                                                      {"product", 20},     {"price", 60}};
        for (const auto &[name, objects] : kinds)
            add_kind(name, name[0] == 'p' ? objects : objects * account.scale, account);
    }

    Outcome run() {
        stripe::CallerOptions options;
        options.api_version = "2025-03-31.basil";
        options.max_in_flight = 40;
        options.gate = &gate_;
        stripe::Caller caller(transport_, clock_, options, 1);
        BackfillOptions wanted;
        wanted.walker.key = std::make_shared<const core::SecretBytes>(
            core::SecretBytes::copy_of("rk_test_abcdefghij"));
        wanted.endpoint_rate = limits_.endpoint;
        wanted.total_rate = limits_.total;
        BackfillRun backfill(caller, clock_, wanted, ranges_, false);
        int range_no = 0;
        std::vector<stripe::CallResult> results;
        while (backfill.phase() != BackfillRun::Phase::finished) {
            results.clear();
            caller.step(results);
            for (stripe::CallResult &result : results)
                backfill.on_result(std::move(result));
            backfill.advance();
            while (auto cut = backfill.next_cut()) {
                ++outcome_.cuts;
                trace(*cut);
                backfill.cut_stored(*cut, ++range_no);
            }
            if (RangeWalker *walker = backfill.next_ready()) {
                written_ += walker->ready_page()->fetched->rows.size();
                walker->page_written();
                clock_.passed += core::Milliseconds(5);
            } else if (results.empty() && backfill.phase() != BackfillRun::Phase::finished) {
                sleep(caller, backfill);
            }
        }
        finish();
        return outcome_;
    }

  private:
    void add_kind(const char *name, int objects, const Account &account) {
        const stripe::Kind *kind = stripe::find_kind(name);
        test::ListedKind &list = lists_[std::string(kind->list_path)];
        std::uniform_real_distribution<double> unit(0, 1);
        for (int i = 0; i < objects; ++i) {
            const double age = std::clamp(account.age(unit(random_)), 0.0, 1.0);
            list.add(account.began +
                     static_cast<std::int64_t>(age * static_cast<double>(now - account.began)));
        }
        list.sort();
        ranges_.push_back({kind, 0, {}});
        objects_ += static_cast<std::size_t>(objects);
        const double pages = std::ceil(objects / 100.0);
        outcome_.pages += static_cast<std::int64_t>(pages);
        outcome_.least = std::max(outcome_.least, pages / limits_.endpoint);
    }
    void sleep(const stripe::Caller &caller, const BackfillRun &backfill) {
        std::optional<core::Milliseconds> wait = caller.next_timeout();
        if (auto retry = backfill.next_retry())
            wait = std::min(wait.value_or(core::Milliseconds(100000)),
                            std::chrono::ceil<core::Milliseconds>(*retry - clock_.mono()));
        ASSERT_TRUE(wait.has_value()) << "nothing will ever happen";
        clock_.passed += std::max(*wait, core::Milliseconds(1));
    }
    void trace(const RangeCut &cut) const {
        if (std::getenv("BILLSTACK_TRACE") != nullptr)
            std::printf("%6.2f s  %-12s cut of %d at day %.1f\n",
                        static_cast<double>(clock_.passed.count()) / 1000, cut.kind->name.data(),
                        cut.range_no, static_cast<double>(cut.kept_gte - now) / day);
    }
    void finish() {
        EXPECT_EQ(written_, objects_);
        outcome_.seconds = static_cast<double>(clock_.passed.count()) / 1000;
        outcome_.least =
            std::max(outcome_.least, static_cast<double>(outcome_.pages) / limits_.total);
        for (const auto &[path, requests] : transport_.asked_for)
            if (path != "/v1/events") {
                outcome_.requests += requests;
                if (std::getenv("BILLSTACK_TRACE") != nullptr)
                    std::printf("%s %d\n", path.c_str(), static_cast<int>(requests));
            }
    }

    test::TestClock clock_;
    test::WorldTransport::Lists lists_;
    test::WorldTransport transport_;
    test::WorldGate gate_;
    Limits limits_;
    std::mt19937_64 random_;
    std::vector<RangeSpec> ranges_;
    Outcome outcome_;
    std::size_t objects_ = 0;
    std::size_t written_ = 0;
};

std::vector<Account> accounts() {
    return {
        {"even", [](double x) { return x; }},
        {"growing", [](double x) { return std::sqrt(x); }},
        {"doubling each year", [](double x) { return std::log2(1 + 7 * x) / 3; }},
        {"shrinking", [](double x) { return x * x; }, now - 3 * 365 * day, 1, 1.15, 1.025},
        {"ten months", [](double x) { return x; }, now - 300 * day},
        {"twelve years", [](double x) { return std::sqrt(x); }, now - 12 * 365 * day},
        {"two bursts", [](double x) { return x < 0.5 ? 0.2 + x / 50 : 0.8 + x / 50; },
         now - 3 * 365 * day, 1, 1.2, 1.04},
        {"ten times", [](double x) { return std::sqrt(x); }, now - 3 * 365 * day, 10, 1.03, 1.005},
    };
}

Outcome worst_of(const Account &account, const Limits &limits) {
    Outcome worst;
    for (std::uint64_t seed = 42; seed < 44; ++seed) {
        const Outcome outcome = Schedule(account, limits, seed).run();
        worst.pages = outcome.pages;
        worst.least = outcome.least;
        worst.seconds = std::max(worst.seconds, outcome.seconds);
        worst.requests = std::max(worst.requests, outcome.requests);
        worst.cuts = std::max(worst.cuts, outcome.cuts);
    }
    const double time = worst.seconds / worst.least;
    const double requests = static_cast<double>(worst.requests) / static_cast<double>(worst.pages);
    std::printf("%-20s %3.0f/s in all, %3d ms: time/least %.3f, requests/pages %.3f, %d cuts\n",
                account.name, limits.total, limits.latency, time, requests, worst.cuts);
    EXPECT_LE(time, account.most_time);
    EXPECT_LE(requests, account.most_requests);
    return worst;
}

TEST(RangeSchedule, near_the_least_time_and_the_fewest_requests) {
    for (const Account &account : accounts())
        for (const double total : {100.0, 25.0})
            (void)worst_of(account, {25, total, 150});
}

// One chain keeps up with Stripe.
TEST(RangeSchedule, a_near_stripe_needs_no_cut) {
    for (const double total : {100.0, 25.0})
        EXPECT_EQ(worst_of(accounts()[0], {25, total, 20}).cuts, 0);
}

} // namespace
} // namespace billstack::sync
