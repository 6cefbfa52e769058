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

TEST(sim_store, control_refuses_nonsense) {
    Sim sim;
    EXPECT_EQ(sim.post("/_sim/objects/customer/cus_x", "{}").status, 404);
    EXPECT_EQ(sim.ask(make_request("PUT", "/_sim/objects/customer/cus_x", "[1")).status, 400);
    EXPECT_EQ(sim.get("/_sim/objects/nothing").status, 400);
    EXPECT_EQ(sim.get("/_sim/nothing").status, 404);
    EXPECT_EQ(sim.get("/_sim/").status, 404);
}
