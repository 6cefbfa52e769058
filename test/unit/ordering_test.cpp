// Every line of the table in ordering.hpp.
#include "sync/ordering.hpp"

#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

const Digest digest_a = digest_of("a");
const Digest digest_b = digest_of("b");

StoredState stored(std::int64_t start, std::int64_t end, Source source, bool deleted = false) {
    StoredState state;
    state.exists = true;
    state.as_of = {start, end};
    state.digest = digest_a;
    state.deleted = deleted;
    state.source = source;
    return state;
}

TEST(Ordering, what_is_not_stored_is_applied) {
    EXPECT_EQ(decide_read({}, {1, 2}, Digest{}), Decision::apply);
}

TEST(Ordering, equal_bytes_change_nothing_whenever_they_were_read) {
    for (AsOf window : {AsOf{1, 2}, AsOf{9, 12}, AsOf{20, 21}})
        for (Source source : {Source::event, Source::read, Source::call})
            EXPECT_EQ(decide_read(stored(10, 10, source), window, digest_a), Decision::unchanged);
}

TEST(Ordering, windows_apart_decide_for_every_source) {
    for (Source source : {Source::backfill, Source::read, Source::event, Source::call}) {
        EXPECT_EQ(decide_read(stored(10, 12, source), {13, 13}, digest_b), Decision::apply);
        EXPECT_EQ(decide_read(stored(10, 12, source), {8, 9}, digest_b), Decision::older);
    }
}

TEST(Ordering, an_event_inside_a_reads_window_is_unclear) {
    for (AsOf window : {AsOf{9, 11}, AsOf{10, 10}, AsOf{10, 11}, AsOf{9, 10}})
        EXPECT_EQ(decide_read(stored(10, 10, Source::event), window, digest_b), Decision::unclear);
}

TEST(Ordering, of_two_overlapping_reads_the_one_sent_no_earlier_wins) {
    for (Source source : {Source::backfill}) {
        for (AsOf window : {AsOf{10, 12}, AsOf{10, 10}, AsOf{11, 11}, AsOf{12, 15}})
            EXPECT_EQ(decide_read(stored(10, 12, source), window, digest_b), Decision::apply);
        for (AsOf window : {AsOf{9, 10}, AsOf{9, 12}, AsOf{1, 99}})
            EXPECT_EQ(decide_read(stored(10, 12, source), window, digest_b), Decision::unclear);
    }
}

// A thin event brings no state of its own: the read that it asked for is all that is known of it.
TEST(Ordering, beside_an_event_no_page_is_certain) {
    StoredState seen = stored(10, 12, Source::backfill);
    seen.seen_at = 10;
    for (AsOf window : {AsOf{9, 10}, AsOf{10, 12}, AsOf{12, 15}}) {
        EXPECT_EQ(decide_read(stored(10, 12, Source::read), window, digest_b), Decision::unclear);
        EXPECT_EQ(decide_read(stored(10, 12, Source::call), window, digest_b), Decision::unclear);
        EXPECT_EQ(decide_read(seen, window, digest_b), Decision::unclear);
    }
}

TEST(Ordering, a_read_that_was_asked_for_is_newer_than_the_row_it_was_asked_for) {
    StoredState row = stored(10, 12, Source::event);
    row.version = 7;
    EXPECT_EQ(decide_refetch(row, 7, {9, 10}, digest_b), Decision::apply);
    EXPECT_EQ(decide_refetch(row, 7, {9, 10}, digest_a), Decision::unchanged);
    EXPECT_EQ(decide_refetch(row, 6, {9, 10}, digest_b), Decision::unclear);
    // An event has shown the row's state again since: the read may be from before it.
    row.seen_at = 20;
    EXPECT_EQ(decide_refetch(row, 7, {21, 22}, digest_b), Decision::apply);
    EXPECT_EQ(decide_refetch(row, 7, {19, 20}, digest_b), Decision::unclear);
    EXPECT_EQ(decide_refetch(row, 7, {18, 19}, digest_b), Decision::older);
}

// Of two events inside a read's window the one may have undone what the read had not seen.
TEST(Ordering, the_second_event_inside_a_reads_window_is_provisional) {
    auto says = [](Follows follows) { return [follows] { return follows; }; };
    EventState event{EventState::Op::changed, 11, digest_b};
    StoredState row = stored(10, 12, Source::backfill);
    EXPECT_FALSE(decide_event(row, event, says(Follows::yes)).refetch);
    // Events have asked for it: they are known of, though the row never held their states.
    EXPECT_TRUE(decide_event(stored(10, 12, Source::read), event, says(Follows::yes)).refetch);
    row.seen_at = 12;
    EventDecision decision = decide_event(row, event, says(Follows::yes));
    EXPECT_EQ(decision.action, EventDecision::Action::apply);
    EXPECT_TRUE(decision.refetch);
}

TEST(Ordering, a_tombstone_is_lifted_by_a_later_read_only) {
    // The same bytes: the object is there again as it was.
    EXPECT_EQ(decide_read(stored(10, 10, Source::event, true), {11, 12}, digest_a),
              Decision::apply);
    EXPECT_EQ(decide_read(stored(10, 10, Source::event, true), {8, 9}, digest_a), Decision::older);
    EXPECT_EQ(decide_read(stored(10, 10, Source::event, true), {9, 11}, digest_a),
              Decision::unclear);
    EXPECT_EQ(decide_read(stored(10, 11, Source::read, true), {11, 12}, digest_b),
              Decision::unclear);
}

// Whatever the windows: never newer in both directions, and what is apart is never unclear.
TEST(Ordering, all_small_windows) {
    for (int a = 0; a < 5; ++a)
        for (int b = a; b < 5; ++b)
            for (int c = 0; c < 5; ++c)
                for (int d = c; d < 5; ++d)
                    for (Source source : {Source::read, Source::event}) {
                        Decision decision = decide_read(stored(a, b, source), {c, d}, digest_b);
                        bool apart = c > b || d < a;
                        EXPECT_FALSE(apart && decision == Decision::unclear);
                        EXPECT_EQ(decision == Decision::older, d < a);
                        EXPECT_TRUE(source != Source::event || apart ||
                                    decision == Decision::unclear);
                    }
}

TEST(Ordering, source_names_go_both_ways) {
    for (Source source : {Source::backfill, Source::read, Source::event, Source::call})
        EXPECT_EQ(source_of(source_name(source)), source);
    EXPECT_EQ(source_of("?"), Source::read);
}

} // namespace
} // namespace billstack::sync
