// Random schedules of lists that hang on one customer: what is in them comes and goes, its events
// arrive in any order, lists read by a backfill wait for long before they are written, reads that
// were asked for lie between; in the end the mirror holds what the customer has. Schedule n has the
// seed BILLSTACK_SEED + n, which a failure prints.
#include "fake_mirror_store.hpp"
#include "oracle_account.hpp"
#include "sync/apply_list.hpp"
#include "sync/event_batch.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

using test::Dice;

constexpr std::int64_t ticks_a_second = 4;
const std::string version = "2025-03-31.basil";
const std::string customer = "cus_1";

std::uint64_t number_from(const char *name, std::uint64_t usual) {
    const char *given = std::getenv(name);
    return given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
}

// A read of the list, or of one object; what it saw and when it is written.
struct Reading {
    bool refetch = false;
    std::string id; // asked for, of a refetch
    std::int64_t sent = 0;
    std::int64_t answered = 0;
    std::int64_t written = 0;
    int requests = 0;
    std::int64_t version = 0;
    bool looked = false;
    std::vector<std::string> objects;
    bool gone = false;
};

class ListSchedule {
  public:
    ListSchedule(std::uint64_t seed, const char *name)
        : dice_(seed), kind_(*stripe::find_kind(name)), list_(*stripe::parent_list(kind_)),
          alone_(!kind_.retrieve_path.empty()) {}

    void run() {
        std::int64_t changes = 4 + static_cast<std::int64_t>(dice_.below(8));
        int lists = 1 + static_cast<int>(dice_.below(3));
        for (;
             changes > 0 || lists > 0 || !events_.empty() || !readings_.empty() || !asked_.empty();
             ++tick_) {
            ASSERT_LT(tick_, ticks_a_second * 2000) << "never settles";
            if (changes > 0 && dice_.one_in(2)) {
                change();
                --changes;
            }
            // One run at a time: the next list is sent when the last one is written.
            bool listing = std::any_of(readings_.begin(), readings_.end(),
                                       [](const Reading &each) { return !each.refetch; });
            if (lists > 0 && !listing && dice_.one_in(3)) {
                send(false, customer);
                --lists;
            }
            if (!events_.empty() && dice_.one_in(changes > 0 ? 4 : 2)) {
                deliver();
            }
            read();
        }
        std::set<std::string> there;
        for (const auto &[id, object] : objects_) {
            there.insert(id);
        }
        EXPECT_EQ(store_.live(std::string(kind_.name)), there);
    }

  private:
    struct Told {
        std::string id;
        std::string type;
        std::string object;
        std::int64_t second;
    };

