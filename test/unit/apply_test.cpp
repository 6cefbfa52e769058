// From a page read at Stripe to what is written, over a mirror in memory.
#include "sync/apply.hpp"

#include "core/error.hpp"
#include "fake_mirror_store.hpp"
#include "fake_transport.hpp"

#include <gtest/gtest.h>

namespace billstack::sync {
namespace {

using test::list_of;
using test::object_of;
using test::parent_of;
using Ids = std::vector<std::string>;
using IdSet = std::set<std::string>;

class ApplyTest : public testing::Test {
  protected:
    test::FakeMirrorStore store;

    static std::unique_ptr<FetchedPage>
    page_of(const char *kind, const std::vector<std::string> &objects, AsOf as_of) {
        return read_page(*stripe::find_kind(kind), list_of(objects, false), as_of);
    }
    // As the walker adds it for a parent with more than ten.
    static void add_more(FetchedPage &page, const char *parent, Ids objects, AsOf as_of) {
        auto child = std::make_unique<ChildPage>();
        child->list = &page.kind->children[0];
        child->parent_id = parent;
        child->as_of = as_of;
        child->page = json::ListPage::parse(list_of(objects, false));
        for (const json::ObjectSpan &object : child->page.objects())
            child->rows.push_back({object.id, object.raw, digest_of(object.raw)});
        page.more.push_back(std::move(child));
    }
    ApplyReport apply(FetchedPage &page) {
        store.upserts.clear();
        store.tombstones.clear();
        return apply_page(store, page, Source::backfill, "2025-03-31.basil");
    }
    ApplyReport apply(const char *kind, const std::vector<std::string> &objects, AsOf as_of) {
        return apply(*page_of(kind, objects, as_of));
    }
    // Applies one invoice; the lines are given as whole objects.
    ApplyReport apply_invoice(const std::string &id, int version, const Ids &lines, AsOf as_of) {
        return apply("invoice", {parent_of(id, version, "lines", lines, false)}, as_of);
    }
    Ids written(const std::string &kind) const {
        Ids ids;
        for (const auto &call : store.upserts)
            if (call.kind == kind)
                ids.insert(ids.end(), call.ids.begin(), call.ids.end());
        return ids;
    }
};

void expect_report(const ApplyReport &report, int read, int changed, int unchanged, int older) {
    EXPECT_EQ(report.read, read);
    EXPECT_EQ(report.changed, changed);
    EXPECT_EQ(report.unchanged, unchanged);
    EXPECT_EQ(report.older, older);
}

std::string line(const char *id, int amount = 1) {
    return R"({"id":")" + std::string(id) + R"(","amount":)" + std::to_string(amount) + "}";
}

TEST_F(ApplyTest, writes_what_is_new_sorted_by_id) {
    expect_report(
        apply("customer", {object_of("c3", 3), object_of("c1", 1), object_of("c2", 2)}, {10, 11}),
        3, 3, 0, 0);
    ASSERT_EQ(store.upserts.size(), 1U);
    EXPECT_EQ(store.upserts[0].ids, (Ids{"c1", "c2", "c3"}));
    EXPECT_EQ(store.upserts[0].as_of.start, 10);
    EXPECT_EQ(store.upserts[0].as_of.end, 11);
    EXPECT_EQ(store.find("customer", "c2")->raw, object_of("c2", 2));
}

TEST_F(ApplyTest, writes_nothing_for_an_empty_page) {
    expect_report(apply("customer", {}, {10, 11}), 0, 0, 0, 0);
    EXPECT_TRUE(store.upserts.empty());
}

TEST_F(ApplyTest, leaves_unchanged_and_newer_rows_alone) {
    apply("customer", {object_of("c1", 1), object_of("c2", 1), object_of("c3", 1)}, {10, 11});
    expect_report(
        apply("customer", {object_of("c3", 2), object_of("c2", 1), object_of("c1", 2)}, {20, 21}),
        3, 2, 1, 0);
    EXPECT_EQ(written("customer"), (Ids{"c1", "c3"}));
    EXPECT_EQ(store.find("customer", "c2")->state.as_of.end, 11);
    // c1 and c3 are as of 20 to 21 by now.
    expect_report(
        apply("customer", {object_of("c1", 3), object_of("c2", 3), object_of("c3", 2)}, {15, 16}),
        3, 1, 1, 1);
    EXPECT_EQ(written("customer"), Ids{"c2"});
    EXPECT_EQ(store.find("customer", "c1")->raw, object_of("c1", 2));
    // The windows overlap and an event was applied last: unclear, it is read once more.
    store.tables["customer"]["c1"].state.source = Source::event;
    expect_report(apply("customer", {object_of("c1", 9)}, {20, 25}), 1, 0, 0, 0);
    EXPECT_EQ(store.find("customer", "c1")->raw, object_of("c1", 2));
    ASSERT_EQ(store.refetches.size(), 1U);
    EXPECT_EQ(store.refetches[0].id, "c1");
}

// A caller reads what it wrote, also where an event told of the same second before.
TEST_F(ApplyTest, the_answer_to_a_write_is_newer_than_the_row_it_met) {
    apply("customer", {object_of("c1", 1)}, {10, 11});
    StoredState &state = store.tables["customer"]["c1"].state;
    state.seen_at = 20;
    auto answer = [&](int version, const SentState &sent) {
        const stripe::Kind &kind = *stripe::find_kind("customer");
        auto page = read_object(kind, object_of("c1", version), {20, 21});
        return apply_answer(store, *page, sent, "2025-03-31.basil").changed;
    };
    const SentState sent{state.version, 20};
    EXPECT_EQ(answer(2, sent), 1);
    EXPECT_EQ(store.refetches.size(), 1U) << "that event may have come meanwhile";
    // The row has changed since, or an event has come: nothing is certain.
    EXPECT_EQ(answer(3, sent), 0);
    EXPECT_EQ(answer(3, {store.find("customer", "c1")->state.version, 19}), 0);
    EXPECT_EQ(store.find("customer", "c1")->raw, object_of("c1", 2));
}

TEST_F(ApplyTest, a_later_read_lifts_a_tombstone) {
    apply("customer", {object_of("c1", 1)}, {10, 11});
    auto &state = store.tables["customer"]["c1"].state;
    state.deleted = true;
    state.as_of = {20, 21};
    expect_report(apply("customer", {object_of("c1", 1)}, {15, 16}), 1, 0, 0, 1);
    EXPECT_EQ(store.live("customer"), IdSet{});
    expect_report(apply("customer", {object_of("c1", 1)}, {30, 31}), 1, 1, 0, 0);
    EXPECT_EQ(store.live("customer"), IdSet{"c1"});
}

TEST_F(ApplyTest, an_id_twice_in_a_page_is_written_once) {
    expect_report(
        apply("customer", {object_of("c2", 2), object_of("c1", 1), object_of("c2", 9)}, {10, 11}),
        3, 2, 0, 0);
    EXPECT_EQ(written("customer"), (Ids{"c1", "c2"}));
    EXPECT_EQ(store.find("customer", "c2")->raw, object_of("c2", 2)); // the first one
}

TEST_F(ApplyTest, children_are_written_with_their_parents) {
    expect_report(apply("invoice",
                        {parent_of("in_2", 1, "lines", {line("il_3"), line("il_1")}, false),
                         parent_of("in_1", 1, "lines", {line("il_2")}, false),
                         object_of("in_3", 1, R"(,"lines":null)")},
                        {10, 11}),
                  3, 6, 0, 0);
    ASSERT_EQ(store.upserts.size(), 2U);
    EXPECT_EQ(store.upserts[0].kind, "invoice"); // parents first
    EXPECT_EQ(store.upserts[1].ids, (Ids{"il_1", "il_2", "il_3"}));
    EXPECT_TRUE(store.tombstones.empty()); // nothing was stored before
}

// Not every API version writes the parent's id into the child.
TEST_F(ApplyTest, a_child_belongs_to_the_parent_in_whose_list_it_is) {
    auto page = page_of("invoice",
                        {parent_of("in_2", 1, "lines", {line("il_1")}, true),
                         parent_of("in_1", 1, "lines", {line("il_3"), line("il_2")}, false)},
                        {10, 11});
    add_more(*page, "in_2", {R"({"id":"il_9","invoice":"in_other"})", line("il_8")}, {11, 12});
    apply(*page);
    const std::pair<const char *, const char *> parents[] = {
        {"il_1", "in_2"}, {"il_2", "in_1"}, {"il_3", "in_1"}, {"il_8", "in_2"}, {"il_9", "in_2"}};
    for (const auto &[child, parent] : parents)
        EXPECT_EQ(store.find("invoice_line_item", child)->parent, parent) << child;
}

TEST_F(ApplyTest, children_of_an_unchanged_parent_are_skipped) {
    apply_invoice("in_1", 1, {line("il_1")}, {10, 11});
    store.tables["invoice_line_item"].clear(); // would be written again if looked at
    expect_report(apply_invoice("in_1", 1, {line("il_1")}, {20, 21}), 1, 0, 1, 0);
    EXPECT_TRUE(store.upserts.empty());
    EXPECT_TRUE(store.tombstones.empty());
}

TEST_F(ApplyTest, children_past_the_embedded_ones_are_compared_each_time) {
    const auto page = [](Ids rest, AsOf as_of) {
        auto page = page_of(
            "invoice", {parent_of("in_1", 1, "lines", {line("il_1"), line("il_2")}, true)}, as_of);
        add_more(*page, "in_1", rest, {as_of.end, as_of.end + 5});
        return page;
    };
    expect_report(apply(*page({line("il_3"), line("il_4")}, {10, 11})), 1, 5, 0, 0);
    EXPECT_EQ(store.find("invoice_line_item", "il_4")->state.as_of.end, 16);
    EXPECT_TRUE(store.tombstones.empty());
    // The invoice itself stays the same: il_3 has changed, il_4 is gone, il_5 is new.
    expect_report(apply(*page({line("il_3", 7), line("il_5")}, {20, 21})), 1, 3, 1, 0);
    EXPECT_EQ(written("invoice_line_item"), (Ids{"il_3", "il_5"}));
    EXPECT_EQ(store.live("invoice_line_item"), (IdSet{"il_1", "il_2", "il_3", "il_5"}));
    ASSERT_EQ(store.tombstones.size(), 1U);
    EXPECT_EQ(store.tombstones[0].parents, Ids{"in_1"});
    EXPECT_EQ(store.tombstones[0].kept, (Ids{"il_1", "il_2", "il_3", "il_5"}));
    EXPECT_EQ(store.tombstones[0].as_of.start, 20);
    EXPECT_EQ(store.tombstones[0].as_of.end, 26); // when the last of the list was read
}

TEST_F(ApplyTest, tombstones_are_for_parents_stored_before) {
    apply_invoice("in_1", 1, {line("il_1"), line("il_2")}, {10, 11});
    // in_1 has changed and lost il_1; in_2 is new; in_3 has no list in this answer.
    apply("invoice", {object_of("in_3", 1)}, {10, 11});
    expect_report(
        apply("invoice",
              {parent_of("in_2", 1, "lines", {line("il_5")}, false),
               parent_of("in_1", 2, "lines", {line("il_2")}, false), object_of("in_3", 2)},
              {20, 21}),
        3, 5, 0, 0); // three invoices, il_5, a tombstone
    ASSERT_EQ(store.tombstones.size(), 1U);
    EXPECT_EQ(store.tombstones[0].parents, Ids{"in_1"});
    EXPECT_EQ(store.live("invoice_line_item"), (IdSet{"il_2", "il_5"}));
    // All children gone.
    expect_report(apply_invoice("in_1", 3, {}, {30, 31}), 1, 2, 0, 0);
    EXPECT_EQ(store.live("invoice_line_item"), IdSet{"il_5"});
}

TEST_F(ApplyTest, an_older_parent_brings_no_children) {
    apply_invoice("in_1", 2, {line("il_1")}, {20, 21});
    expect_report(apply_invoice("in_1", 1, {line("il_2")}, {10, 11}), 1, 0, 0, 1);
    EXPECT_EQ(store.live("invoice_line_item"), IdSet{"il_1"});
    // Nor those past the embedded ones: what the newer invoice has lost would come back for good.
    auto page = page_of("invoice",
                        {parent_of("in_1", 1, "lines", {line("il_2")}, true),
                         parent_of("in_2", 1, "lines", {line("il_4")}, true)},
                        {10, 11});
    add_more(*page, "in_1", {line("il_3")}, {11, 12});
    add_more(*page, "in_2", {line("il_5")}, {11, 12});
    expect_report(apply(*page), 2, 3, 0, 1);
    EXPECT_EQ(store.live("invoice_line_item"), (IdSet{"il_1", "il_4", "il_5"}));
    EXPECT_TRUE(store.tombstones.empty());
}

TEST_F(ApplyTest, a_page_that_cannot_be_read) {
    EXPECT_THROW(read_page(*stripe::find_kind("customer"), "{}", {1, 2}), core::Error);
    // What the split of the page does not look at: nothing of the page is written.
    auto page = page_of("customer", {object_of("c1", 1), R"({"id":"c2","balance":tru})"}, {1, 2});
    EXPECT_THROW(apply(*page), core::Error);
    EXPECT_TRUE(store.upserts.empty());
}

} // namespace
} // namespace billstack::sync
