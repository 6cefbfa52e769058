// Generation: same seed, same bytes; every field of Stripe's examples; references that hold.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

std::string whole(Sim &sim) {
    std::string out;
    for (const char *kind : {"customer", "product", "price", "subscription", "invoice", "charge",
                             "event", "subscription_item", "invoice_line_item"})
        out += sim.get(std::string{"/_sim/objects/"} + kind).body;
    return out;
}

std::map<std::string, const json_t *> by_id(const std::vector<Json> &all) {
    std::map<std::string, const json_t *> out;
    for (const Json &one : all)
        out[get_string(one.get(), "id")] = one.get();
    return out;
}

// Members of Stripe's example that the object lacks.
std::set<std::string> missing(const json_t *object, const json_t *example) {
    std::set<std::string> out;
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(example), name, value) {
        if (json_object_get(object, name) == nullptr)
            out.insert(name);
    }
    return out;
}

} // namespace

TEST(sim_generator, same_seed_same_bytes) {
    Sim first{5};
    Sim second{5, 0}; // and keeping rendered text changes nothing
    Sim other{6};
    std::string bytes = whole(first);
    EXPECT_EQ(bytes, whole(second));
    EXPECT_EQ(bytes, whole(first)) << "rendered again from what was kept";
    EXPECT_NE(bytes, whole(other));
}

TEST(sim_generator, lists_reads_and_dumps_serve_the_same_bytes) {
    Sim sim;
    for (const char *name : {"customer", "product", "price", "subscription", "invoice", "charge"}) {
        std::string path = "/v1/" + std::string{find_kind(name)->path};
        std::string page = sim.get(path + "?limit=20").body;
        std::string lines;
        append_one_line(lines, page);
        std::string dump = sim.get(std::string{"/_sim/objects/"} + name).body;
        for (const std::string &id : sim.page(path + "?limit=20")) {
            std::string read = sim.get(path + "/" + id).body;
            read.pop_back();
            EXPECT_NE(page.find(read), std::string::npos) << id;
            std::string line;
            append_one_line(line, read);
            EXPECT_NE(dump.find(line + "\n"), std::string::npos) << id;
        }
    }
}

TEST(sim_generator, objects_have_every_field_of_stripes_example) {
    Sim sim;
    const std::map<std::string, std::set<std::string>> left_out_before_basil = {
        {"subscription", {"billing_mode"}},
        {"subscription_item", {"current_period_end", "current_period_start"}},
        {"invoice", {"amount_overpaid", "parent", "total_taxes"}},
        {"invoice_line_item", {"parent", "pricing", "taxes"}}};
    for (const char *name : {"customer", "product", "price", "subscription", "invoice", "charge",
                             "event", "subscription_item", "invoice_line_item"}) {
        std::string kind = name;
        Json example = fixture(kind == "invoice_line_item" ? "line_item" : name);
        size_t whole_ones = 0;
        for (const Json &one : sim.all(kind)) {
            std::set<std::string> lacks = missing(one.get(), example.get());
            whole_ones += lacks.empty();
            auto allowed = left_out_before_basil.find(kind);
            if (!lacks.empty())
                ASSERT_TRUE(allowed != left_out_before_basil.end() && lacks == allowed->second)
                    << kind << " lacks " << *lacks.begin();
        }
        EXPECT_GT(whole_ones, 0U) << kind;
    }
}

TEST(sim_generator, templates_lose_no_name_and_invent_none) {
    Sim sim;
    for (const Json &one : sim.all("invoice")) {
        std::string text = compact(one.get());
        ASSERT_EQ(text.find("@{"), std::string::npos);
        const json_t *times = json_object_get(one.get(), "status_transitions");
        ASSERT_EQ(json_object_size(times), 4U) << text;
        ASSERT_EQ(get_string(one.get(), "status") == "paid",
                  !json_is_null(json_object_get(times, "paid_at")));
    }
}

