// The rule that cuts ranges, case by case; range_cut_property_test.cpp and range_schedule_test.cpp
// try it as a whole.
#include "sync/range_split.hpp"

#include "sync/density_curve.hpp"

#include <cmath>
#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

constexpr std::int64_t now = 1700000000;

// A range of which a page of 100 has been read, an object each `step` seconds.
KindPieces one_page(std::int64_t step, double latency = 0.15) {
    KindPieces kind;
    kind.latency = latency;
    kind.requests = 1;
    Piece piece;
    piece.cuttable = true;
    piece.in_flight = true;
    piece.reached = now - 99 * step;
    piece.sight.add_page(now, now - 99 * step, 100);
    kind.pieces.push_back(piece);
    return kind;
}

SplitRules rules(std::int64_t start) {
    SplitRules rules;
    rules.likely_start = start;
    return rules;
}

TEST(RangeSplit, a_long_chain_is_cut_below_what_is_in_flight) {
    const std::vector<KindPieces> kinds = {one_page(1000)};
    const auto cut = choose_cut(kinds, rules(now - 40000 * 1000));
    ASSERT_TRUE(cut.has_value());
    EXPECT_EQ(cut->kind, 0U);
    EXPECT_EQ(cut->piece, 0U);
    EXPECT_LT(cut->kept_gte, now - 200 * 1000); // read, and on its way
    EXPECT_GT(cut->kept_gte, now - 40000 * 1000);
}

TEST(RangeSplit, what_one_chain_reads_in_time_stays_whole) {
    // A page left beside what is in flight.
    EXPECT_EQ(choose_cut(std::vector{one_page(1000)}, rules(now - 300 * 1000)), std::nullopt);
    // 20 ms a page: 50 a second, and Stripe allows 25.
    EXPECT_EQ(choose_cut(std::vector{one_page(1000, 0.02)}, rules(now - 40000 * 1000)),
              std::nullopt);
    // A small kind beside a large one, which alone fixes the time.
    const std::vector<KindPieces> kinds = {one_page(1000), one_page(40000)};
    const auto cut = choose_cut(kinds, rules(now - 40000 * 1000));
    ASSERT_TRUE(cut.has_value());
    EXPECT_EQ(cut->kind, 0U);
}

TEST(RangeSplit, who_may_not_be_cut_is_not) {
    KindPieces kind = one_page(1000);
    kind.may_cut = false; // refused a moment ago, or without a filter
    EXPECT_EQ(choose_cut(std::vector{kind}, rules(now - 40000 * 1000)), std::nullopt);
    kind = one_page(1000);
    kind.pieces[0].cuttable = false; // waits for Stripe
    EXPECT_EQ(choose_cut(std::vector{kind}, rules(now - 40000 * 1000)), std::nullopt);
    kind = one_page(1000);
    kind.elsewhere = 5; // enough chains, though not here
    EXPECT_EQ(choose_cut(std::vector{kind}, rules(now - 40000 * 1000)), std::nullopt);
    kind = one_page(1000);
    kind.requests = 9; // eight of them in vain
    EXPECT_EQ(choose_cut(std::vector{kind}, rules(now - 40000 * 1000)), std::nullopt);
    kind = one_page(1000);
    kind.latency = 0; // nothing is known
    EXPECT_EQ(choose_cut(std::vector{kind}, rules(now - 40000 * 1000)), std::nullopt);
}

TEST(RangeSplit, nothing_is_cut_inside_a_second) {
    KindPieces kind = one_page(0);
    kind.pieces[0].gte = now;
    EXPECT_EQ(choose_cut(std::vector{kind}, rules(0)), std::nullopt);
    kind.pieces[0].gte = now - 1; // one second is left beside the one that is being read
    if (const auto cut = choose_cut(std::vector{kind}, rules(0)))
        EXPECT_EQ(cut->kept_gte, now);
}

TEST(RangeSplit, an_empty_piece_is_a_gap) {
    KindPieces kind = one_page(1000);
    kind.pieces[0].gte = now - 40000 * 1000;
    const double before = objects_left(kind, rules(0))[0];
    Piece empty;
    empty.lte = empty.began = now - 40000 * 1000 - 1;
    empty.fetched = true;
    kind.pieces.push_back(empty);
    const double after = objects_left(kind, rules(0))[0];
    EXPECT_LT(after, before / 2);
    EXPECT_EQ(objects_left(kind, rules(0))[1], 0);
}

TEST(RangeSplit, chains_are_as_many_as_the_limits_need) {
    const std::int64_t start = now - 40000 * 1000;
    EXPECT_EQ(wanted_chains(std::vector{one_page(1000)}, rules(start)), std::vector<int>{5});
    EXPECT_EQ(wanted_chains(std::vector{one_page(1000, 0.02)}, rules(start)), std::vector<int>{1});
    EXPECT_EQ(wanted_chains(std::vector{one_page(1000), one_page(40000)}, rules(start)),
              (std::vector<int>{5, 1}));
    KindPieces done = one_page(1000);
    done.pieces[0].fetched = true;
    EXPECT_EQ(wanted_chains(std::vector{done}, rules(start)), std::vector<int>{0});
}

TEST(RangeSplit, the_sight_of_a_range_grows_downwards) {
    RangeSight sight;
    EXPECT_TRUE(sight.empty());
    EXPECT_EQ(sight.top(), std::nullopt);
    sight.add_page(1000, 901, 100);
    sight.add_page(1000, 901, 100); // read again
    EXPECT_EQ(sight.objects(), 100);
    EXPECT_DOUBLE_EQ(sight.top()->density, 1);
    for (int page = 1; page <= 8; ++page)
        sight.add_page(1000 - page * 200, 901 - page * 200, 2);
    EXPECT_EQ(sight.objects(), 116);
    EXPECT_EQ(sight.newest(), 1000);
    EXPECT_EQ(sight.oldest(), 901 - 8 * 200);
    EXPECT_NEAR(sight.bottom()->density, 0.01, 0.001);
    EXPECT_LT(sight.bottom()->time, sight.top()->time);
}

TEST(RangeSplit, the_curve_counts_and_finds) {
    const DensityCurve even({{100, 2}, {200, 2}}, 200);
    EXPECT_NEAR(even.objects(100, 200), 200, 1e-6);
    EXPECT_NEAR(even.objects(0, 300), 600, 1e-6);
    EXPECT_NEAR(even.time_of(0, 300, 100), 250, 1);
    EXPECT_NEAR(even.time_of(0, 300, 601), 0, 1);
    const DensityCurve growing({{0, 1}, {100, 10}}, 0);
    EXPECT_NEAR(growing.objects(0, 100), 9 / std::log(10.0) * 100, 1e-6);
    EXPECT_TRUE(DensityCurve({}, 0).empty());
    EXPECT_EQ(DensityCurve({}, 0).objects(0, 100), 0);
}

} // namespace
} // namespace billstack::sync
