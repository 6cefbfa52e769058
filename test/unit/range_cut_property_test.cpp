// Two workers share the ranges of a run over generated accounts, through random troubles: pieces
// are disjoint and cover at every moment, what existed all the time is delivered, once unless a
// deleted cursor made a second be read again, and without troubles hardly a page is asked for in
// vain. The seed is printed; BILLSTACK_SEED repeats a run, BILLSTACK_ROUNDS makes it longer.
#include "range_world.hpp"
#include "sync/backfill.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <set>

namespace billstack::sync {
namespace {

constexpr std::int64_t year = 365 * 86400;
constexpr std::int64_t now = 1700000000;

// The rows of backfill_range of one run.
class Table {
  public:
    struct Row {
        const stripe::Kind *kind;
        RangePosition position;
        std::optional<std::int64_t> top; // created_lte as it was made
        bool done = false;
        int owner = -1; // the worker that walks it
    };
    std::map<int, Row> rows; // by range_no, unique over the kinds

    void check_cover(const stripe::Kind &kind, std::optional<std::int64_t> created_after) const {
        std::vector<const Row *> pieces;
        for (const auto &[no, row] : rows)
            if (row.kind == &kind)
                pieces.push_back(&row);
        std::sort(pieces.begin(), pieces.end(), [](const Row *a, const Row *b) {
            return a->position.created_gte.value_or(INT64_MIN) <
                   b->position.created_gte.value_or(INT64_MIN);
        });
        ASSERT_FALSE(pieces.empty());
        EXPECT_EQ(pieces.front()->position.created_gte, created_after);
        EXPECT_EQ(pieces.back()->top, std::nullopt);
        for (std::size_t i = 1; i < pieces.size(); ++i) {
            ASSERT_TRUE(pieces[i - 1]->top && pieces[i]->position.created_gte);
            EXPECT_EQ(*pieces[i - 1]->top + 1, *pieces[i]->position.created_gte);
        }
    }
};

class Round {
  public:
    explicit Round(std::uint64_t seed) : random_(seed), seed_(seed) {}

    void run() {
        make_account();
        budget_ = std::make_shared<PageBudget>();
        if (one_in(4))
            budget_->limit = static_cast<std::size_t>(below(5000));
        for (int worker = 0; worker < 2; ++worker)
            restart(worker);
        for (int steps = 0; !all_done(); ++steps) {
            ASSERT_LT(steps, 400000) << "no end";
            step();
            if (testing::Test::HasFatalFailure())
                return;
        }
        check_delivered();
        for (int worker = 0; worker < 2; ++worker)
            stop(worker);
        EXPECT_EQ(budget_->held, 0U);
        EXPECT_EQ(budget_->moving, 0);
    }
    // Requests made beyond the pages there are.
    std::int64_t in_vain() const { return requests_ - pages_; }
    std::int64_t pages() const { return pages_; }
    bool troubled() const { return trouble_ != 0; }
    std::size_t cuts() const { return table_.rows.size() - kinds_.size(); }
    const std::string &shape() const { return shape_; }

  private:
    struct Worker {
        std::unique_ptr<test::WorldTransport> transport;
        std::unique_ptr<stripe::Caller> caller;
        std::unique_ptr<BackfillRun> run;
    };

    std::int64_t below(std::int64_t limit) {
        return std::uniform_int_distribution<std::int64_t>(0, limit - 1)(random_);
    }
    bool one_in(std::int64_t n) { return below(n) == 0; }
    double unit() { return std::uniform_real_distribution<double>(0, 1)(random_); }

