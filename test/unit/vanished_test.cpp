// Which rows a page passes over, by hand at the borders, and then over random accounts: ranges cut,
// resumed and begun again, objects deleted under way. The seed is printed; BILLSTACK_SEED repeats a
// run, BILLSTACK_ROUNDS makes it longer.
#include "sync/vanished.hpp"
#include "test_random.hpp"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

using Objects = std::vector<json::ObjectSpan>;

RangePosition at(std::string cursor, std::optional<std::int64_t> second) {
    RangePosition position;
    position.cursor = std::move(cursor);
    position.cursor_created = second;
    return position;
}

TEST(Vanished, APageCoversTheSecondsAfterItsLastObject) {
    VanishedScan scan(true, {}, {});
    auto span = scan.cover({}, {{"c", 30, ""}, {"b", 20, ""}}, false);
    ASSERT_TRUE(span);
    EXPECT_EQ(span->from, 21);
    EXPECT_EQ(span->to, std::nullopt);
    span = scan.cover(at("b", 20), {{"a", 10, ""}}, true);
    ASSERT_TRUE(span);
    EXPECT_EQ(span->from, std::nullopt);
    EXPECT_EQ(span->to, 20);
    EXPECT_TRUE(scan.is_listed("a"));
    EXPECT_TRUE(scan.is_listed("b")) << "of the second both pages share";
    EXPECT_FALSE(scan.is_listed("c"));
}

TEST(Vanished, ASecondLargerThanAPageIsJudgedAtItsEnd) {
    VanishedScan scan(true, {}, {});
    EXPECT_EQ(scan.cover({}, {{"d", 7, ""}, {"c", 7, ""}}, false)->from, 8);
    EXPECT_FALSE(scan.cover(at("c", 7), {{"b", 7, ""}, {"a", 7, ""}}, false));
    auto span = scan.cover(at("a", 7), {{"z", 3, ""}}, true);
    EXPECT_EQ(span->to, 7);
    for (const char *id : {"a", "b", "c", "d", "z"})
        EXPECT_TRUE(scan.is_listed(id)) << id;
}

TEST(Vanished, ResumedWithoutItsEdgeTheCursorsSecondIsPassedOver) {
    VanishedScan scan(true, at("b", 20), {});
    EXPECT_EQ(scan.cover(at("b", 20), {{"a", 10, ""}}, true)->to, 19);
    VanishedScan known(true, at("b", 20), ListEdge({"b"}));
    EXPECT_EQ(known.cover(at("b", 20), {{"a", 10, ""}}, true)->to, 20);
}

TEST(Vanished, AnEmptyListCoversItsRange) {
    RangePosition range;
    range.created_gte = 5;
    range.created_lte = 9;
    VanishedScan scan(true, range, {});
    auto span = scan.cover(range, {}, true);
    EXPECT_EQ(span->from, 5);
    EXPECT_EQ(span->to, 9);
}

TEST(Vanished, AListOutOfOrderCoversNothing) {
    VanishedScan scan(true, {}, {});
    EXPECT_FALSE(scan.cover({}, {{"b", 20, ""}, {"c", 30, ""}}, false));
    EXPECT_EQ(scan.edge(), std::nullopt);
    VanishedScan without(true, {}, {});
    EXPECT_FALSE(without.cover({}, {{"b", std::nullopt, ""}}, true));
}

TEST(Vanished, AKindWithoutSecondsIsJudgedByItsWholeList) {
    VanishedScan scan(false, {}, {});
    EXPECT_FALSE(scan.cover({}, {{"c", {}, ""}, {"b", {}, ""}}, false));
    EXPECT_TRUE(scan.cover(at("b", {}), {{"a", {}, ""}}, true));
    EXPECT_TRUE(scan.is_listed("c"));
    VanishedScan resumed(false, at("b", {}), {});
    EXPECT_FALSE(resumed.cover(at("b", {}), {{"a", {}, ""}}, true));
    RangePosition part;
    part.created_gte = 5;
    VanishedScan limited(false, part, {});
    EXPECT_FALSE(limited.cover(part, {{"a", {}, ""}}, true));
}

TEST(Vanished, LongEdgesAreNotKept) {
    Objects page;
    for (std::size_t i = 0; i <= VanishedScan::most_stored_ids; ++i)
        page.push_back({"o" + std::to_string(i), 7, ""});
    VanishedScan scan(true, {}, {});
    (void)scan.cover({}, page, false);
    EXPECT_TRUE(scan.edge());
    EXPECT_FALSE(scan.stored_edge());
}

