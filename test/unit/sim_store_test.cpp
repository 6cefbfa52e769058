// Changes while running: patch, put and delete, and what lists make of them.
#include "test_support.hpp"

#include <gtest/gtest.h>

using namespace stripe_sim;
using namespace stripe_sim::test;

TEST(sim_store, a_patched_object_is_served_everywhere) {
    Sim sim;
    std::string id = sim.page("/v1/customers?limit=3")[1];
    Response patched = sim.post("/_sim/objects/customer/" + id,
                                R"({"name": "New", "metadata": {"a": "1"}, "phone": null})");
    ASSERT_EQ(patched.status, 200);
    EXPECT_EQ(sim.get("/v1/customers/" + id).body, patched.body);
    EXPECT_EQ(sim.page("/v1/customers?limit=3")[1], id) << "its place is kept";
    const json_t *listed = json_array_get(json_object_get(sim.last.get(), "data"), 1);
    EXPECT_EQ(get_string(listed, "name"), "New");
    EXPECT_EQ(sim.all("customer").size(), 230U);
}

TEST(sim_store, a_deleted_object_leaves_lists_and_is_no_cursor) {
    Sim sim;
    std::vector<std::string> before = sim.page("/v1/customers?limit=5");
    EXPECT_EQ(sim.ask(make_request("DELETE", "/_sim/objects/customer/" + before[1])).status, 200);
    std::vector<std::string> after = sim.page("/v1/customers?limit=4");
    EXPECT_EQ(after, (std::vector<std::string>{before[0], before[2], before[3], before[4]}));
    Response refused = sim.get("/v1/customers?starting_after=" + before[1]);
    EXPECT_EQ(refused.status, 400);
    Json stub = parse_json(sim.get("/v1/customers/" + before[1]).body);
    EXPECT_TRUE(get_bool(stub.get(), "deleted", false));
    EXPECT_EQ(sim.ask(make_request("DELETE", "/_sim/objects/customer/" + before[1])).status, 404);
}

TEST(sim_store, a_new_object_takes_its_place_by_time) {
    Sim sim;
    std::vector<std::string> before = sim.page("/v1/charges?limit=100");
    const json_t *tenth = json_array_get(json_object_get(sim.last.get(), "data"), 10);
    std::string created = std::to_string(get_int(tenth, "created", 0));
    std::string body =
        R"({"id": "ch_new", "object": "charge", "big": 12345678901234567.891, "created": )" +
        created + "}";
    EXPECT_EQ(sim.ask(make_request("PUT", "/_sim/objects/charge/ch_new", body)).status, 200);
    EXPECT_EQ(sim.get("/v1/charges/ch_new").body, body + "\n") << "kept as it stands";
    std::vector<std::string> exact = sim.page("/v1/charges?created=" + created);
    EXPECT_EQ(exact.front(), "ch_new") << "later than what shares its second";
    std::vector<std::string> next = sim.page("/v1/charges?limit=2&starting_after=ch_new");
    EXPECT_EQ(next[0], exact.size() > 1 ? exact[1] : before[10]);
    // An update may move it; it is listed once.
    sim.post("/_sim/objects/charge/ch_new", R"({"created": 1})");
    std::vector<Json> all = sim.all("charge");
    EXPECT_EQ(all.size(), 1301U);
    EXPECT_EQ(get_string(all.back().get(), "id"), "ch_new");
}

TEST(sim_store, a_put_list_is_as_long_as_it_stands_until_a_change) {
    Sim sim;
    std::string items;
    for (int i = 0; i < 25; ++i)
        items += (i > 0 ? "," : "") + std::string{R"({"id": "si_)"} + std::to_string(i) + "\"}";
    sim.ask(make_request("PUT", "/_sim/objects/subscription/sub_25",
                         R"({"id": "sub_25", "created": 1, "items": {"object": "list", "data": [)" +
                             items + R"(], "has_more": false}})"));
    auto embedded = [&] {
        Json doc = parse_json(sim.get("/v1/subscriptions/sub_25").body);
        return json_array_size(json_object_get(json_object_get(doc.get(), "items"), "data"));
    };
    EXPECT_EQ(embedded(), 25U);
    sim.post("/_sim/objects/subscription/sub_25", R"({"metadata": {"a": "b"}})");
    EXPECT_EQ(embedded(), 25U);
    sim.post("/_sim/changes", R"({"changes": [{"op": "update", "kind": "subscription",
                                  "id": "sub_25", "fields": {"metadata": {"a": "c"}}}]})");
    EXPECT_EQ(embedded(), 10U);
    EXPECT_EQ(sim.page("/v1/subscription_items?subscription=sub_25&limit=100").size(), 25U);
}

TEST(sim_store, a_patch_may_cut_a_generated_list_to_what_is_embedded) {
    Sim sim;
    for (const Json &one : sim.all("invoice")) {
        if (!get_bool(json_object_get(one.get(), "lines"), "has_more", false))
            continue;
        std::string id = get_string(one.get(), "id");
        sim.post("/_sim/objects/invoice/" + id, R"({"lines": {"has_more": false}})");
        EXPECT_EQ(sim.page("/v1/invoices/" + id + "/lines?limit=100").size(), 10U);
        return;
    }
    FAIL() << "no invoice has more than ten lines";
}

TEST(sim_store, control_refuses_nonsense) {
    Sim sim;
    EXPECT_EQ(sim.post("/_sim/objects/customer/cus_x", "{}").status, 404);
    EXPECT_EQ(sim.ask(make_request("PUT", "/_sim/objects/customer/cus_x", "[1")).status, 400);
    EXPECT_EQ(sim.get("/_sim/objects/nothing").status, 400);
    EXPECT_EQ(sim.get("/_sim/nothing").status, 404);
    EXPECT_EQ(sim.get("/_sim/").status, 404);
}