    std::int64_t any_time(int shape) {
        const double began = static_cast<double>(now - 4 * year);
        const double life = 4.0 * year;
        switch (shape) {
        case 0: // all in one second
            return now - year;
        case 1:
            return static_cast<std::int64_t>(began + life * unit());
        case 2: // growth
            return static_cast<std::int64_t>(began + life * std::log2(1 + 15 * unit()) / 4);
        case 3: // bursts of minutes
            return now - (1 + below(9)) * year / 7 - below(200);
        case 4: // gaps of years
            return one_in(2) ? now - 9 * year + below(year / 9) : now - below(year / 30);
        case 5: // before Stripe, and in the future
            return one_in(20) ? 1000 + below(1000) : now - year + below(2 * year);
        case 6: // by day, busy seconds
            return now - below(300) * 86400 - below(2000) / 10;
        default: // a shrinking account
            return static_cast<std::int64_t>(began + life * unit() * unit());
        }
    }
    void make_account() {
        static const char *const names[] = {"one second", "even",    "growing", "bursts",
                                            "gaps",       "outside", "daily",   "shrinking"};
        page_size_ = static_cast<int>(2 + below(30));
        trouble_ = one_in(2) ? 0 : 10 + below(200);
        std::optional<std::int64_t> after;
        if (one_in(5))
            after = now - below(2 * year);
        created_after_ = after;
        for (const char *name : {"customer", "charge"}) {
            const stripe::Kind *kind = stripe::find_kind(name);
            kinds_.push_back(kind);
            const int shape = static_cast<int>(below(8));
            shape_ += (shape_.empty() ? "" : ", ") + std::string(names[shape]);
            test::ListedKind &list = lists_[std::string(kind->list_path)];
            const std::int64_t count = one_in(8) ? 0 : below(one_in(3) ? 40 : 4000);
            std::int64_t listed = 0;
            for (std::int64_t i = 0; i < count; ++i) {
                const std::int64_t created = any_time(shape);
                list.add(created);
                listed += !after || created >= *after ? 1 : 0;
            }
            list.sort();
            pages_ += std::max<std::int64_t>(1, (listed + page_size_ - 1) / page_size_);
            for (const test::ListedKind::Object &object : list.objects)
                if (!after || object.created >= *after)
                    steady_[kind].insert(object.number);
            table_.rows[next_no_++] = {kind, {after, {}, "", {}}, {}, false, 0};
        }
    }

    void restart(int which) {
        stop(which);
        Worker &worker = workers_[which];
        worker.transport = std::make_unique<test::WorldTransport>(clock_, lists_,
                                                                  static_cast<unsigned>(below(99)));
        worker.transport->fault = [this](const test::Asked &asked) { return fault(asked); };
        stripe::CallerOptions options;
        options.api_version = "2025-03-31.basil";
        worker.caller = std::make_unique<stripe::Caller>(*worker.transport, clock_, options, 1);
        BackfillOptions wanted;
        wanted.walker.key = std::make_shared<const core::SecretBytes>(
            core::SecretBytes::copy_of("rk_test_abcdefghij"));
        wanted.walker.retry.max_attempts = 1;
        wanted.walker.page_size = page_size_;
        wanted.walker.budget = budget_;
        std::vector<RangeSpec> ranges;
        for (auto &[no, row] : table_.rows)
            if (row.owner == which && !row.done)
                ranges.push_back({row.kind, no, row.position});
        worker.run =
            std::make_unique<BackfillRun>(*worker.caller, clock_, wanted, std::move(ranges), true);
    }
    void stop(int which) {
        Worker &worker = workers_[which];
        if (worker.transport)
            for (const auto &[path, requests] : worker.transport->asked_for)
                requests_ += requests;
        worker.run.reset();
        worker.caller.reset();
        worker.transport.reset();
    }
    bool all_done() const {
        return std::all_of(table_.rows.begin(), table_.rows.end(),
                           [](const auto &row) { return row.second.done; });
    }