// An account, its mirror, and the ranges that are left of a run.
class Account {
  public:
    explicit Account(test::Random &random) : random_(random) {
        const std::size_t seconds = 1 + random_.below(40);
        const std::size_t count = random_.below(80);
        for (std::size_t i = 0; i < count; ++i) {
            json::ObjectSpan object{"o" + std::to_string(i),
                                    static_cast<std::int64_t>(random_.below(seconds)), ""};
            rows_.push_back(object);
            if (random_.one_in(4))
                gone_.insert(object.id);
            else
                listed_.push_back(object);
        }
        std::stable_sort(listed_.begin(), listed_.end(),
                         [](const auto &a, const auto &b) { return a.created > b.created; });
        ranges_.push_back({});
    }

    void copy() {
        while (!ranges_.empty()) {
            RangePosition position = ranges_.front();
            ranges_.pop_front();
            walk(std::move(position));
        }
        for (const json::ObjectSpan &row : rows_)
            if (gone_.contains(row.id) && !passed_over_.contains(*row.created))
                EXPECT_TRUE(asked_.contains(row.id)) << row.id << " at " << *row.created;
    }

  private:
    void walk(RangePosition position) {
        VanishedScan scan(true, position, {});
        for (bool last = false; !last;) {
            if (random_.one_in(5))
                remove_one();
            lose_cursor(position);
            if (random_.one_in(6))
                cut(position);
            if (random_.one_in(4)) {
                ListEdge edge = random_.one_in(3) ? std::nullopt : scan.stored_edge();
                if (!edge && !position.cursor.empty())
                    passed_over_.insert(*position.cursor_created);
                scan = VanishedScan(true, position, std::move(edge));
            }
            Objects page = read(position, last);
            auto span = scan.cover(position, page, last);
            if (span)
                ask(*span, scan);
            if (!page.empty()) {
                position.cursor = page.back().id;
                position.cursor_created = page.back().created;
            }
        }
    }

    Objects read(const RangePosition &position, bool &last) {
        auto from = listed_.begin();
        if (!position.cursor.empty())
            from = std::find_if(from, listed_.end(),
                                [&](const auto &o) { return o.id == position.cursor; }) +
                   1;
        Objects page;
        const std::size_t size = 1 + random_.below(6);
        for (; from != listed_.end(); ++from) {
            if (*from->created > position.created_lte.value_or(INT64_MAX) ||
                *from->created < position.created_gte.value_or(INT64_MIN))
                continue;
            if (page.size() == size)
                break;
            page.push_back(*from);
        }
        last = from == listed_.end();
        return page;
    }

    void ask(const CoveredSpan &span, const VanishedScan &scan) {
        for (const json::ObjectSpan &row : rows_) {
            if (*row.created < span.from.value_or(INT64_MIN) ||
                *row.created > span.to.value_or(INT64_MAX) || scan.is_listed(row.id))
                continue;
            asked_.insert(row.id);
            EXPECT_TRUE(std::none_of(listed_.begin(), listed_.end(),
                                     [&](const auto &o) { return o.id == row.id; }))
                << row.id << " is listed";
        }
    }

    void remove_one() {
        if (!listed_.empty())
            listed_.erase(listed_.begin() +
                          static_cast<std::ptrdiff_t>(random_.below(listed_.size())));
    }

    // What the walker does when Stripe refuses the cursor.
    void lose_cursor(RangePosition &position) {
        if (position.cursor.empty() ||
            std::any_of(listed_.begin(), listed_.end(),
                        [&](const auto &o) { return o.id == position.cursor; }))
            return;
        gone_.insert(position.cursor); // it has to be found from now on
        passed_over_.erase(*position.cursor_created);
        position.created_lte = position.cursor_created;
        position.cursor.clear();
    }

    void cut(RangePosition &position) {
        if (position.cursor.empty())
            return;
        std::int64_t low = position.created_gte.value_or(-1);
        std::int64_t room = *position.cursor_created - low;
        if (room < 2)
            return;
        std::int64_t kept =
            low + 1 + static_cast<std::int64_t>(random_.below(static_cast<std::size_t>(room - 1)));
        RangePosition older;
        older.created_gte = position.created_gte;
        older.created_lte = kept - 1;
        position.created_gte = kept;
        ranges_.push_back(older);
    }

    test::Random &random_;
    Objects rows_;
    Objects listed_;
    std::deque<RangePosition> ranges_;
    std::set<std::string> gone_;
    std::set<std::string> asked_;
    std::set<std::int64_t> passed_over_;
};

TEST(Vanished, EveryRowThatIsGoneIsAskedForAndNoneThatIsListed) {
    test::Random random;
    for (int round = 0; round < test::rounds(3000) && !testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE(round);
        Account(random).copy();
    }
}

} // namespace
} // namespace billstack::sync
