// Random schedules over the pure layer: an account changes, its events arrive in any order, some
// twice, some at the very end, pages of a backfill and reads that were asked for lie between; in
// the end the mirror holds what the account holds. Schedule n has the seed BILLSTACK_SEED + n;
// BILLSTACK_ROUNDS=1 with the seed that a failure prints repeats that one.
#include "fake_mirror_store.hpp"
#include "oracle_account.hpp"
#include "sync/event_batch.hpp"

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

using test::Dice;
using test::oracle_kinds;
using test::OracleAccount;
using test::OracleKind;

constexpr std::uint64_t usual_seed = 1;
constexpr std::uint64_t usual_rounds = 20000;
const std::string version = "2025-03-31.basil";

std::uint64_t number_from(const char *name, std::uint64_t usual) {
    const char *given = std::getenv(name);
    return given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
}

struct Counts {
    std::uint64_t changes = 0;
    std::uint64_t applied = 0; // events handed to apply_events
    std::uint64_t pages = 0;
    std::uint64_t reads = 0; // refetches
};

// What billstack_internal.refetch holds for an object.
struct Asked {
    int requests = 0;
    std::int64_t due = 0; // tick
    bool open = false;
};

// A request to Stripe: sent, looked up there, answered, and, for the rest of long child lists, once
// more; then it waits until somebody applies it.
struct Reading {
    enum class Phase { sent, looked_up, answered };
    const stripe::Kind *kind = nullptr;
    std::vector<std::string> ids; // of the objects on the page
    bool refetch = false;
    int requests = 0;         // as Asked had it at the time of sending
    std::int64_t sent_at = 0; // the stored row's version then
    Phase phase = Phase::sent;
    AsOf window;
    std::string body;
    bool gone = false;
    std::unique_ptr<FetchedPage> page;
    std::vector<std::pair<std::string, std::string>> lists; // parent and last child known
};

class Schedule {
  public:
    Schedule(std::uint64_t seed, Counts &counts, bool trace)
        : dice_(seed), account_(dice_, told_), counts_(counts), trace_(trace),
          in_order_(dice_.one_in(3)), ledger_(dice_.one_in(2)), thin_(dice_.one_in(4)) {}

    void run() {
        for (std::size_t left = 1 + dice_.below(3); left > 0; --left)
            account_.make(oracle_kinds[dice_.below(oracle_kinds.size())], dice_.one_in(2));
        plan_backfill();
        for (std::size_t left = 20 + dice_.below(40); left > 0; --left)
            act(dice_.below(12));
        for (auto &lost : lost_)
            pool_.push_back(std::move(lost));
        for (int turns = 0; !settled(); ++turns) {
            ASSERT_LT(turns, 5000) << "it never settles";
            act(4 + dice_.below(8));
        }
    }

    void check() {
        for (const OracleAccount::Object &object : account_.objects) {
            const auto *row = store_.find(object.kind->name, object.id);
            bool there = row != nullptr && !row->state.deleted;
            ASSERT_EQ(there, object.alive) << object.id;
            std::map<std::string, std::string> expected;
            if (there) {
                ASSERT_EQ(row->raw, OracleAccount::body_of(object));
                for (const auto &child : object.children)
                    expected[child.id] = OracleAccount::child_body(object, child);
            }
            const stripe::Kind *kind = stripe::find_kind(object.kind->name);
            for (const stripe::ChildList &list : kind->children)
                ASSERT_EQ(children_of(list, object.id), expected) << object.id;
        }
    }

  private:
    using Phase = Reading::Phase;

    struct Delivery {
        std::string body;
        int copies = 0;
    };

    void note(const std::string &text) {
        if (trace_)
            std::printf("%lld.%d %s\n", static_cast<long long>(account_.second()),
                        static_cast<int>(account_.tick() % OracleAccount::ticks_a_second),
                        text.c_str());
    }

    void act(std::size_t what) {
        if (what < 4) {
            change();
        } else if (what == 4) {
            account_.pass(1 + static_cast<std::int64_t>(dice_.below(dice_.one_in(4) ? 12 : 4)));
        } else if (what < 8) {
            deliver();
        } else if (what == 8) {
            start_page();
        } else if (what == 9) {
            start_refetch();
        } else if (!readings_.empty()) {
            proceed(dice_.below(readings_.size()));
        }
    }

    bool settled() const {
        return pool_.empty() && planned_.empty() && readings_.empty() && asked_.empty();
    }

    void change() {
        if (account_.objects.size() < 4 && dice_.one_in(12))
            account_.make(oracle_kinds[dice_.below(oracle_kinds.size())], false);
        else
            account_.change(account_.objects[dice_.below(account_.objects.size())]);
        for (const OracleAccount::Told &told : told_) {
            ++counts_.changes;
            note("at Stripe " + told.body);
            bool twin = thin_ && dice_.one_in(3);
            (dice_.one_in(20) ? lost_ : pool_).push_back({twin ? told.thin : told.body});
        }
        told_.clear();
    }