    void step() {
        if (trouble_ != 0 && one_in(trouble_))
            make_trouble();
        const int which = static_cast<int>(below(2));
        bool moved = false;
        for (const int worker : {which, 1 - which})
            moved |= work(worker);
        if (!moved)
            pass_time();
    }
    bool work(int which) {
        Worker &worker = workers_[which];
        std::vector<stripe::CallResult> results;
        worker.caller->step(results);
        for (stripe::CallResult &result : results) {
            worker.run->on_result(std::move(result));
            make_cuts(which);
        }
        claim(which);
        worker.run->advance();
        make_cuts(which);
        if (RangeWalker *walker = worker.run->next_ready()) {
            write(*walker);
            return true;
        }
        return !results.empty();
    }
    void claim(int which) {
        for (auto &[no, row] : table_.rows)
            if (row.owner == -1 && !row.done && one_in(3)) {
                row.owner = which;
                workers_[which].run->add_range({row.kind, no, row.position});
            }
        for (const stripe::Kind *kind : kinds_) {
            int others = 0;
            for (const auto &[no, row] : table_.rows)
                others += row.kind == kind && !row.done && row.owner != which ? 1 : 0;
            workers_[which].run->note_elsewhere(*kind, others);
        }
    }
    void make_cuts(int which) {
        while (std::optional<RangeCut> cut = workers_[which].run->next_cut()) {
            if (trouble_ != 0 && one_in(4)) {
                workers_[which].run->cut_refused(*cut);
                return;
            }
            Table::Row &row = table_.rows.at(cut->range_no);
            EXPECT_EQ(row.owner, which);
            EXPECT_EQ(row.kind, cut->kind);
            EXPECT_EQ(row.position.created_gte, cut->older.created_gte);
            EXPECT_EQ(cut->older.cursor, "");
            const int older = next_no_++;
            const bool ours = !one_in(3);
            table_.rows[older] = {cut->kind, cut->older, cut->older.created_lte, false,
                                  ours ? which : -1};
            row.position.created_gte = cut->kept_gte;
            table_.check_cover(*cut->kind, created_after_);
            workers_[which].run->cut_stored(*cut, ours ? std::optional(older) : std::nullopt);
        }
    }
    void write(RangeWalker &walker) {
        const PendingPage &page = *walker.ready_page();
        Table::Row &row = table_.rows.at(walker.range_no());
        ASSERT_FALSE(row.done);
        const test::ListedKind &list = lists_.at(std::string(row.kind->list_path));
        for (const sync::Row &object : page.fetched->rows) {
            const std::int64_t number = std::stoll(std::string(object.id.substr(2)));
            ++delivered_[row.kind][number];
            const std::int64_t created = list.created(number);
            EXPECT_GE(created, row.position.created_gte.value_or(INT64_MIN)) << "of another piece";
            EXPECT_LE(created, row.top.value_or(INT64_MAX)) << "of another piece";
        }
        EXPECT_EQ(page.after.created_gte, row.position.created_gte);
        row.position = page.after;
        row.done = page.last;
        walker.page_written();
    }
    void pass_time() {
        core::Milliseconds wait(100000);
        for (const Worker &worker : workers_) {
            if (auto next = worker.caller->next_timeout())
                wait = std::min(wait, *next);
            if (auto retry = worker.run->next_retry())
                wait =
                    std::min(wait, std::chrono::ceil<core::Milliseconds>(*retry - clock_.mono()));
        }
        clock_.passed += std::max(wait, core::Milliseconds(1));
    }