TEST(sim_generator, references_hold) {
    Sim sim;
    auto customer_list = sim.all("customer");
    auto subscription_list = sim.all("subscription");
    auto price_list = sim.all("price");
    auto charge_list = sim.all("charge");
    auto customers = by_id(customer_list);
    auto subscriptions = by_id(subscription_list);
    auto prices = by_id(price_list);
    auto charges = by_id(charge_list);
    for (const Json &item : sim.all("subscription_item")) {
        const json_t *price = json_object_get(item.get(), "price");
        ASSERT_TRUE(json_equal(price, prices.at(get_string(price, "id"))));
        ASSERT_TRUE(subscriptions.contains(get_string(item.get(), "subscription")));
    }
    size_t old_shape = 0;
    for (const Json &invoice : sim.all("invoice")) {
        std::string customer = get_string(invoice.get(), "customer");
        ASSERT_TRUE(customers.contains(customer));
        const json_t *parent = json_object_get(invoice.get(), "parent");
        old_shape += parent == nullptr;
        std::string of =
            parent == nullptr
                ? get_string(invoice.get(), "subscription")
                : get_string(json_object_get(parent, "subscription_details"), "subscription");
        if (!of.empty())
            ASSERT_EQ(get_string(subscriptions.at(of), "customer"), customer);
        std::string charge = get_string(invoice.get(), "charge");
        if (!charge.empty()) {
            ASSERT_EQ(get_string(charges.at(charge), "customer"), customer);
            ASSERT_EQ(get_int(charges.at(charge), "amount", -1),
                      get_int(invoice.get(), "total", -2));
        }
    }
    EXPECT_GT(old_shape, 0U);
}

TEST(sim_generator, awkward_values_are_there) {
    AccountConfig big = small_account();
    big.sizes = {3000, 200, 1000, 4000, 4000, 4000, 1};
    Generator generator{big};
    const World &world = generator.world();
    bool beyond_int4 = false;
    bool without_amount = false;
    for (uint64_t i = 0; i < 1000; ++i) {
        beyond_int4 |= world.price(i).amount > INT32_MAX;
        without_amount |= world.price(i).form != PriceFacts::Form::per_unit;
    }
    std::set<std::string_view> statuses;
    unsigned most_items = 0;
    unsigned most_lines = 0;
    for (uint64_t i = 0; i < 4000; ++i) {
        statuses.insert(world.subscription(i).status);
        most_items = std::max(most_items, world.subscription(i).items);
        most_lines = std::max(most_lines, world.invoice(i).lines);
    }
    EXPECT_TRUE(beyond_int4);
    EXPECT_TRUE(without_amount);
    EXPECT_EQ(statuses.size(), 8U);
    EXPECT_GT(most_items, 10U);
    EXPECT_EQ(most_lines, 250U);
    uint64_t tied = 1;
    for (uint64_t i = 1600; i < 1849; ++i)
        tied += world.created(Kind::invoice, i) == world.created(Kind::invoice, i + 1);
    EXPECT_EQ(tied, 250U) << "a second that fills more than two pages";
}

TEST(sim_generator, created_never_falls) {
    World world{small_account()};
    for (Kind kind : {Kind::customer, Kind::subscription, Kind::invoice, Kind::charge, Kind::price})
        for (uint64_t i = 1; i < world.size(kind); ++i)
            ASSERT_LE(world.created(kind, i - 1), world.created(kind, i)) << info(kind).name << i;
}

TEST(sim_generator, ids_are_distinct_and_decode) {
    IdCodec ids{77};
    IdCodec stranger{78};
    std::set<std::string> seen;
    for (Kind kind : {Kind::customer, Kind::price, Kind::subscription_item})
        for (uint64_t index : {0UL, 1UL, 2UL, 1000UL, 16777216UL, 99999999999UL}) {
            std::string id = ids.encode(kind, index);
            EXPECT_TRUE(seen.insert(id).second);
            EXPECT_EQ(ids.decode(kind, id), index);
            EXPECT_FALSE(stranger.decode(kind, id).has_value());
            EXPECT_FALSE(ids.decode(Kind::charge, id).has_value());
            EXPECT_FALSE(ids.decode(kind, id + "x").has_value());
        }
}