    void deliver() {
        std::vector<std::string> bodies;
        for (std::size_t left = 1 + dice_.below(4); left > 0 && !pool_.empty(); --left) {
            std::size_t at = in_order_ && !dice_.one_in(8) ? 0 : dice_.below(pool_.size());
            bodies.push_back(pool_[at].body);
            // With the ledger a second copy never gets here; replay() brings one back.
            if (!ledger_ && pool_[at].copies < 2 && dice_.one_in(4))
                ++pool_[at].copies;
            else
                pool_.erase(pool_.begin() + static_cast<std::ptrdiff_t>(at));
        }
        std::vector<stripe::Event> events;
        std::vector<const stripe::Event *> pointers;
        for (const std::string &body : bodies)
            events.push_back(stripe::parse_event(body));
        for (const stripe::Event &event : events)
            pointers.push_back(&event);
        counts_.applied += events.size();
        auto results = apply_events(store_, pointers, {"acct_1", false}, {});
        for (std::size_t i = 0; i < events.size(); ++i)
            note("delivered " + std::string(events[i].id) + " " +
                 std::string(outcome_name(results[i].outcome)));
        take_refetches();
    }

    // Every object that is there before the account is connected is on one of its pages.
    void plan_backfill() {
        for (const OracleKind &kind : oracle_kinds) {
            std::vector<std::string> ids;
            for (const OracleAccount::Object &object : account_.objects)
                if (object.kind == &kind)
                    ids.push_back(object.id);
            if (!ids.empty())
                planned_.push_back({stripe::find_kind(kind.name), ids});
        }
    }

    void start_page() {
        if (planned_.empty()) {
            if (readings_.size() > 2 || !dice_.one_in(3) || pool_.empty())
                return;
            plan_backfill(); // a second run
        }
        std::size_t at = dice_.below(planned_.size());
        Reading reading;
        reading.kind = planned_[at].first;
        reading.ids = planned_[at].second;
        planned_.erase(planned_.begin() + static_cast<std::ptrdiff_t>(at));
        ++counts_.pages;
        send(std::move(reading));
    }

    void start_refetch() {
        for (auto &[key, asked] : asked_) {
            if (asked.open || asked.due > account_.tick() || dice_.one_in(4))
                continue;
            asked.open = true;
            Reading reading;
            reading.kind = stripe::find_kind(key.first);
            reading.ids = {key.second};
            reading.refetch = true;
            reading.requests = asked.requests;
            reading.sent_at = store_.stored_states(*reading.kind, {key.second})[0].version;
            ++counts_.reads;
            send(std::move(reading));
            return;
        }
    }

    // Stripe's clock is only known from its answers: windows are a little too wide.
    void send(Reading reading) {
        reading.phase = Phase::sent;
        reading.window.start = account_.second() - static_cast<std::int64_t>(dice_.below(2));
        note(std::string(reading.refetch ? "sent for " : "page sent for ") + reading.ids[0]);
        readings_.push_back(std::move(reading));
    }

    void proceed(std::size_t at) {
        Reading &reading = readings_[at];
        switch (reading.phase) {
        case Phase::sent:
            reading.phase = Phase::looked_up;
            if (!look_up(reading)) // a child's id is no cursor any more: all is read anew
                restart(at);
            return;
        case Phase::looked_up:
            reading.window.end = account_.second() + static_cast<std::int64_t>(dice_.below(2));
            reading.phase = Phase::answered;
            take_answer(reading);
            return;
        case Phase::answered:
            apply_answer(reading);
            readings_.erase(readings_.begin() + static_cast<std::ptrdiff_t>(at));
            take_refetches();
            return;
        }
    }

    void restart(std::size_t at) {
        Reading again = std::move(readings_[at]);
        readings_.erase(readings_.begin() + static_cast<std::ptrdiff_t>(at));
        again.page.reset();
        again.lists.clear();
        if (again.refetch) {
            Asked &asked = asked_.at({std::string(again.kind->name), again.ids[0]});
            again.requests = asked.requests;
            again.sent_at = store_.stored_states(*again.kind, {again.ids[0]})[0].version;
        }
        send(std::move(again));
    }

    bool look_up(Reading &reading) {
        note("looked up " + reading.ids[0]);
        if (reading.page != nullptr)
            return OracleAccount::children_after(account_.find(reading.lists[0].first),
                                                 reading.lists[0].second, reading.body);
        std::vector<std::string> bodies;
        for (const std::string &id : reading.ids)
            if (account_.find(id).alive)
                bodies.push_back(OracleAccount::body_of(account_.find(id)));
        reading.gone = reading.refetch && bodies.empty();
        reading.body = reading.refetch && !reading.gone ? bodies[0] : test::list_of(bodies, false);
        return true;
    }