    std::optional<http::Response> fault(const test::Asked &asked) {
        if (const auto cursor = asked.params.find("starting_after"); cursor != asked.params.end()) {
            const std::int64_t number = std::stoll(cursor->second.substr(2));
            const test::ListedKind &list = lists_.at(asked.path);
            const test::ListedKind::Object object{list.created(number), number};
            if (!std::binary_search(list.objects.begin(), list.objects.end(), object))
                reread_[asked.path].insert(object.created);
        }
        if (trouble_ == 0 || !one_in(trouble_))
            return std::nullopt;
        static const http::Response failures[] = {
            test::answered(500), test::answered(429), test::answered(200, "<html>"),
            test::answered(200, "{}"), test::failed(http::Failure::timeout)};
        return failures[below(5)];
    }
    // A worker dies, a range changes hands, objects come and go, often the one a cursor names.
    void make_trouble() {
        const std::int64_t what = below(8);
        const int which = static_cast<int>(below(2));
        if (what == 0) {
            restart(which);
        } else if (what == 1) {
            for (auto &[no, row] : table_.rows)
                if (row.owner == which && !row.done && one_in(3)) {
                    row.owner = -1;
                    workers_[which].run->drop_range(*row.kind, no);
                }
        } else {
            const stripe::Kind *kind = kinds_[static_cast<std::size_t>(below(2))];
            test::ListedKind &list = lists_[std::string(kind->list_path)];
            if (what < 4)
                list.insert(any_time(static_cast<int>(below(8))));
            else if (!list.objects.empty())
                remove(*kind, list);
        }
    }
    void remove(const stripe::Kind &kind, test::ListedKind &list) {
        auto place = static_cast<std::size_t>(below(std::ssize(list.objects)));
        for (const Worker &worker : workers_)
            for (const auto &walker : worker.run->walkers())
                if (&walker->kind() == &kind && !walker->fetched().cursor.empty() && one_in(4)) {
                    const std::int64_t number = std::stoll(walker->fetched().cursor.substr(2));
                    for (std::size_t i = 0; i < list.objects.size(); ++i)
                        place = list.objects[i].number == number ? i : place;
                }
        steady_[&kind].erase(list.objects[place].number);
        list.remove(place);
    }

    void check_delivered() {
        for (const stripe::Kind *kind : kinds_) {
            table_.check_cover(*kind, created_after_);
            const test::ListedKind &list = lists_[std::string(kind->list_path)];
            for (const std::int64_t number : steady_[kind])
                EXPECT_EQ(delivered_[kind].count(number), 1U) << "lost: " << kind->name << number;
            const std::set<std::int64_t> &reread = reread_[std::string(kind->list_path)];
            for (const auto &[number, times] : delivered_[kind])
                if (times > 1) {
                    EXPECT_TRUE(reread.contains(list.created(number)))
                        << number << " was delivered " << times << " times";
                }
        }
    }

    std::mt19937_64 random_;
    std::uint64_t seed_;
    test::TestClock clock_;
    test::WorldTransport::Lists lists_;
    std::shared_ptr<PageBudget> budget_;
    Worker workers_[2];
    Table table_;
    std::vector<const stripe::Kind *> kinds_;
    std::map<const stripe::Kind *, std::set<std::int64_t>> steady_; // existed all the time
    std::map<const stripe::Kind *, std::map<std::int64_t, int>> delivered_;
    std::map<std::string, std::set<std::int64_t>> reread_; // seconds of lost cursors, by path
    std::optional<std::int64_t> created_after_;
    std::string shape_;
    int next_no_ = 0;
    int page_size_ = 10;
    std::int64_t trouble_ = 0;
    std::int64_t pages_ = 0;
    std::int64_t requests_ = 0;
};

TEST(RangeCutProperty, each_object_once_and_hardly_a_page_in_vain) {
    const char *given = std::getenv("BILLSTACK_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("BILLSTACK_SEED=%llu\n", static_cast<unsigned long long>(seed));
    const char *wanted = std::getenv("BILLSTACK_ROUNDS");
    const int rounds = wanted != nullptr ? std::atoi(wanted) : 60;
    std::map<std::int64_t, int> spread; // rounds by requests in vain
    std::size_t cuts = 0;
    for (int i = 0; i < rounds && !testing::Test::HasFailure(); ++i) {
        Round round(seed + static_cast<std::uint64_t>(i));
        SCOPED_TRACE("round " + std::to_string(i));
        round.run();
        cuts += round.cuts();
        if (round.troubled())
            continue;
        ++spread[round.in_vain()];
        // Two kinds, two workers: what is tried at first, and the last pages of pieces.
        EXPECT_LE(round.in_vain(), 18 + round.pages() / 25)
            << round.shape() << ", " << round.pages() << " pages";
    }
    std::printf("%zu cuts; rounds without trouble by requests in vain:", cuts);
    for (const auto &[requests, count] : spread)
        std::printf(" %d: %d", static_cast<int>(requests), count);
    std::printf("\n");
    EXPECT_GT(cuts, 0U);
}

} // namespace
} // namespace billstack::sync
