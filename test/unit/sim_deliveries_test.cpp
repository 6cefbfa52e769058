// Signed deliveries: what arrives, how often, in which order.
#include "deliveries.hpp"
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

struct Delivered {
    std::string id;
    std::string type;
    std::string signature;
    std::string payload;
    bool thin;
};

std::vector<Delivered> deliver(Sim &sim, const std::string &script) {
    Response response = sim.post("/_sim/deliveries", script);
    EXPECT_EQ(response.status, 200) << response.body;
    sim.last = parse_json(response.body);
    std::vector<Delivered> out;
    const json_t *all = json_object_get(sim.last.get(), "deliveries");
    for (size_t i = 0; i < json_array_size(all); ++i) {
        const json_t *one = json_array_get(all, i);
        out.push_back({get_string(one, "event_id"), get_string(one, "type"),
                       get_string(one, "signature"), get_string(one, "payload"),
                       get_bool(one, "thin", false)});
    }
    return out;
}

std::vector<std::string> ids_of(const std::vector<Delivered> &all) {
    std::vector<std::string> out;
    for (const Delivered &one : all)
        out.push_back(one.id);
    return out;
}

// `count` products and one update each.
void grow(Sim &sim, int count) {
    sim.post("/_sim/make",
             R"({"kind": "product", "events": true, "count": )" + std::to_string(count) + "}");
}

} // namespace

TEST(sim_deliveries, the_signature_is_stripes) {
    // Reckoned with: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
    EXPECT_EQ(signature_header("whsec_test", R"({"a":1})", 1700000000),
              "t=1700000000,v1="
              "38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789");
}

TEST(sim_deliveries, every_event_comes_once_in_order_as_the_api_shows_it) {
    Sim sim;
    grow(sim, 30);
    std::vector<Delivered> all = deliver(sim, R"({"secret": "whsec_a", "at": 1700000000})");
    ASSERT_EQ(all.size(), 30U);
    EXPECT_EQ(get_int(sim.last.get(), "next", 0), 31);
    for (const Delivered &one : all) {
        EXPECT_EQ(one.payload + "\n", sim.get("/v1/events/" + one.id).body);
        EXPECT_EQ(one.signature, signature_header("whsec_a", one.payload, 1700000000));
    }
    std::vector<std::string> ids = ids_of(all);
    EXPECT_EQ(ids_of(deliver(sim, R"({"from": 11, "limit": 5})")),
              std::vector<std::string>(ids.begin() + 10, ids.begin() + 15));
    EXPECT_EQ(get_int(sim.last.get(), "next", 0), 16);
    EXPECT_EQ(ids_of(deliver(sim, R"({"from": ")" + ids[28] + "\"}")),
              std::vector<std::string>(ids.begin() + 28, ids.end()));
    EXPECT_TRUE(deliver(sim, R"({"from": 31})").empty());
    EXPECT_EQ(get_int(sim.last.get(), "next", 0), 31);
    EXPECT_EQ(ids_of(deliver(sim, R"({"events": [")" + ids[7] + R"(", ")" + ids[2] + R"("]})")),
              (std::vector<std::string>{ids[7], ids[2]}));
    std::reverse(ids.begin(), ids.end());
    EXPECT_EQ(ids_of(deliver(sim, R"({"order": "reverse"})")), ids);
}

TEST(sim_deliveries, disorder_doubles_and_losses_follow_the_seed) {
    Sim sim;
    grow(sim, 400);
    std::string script =
        R"({"order": "random", "duplicates": 0.2, "losses": 0.1, "thin": 0.3, "seed": )";
    std::vector<Delivered> all = deliver(sim, script + "7}");
    EXPECT_EQ(ids_of(deliver(sim, script + "7}")), ids_of(all));
    EXPECT_NE(ids_of(deliver(sim, script + "8}")), ids_of(all));
    std::map<std::string, int> whole;
    int thin = 0;
    for (const Delivered &one : all)
        one.thin ? ++thin : ++whole[one.id];
    auto doubled =
        std::count_if(whole.begin(), whole.end(), [](const auto &one) { return one.second == 2; });
    EXPECT_NEAR(static_cast<double>(whole.size()), 360, 25);
    EXPECT_NEAR(static_cast<double>(doubled), 72, 30);
    EXPECT_NEAR(thin, 108, 35);
    std::vector<std::string> in_order = ids_of(deliver(sim, "{}"));
    EXPECT_EQ(in_order.size(), 400U);
    std::vector<std::string> mixed = ids_of(deliver(sim, R"({"order": "random"})"));
    EXPECT_NE(mixed, in_order);
    std::sort(mixed.begin(), mixed.end());
    std::sort(in_order.begin(), in_order.end());
    EXPECT_EQ(mixed, in_order);
}

TEST(sim_deliveries, a_thin_twin_names_its_snapshot) {
    Sim sim;
    grow(sim, 1);
    std::vector<Delivered> all = deliver(sim, R"({"thin": true, "secret": "whsec_a"})");
    ASSERT_EQ(all.size(), 2U);
    ASSERT_TRUE(all[1].thin);
    EXPECT_EQ(all[1].type, "v1.product.created");
    Json thin = parse_json(all[1].payload);
    EXPECT_EQ(get_string(thin.get(), "object"), "v2.core.event");
    EXPECT_EQ(get_string(thin.get(), "snapshot_event"), all[0].id);
    EXPECT_NE(get_string(thin.get(), "id"), all[0].id);
    const json_t *related = json_object_get(thin.get(), "related_object");
    EXPECT_EQ(get_string(related, "type"), "product");
    EXPECT_EQ(sim.get(get_string(related, "url")).status, 200);
}

TEST(sim_deliveries, an_endpoint_gets_what_it_asked_for) {
    Sim sim;
    Json made = parse_json(sim.post("/v1/webhook_endpoints",
                                    "url=https://example.com&enabled_events[]=product.updated")
                               .body);
    std::string id = get_string(made.get(), "id");
    grow(sim, 3);
    std::string product = sim.page("/v1/products?limit=1")[0];
    sim.post("/v1/products/" + product, "name=Other");
    std::vector<Delivered> all = deliver(sim, R"({"at": 1700000000, "endpoint": ")" + id + "\"}");
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].type, "product.updated");
    EXPECT_EQ(all[0].signature,
              signature_header(get_string(made.get(), "secret"), all[0].payload, 1700000000));
    EXPECT_EQ(get_int(sim.last.get(), "next", 0), 5);
    sim.post("/v1/webhook_endpoints/" + id, "disabled=true");
    EXPECT_TRUE(deliver(sim, R"({"endpoint": ")" + id + "\"}").empty());
}

TEST(sim_deliveries, nonsense_is_refused) {
    Sim sim;
    grow(sim, 1);
    for (const char *bad : {R"({"order": "sideways"})", R"({"losses": 2})", R"({"thin": "yes"})",
                            R"({"from": "evt_nothing"})", R"({"events": ["evt_nothing"]})"})
        EXPECT_EQ(sim.post("/_sim/deliveries", bad).status, 400) << bad;
}