    void take_answer(Reading &reading) {
        if (reading.gone)
            return;
        if (reading.page == nullptr) {
            reading.page = reading.refetch
                               ? read_object(*reading.kind, reading.body, reading.window)
                               : read_page(*reading.kind, reading.body, reading.window);
            for (const ParentLists &parent : reading.page->parents)
                for (const ChildRows &rows : parent.lists)
                    if (rows.has_more)
                        reading.lists.push_back(
                            {std::string(rows.parent_id), std::string(rows.rows.back().id)});
        } else {
            auto child = std::make_unique<ChildPage>();
            child->list = &reading.kind->children[0];
            child->parent_id = reading.lists[0].first;
            child->as_of = reading.window;
            child->page = json::ListPage::parse(reading.body);
            for (const json::ObjectSpan &object : child->page.objects())
                child->rows.push_back({object.id, object.raw, digest_of(object.raw)});
            reading.page->more.push_back(std::move(child));
            reading.lists.erase(reading.lists.begin());
        }
        if (!reading.lists.empty()) {
            reading.phase = Phase::sent;
            reading.window.start = account_.second() - static_cast<std::int64_t>(dice_.below(2));
        }
    }

    // As the worker does it: what was asked for meanwhile is asked again.
    void apply_answer(Reading &reading) {
        if (!reading.refetch) {
            note("page applied " + reading.ids[0]);
            apply_page(store_, *reading.page, Source::backfill, version);
            return;
        }
        std::pair key{std::string(reading.kind->name), reading.ids[0]};
        bool certain = true;
        if (reading.gone)
            certain =
                apply_gone(store_, *reading.kind, reading.ids[0], reading.sent_at, reading.window);
        else
            certain = apply_refetched(store_, *reading.page, reading.sent_at, version).unclear == 0;
        take_refetches();
        Asked &asked = asked_.at(key);
        asked.open = false;
        note("answer applied " + reading.ids[0] + (certain ? "" : ", not certain"));
        if (asked.requests != reading.requests)
            asked.due = account_.tick();
        else if (!certain)
            asked.due = account_.tick() + OracleAccount::ticks_a_second;
        else
            asked_.erase(key);
    }

    void take_refetches() {
        for (const auto &request : store_.refetches) {
            note("asked for " + request.id + ": " + request.reason);
            std::int64_t due =
                account_.tick() + request.delay.count() * OracleAccount::ticks_a_second / 1000;
            auto [at, added] = asked_.try_emplace({request.kind, request.id});
            at->second.requests += 1;
            at->second.due = added ? due : std::min(at->second.due, due);
        }
        store_.refetches.clear();
    }

    std::map<std::string, std::string> children_of(const stripe::ChildList &list,
                                                   const std::string &parent) const {
        std::map<std::string, std::string> found;
        auto table = store_.tables.find(std::string(list.kind->name));
        if (table != store_.tables.end())
            for (const auto &[id, row] : table->second)
                if (row.parent == parent && !row.state.deleted)
                    found[id] = row.raw;
        return found;
    }

    Dice dice_;
    std::vector<OracleAccount::Told> told_;
    OracleAccount account_;
    Counts &counts_;
    bool trace_;
    bool in_order_;
    bool ledger_;
    bool thin_;
    test::FakeMirrorStore store_;
    std::vector<Delivery> pool_;
    std::vector<Delivery> lost_; // until the end
    std::vector<std::pair<const stripe::Kind *, std::vector<std::string>>> planned_;
    std::vector<Reading> readings_;
    std::map<std::pair<std::string, std::string>, Asked> asked_;
};

TEST(EventSchedule, the_mirror_ends_as_the_account_whatever_the_order) {
    std::uint64_t seed = number_from("BILLSTACK_SEED", usual_seed);
    std::uint64_t rounds = number_from("BILLSTACK_ROUNDS", usual_rounds);
    std::printf("BILLSTACK_SEED=%llu BILLSTACK_ROUNDS=%llu\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(rounds));
    Counts counts;
    for (std::uint64_t n = 0; n < rounds; ++n) {
        Schedule schedule(seed + n, counts, rounds == 1);
        schedule.run();
        if (!testing::Test::HasFailure())
            schedule.check();
        if (testing::Test::HasFailure()) {
            ADD_FAILURE() << "BILLSTACK_SEED=" << seed + n << " BILLSTACK_ROUNDS=1 repeats it";
            return;
        }
    }
    std::printf("%llu changes, %llu events applied, %llu pages, %llu refetches\n",
                static_cast<unsigned long long>(counts.changes),
                static_cast<unsigned long long>(counts.applied),
                static_cast<unsigned long long>(counts.pages),
                static_cast<unsigned long long>(counts.reads));
}

} // namespace
} // namespace billstack::sync