    void change() {
        bool make = objects_.empty() || dice_.one_in(2);
        if (make) {
            std::string id = "txi_" + std::to_string(++made_);
            objects_[id] = R"({"id":")" + id + R"(","object":")" + std::string(kind_.object) +
                           R"(","customer":"cus_1"})";
            tell(id, "created");
            return;
        }
        auto at =
            std::next(objects_.begin(), static_cast<std::ptrdiff_t>(dice_.below(objects_.size())));
        tell(at->first, "deleted");
        objects_.erase(at);
    }
    void tell(const std::string &id, const char *verb) {
        events_.push_back(
            {id, std::string("customer.tax_id.") + verb, objects_.at(id), tick_ / ticks_a_second});
    }

    void deliver() {
        auto at = events_.begin() + static_cast<std::ptrdiff_t>(dice_.below(events_.size()));
        Told told = std::move(*at);
        events_.erase(at);
        if (!alone_) { // entitlements.active_entitlement_summary.updated
            ask({&kind_, customer, "entitlements", {}});
            return;
        }
        std::string body = R"({"id":"evt_)" + std::to_string(++delivered_) +
                           R"(","object":"event","type":")" + told.type + R"(","created":)" +
                           std::to_string(told.second) + R"(,"livemode":false,"data":{"object":)" +
                           told.object + "}}";
        stripe::Event event = stripe::parse_event(body);
        apply_events(store_, {&event}, {"acct_1", false}, {});
        take_requests();
    }

    void ask(const RefetchRequest &request) {
        Asked &asked = asked_[request.id];
        ++asked.requests;
        std::int64_t due = tick_ + request.delay.count() * ticks_a_second / 1000;
        asked.due = asked.requests == 1 ? due : std::min(asked.due, due);
    }
    void take_requests() {
        for (const auto &each : store_.refetches) {
            EXPECT_EQ(each.kind, kind_.name);
            ask({&kind_, each.id, "", each.delay});
        }
        store_.refetches.clear();
    }

    void send(bool refetch, const std::string &id) {
        Reading reading;
        reading.refetch = refetch;
        reading.id = id;
        reading.sent = tick_;
        reading.answered = tick_ + static_cast<std::int64_t>(dice_.below(6));
        // A page waits for the lists of a hundred customers.
        reading.written =
            reading.answered + static_cast<std::int64_t>(dice_.below(refetch ? 4 : 24));
        if (refetch && alone_) {
            reading.version = store_.stored_states(kind_, {id})[0].version;
        }
        reading.requests = refetch ? asked_.at(id).requests : 0;
        readings_.push_back(std::move(reading));
    }

    void look(Reading &reading) {
        reading.looked = true;
        for (const auto &[id, object] : objects_) {
            if (reading.id == customer || reading.id == id) {
                reading.objects.push_back(object);
            }
        }
        reading.gone = reading.objects.empty();
    }

    void read() {
        for (auto &[id, asked] : asked_) {
            bool open = std::any_of(readings_.begin(), readings_.end(), [&](const Reading &each) {
                return each.refetch && each.id == id;
            });
            if (!open && tick_ >= asked.due) {
                send(true, id);
            }
        }
        for (std::size_t i = 0; i < readings_.size();) {
            Reading &reading = readings_[i];
            if (!reading.looked && (tick_ >= reading.answered || dice_.one_in(3))) {
                look(reading);
            }
            if (tick_ < reading.written) {
                ++i;
                continue;
            }
            Reading done = std::move(reading);
            readings_.erase(readings_.begin() + static_cast<std::ptrdiff_t>(i));
            write(done);
        }
    }

    std::unique_ptr<ChildPage> child_page(const Reading &reading) const {
        auto child = std::make_unique<ChildPage>();
        child->list = &list_;
        child->parent_id = customer;
        child->as_of = window_of(reading);
        child->page = json::ListPage::parse(test::list_of(reading.objects, false));
        for (const json::ObjectSpan &object : child->page.objects()) {
            child->rows.push_back({object.id, object.raw, digest_of(object.raw)});
        }
        return child;
    }
    static AsOf window_of(const Reading &reading) {
        return {reading.sent / ticks_a_second, reading.answered / ticks_a_second};
    }

    void write(const Reading &reading) {
        bool certain = true;
        if (!reading.refetch) {
            FetchedPage page;
            page.kind = stripe::find_kind("customer");
            page.only_list = &list_;
            page.more.push_back(child_page(reading));
            apply_page(store_, page, Source::backfill, version);
        } else if (!alone_) {
            std::vector<std::unique_ptr<ChildPage>> pages;
            pages.push_back(child_page(reading));
            apply_parent_list(store_, list_, customer, pages, version);
        } else if (reading.gone) {
            certain = apply_gone(store_, kind_, reading.id, reading.version, window_of(reading));
        } else {
            auto page = read_object(kind_, reading.objects[0], window_of(reading));
            certain = apply_refetched(store_, *page, reading.version, version).unclear == 0;
        }
        take_requests();
        if (!reading.refetch) {
            return;
        }
        Asked &asked = asked_.at(reading.id);
        if (certain && asked.requests == reading.requests) {
            asked_.erase(reading.id);
        } else {
            asked.due = tick_ + (certain ? 0 : ticks_a_second);
        }
    }

    struct Asked {
        int requests = 0;
        std::int64_t due = 0;
    };

    Dice dice_;
    const stripe::Kind &kind_;
    const stripe::ChildList &list_;
    bool alone_;
    std::int64_t tick_ = ticks_a_second * 1000;
    std::int64_t made_ = 0;
    std::int64_t delivered_ = 0;
    std::map<std::string, std::string> objects_; // the customer's, at Stripe
    std::vector<Told> events_;                   // not delivered yet
    std::map<std::string, Asked> asked_;
    std::vector<Reading> readings_;
    test::FakeMirrorStore store_;
};

void run_schedules(const char *kind) {
    std::uint64_t seed = number_from("BILLSTACK_SEED", 1);
    std::uint64_t rounds = number_from("BILLSTACK_ROUNDS", 5000);
    for (std::uint64_t n = 0; n < rounds && !testing::Test::HasFailure(); ++n) {
        SCOPED_TRACE("BILLSTACK_SEED=" + std::to_string(seed + n));
        ListSchedule(seed + n, kind).run();
    }
}

TEST(ListSchedules, rows_that_have_events_end_as_stripe_has_them) {
    run_schedules("tax_id");
}

TEST(ListSchedules, rows_that_are_read_by_their_list_end_as_stripe_has_them) {
    run_schedules("active_entitlement");
}

} // namespace
} // namespace billstack::sync
