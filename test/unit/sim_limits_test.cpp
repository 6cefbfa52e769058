// Stripe's limits as the simulator keeps them.
#include "limits.hpp"
#include "test_support.hpp"

#include <gtest/gtest.h>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

const Limits::Time start{std::chrono::hours(1)};

Limits::Time after(int ms) {
    return start + std::chrono::milliseconds{ms};
}

std::string header(const Response &response, const std::string &name) {
    for (const auto &[key, value] : response.headers)
        if (key == name)
            return value;
    return {};
}

} // namespace

TEST(sim_limits, no_second_holds_more_whenever_it_begins) {
    Limits limits;
    limits.set({3, 0, 0, 0});
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(0)), "");
    EXPECT_EQ(limits.admit("a", "GET /v1/y", after(900)), "");
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(950)), "");
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(999)), "global-rate");
    EXPECT_EQ(limits.admit("b", "GET /v1/x", after(999)), ""); // another account
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(1000)), "");
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(1001)), "global-rate");
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(1900)), "");
}

TEST(sim_limits, an_operation_has_its_own) {
    Limits limits;
    limits.set({0, 1, 0, 0});
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(0)), "");
    EXPECT_EQ(limits.admit("a", "POST /v1/x", after(0)), "");
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(10)), "endpoint-rate");
}

TEST(sim_limits, what_is_in_flight_is_limited) {
    Limits limits;
    limits.set({0, 0, 2, 1});
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(0)), "");
    limits.note_end("a", "GET /v1/x", after(100));
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(50)), "endpoint-concurrency");
    EXPECT_EQ(limits.admit("a", "GET /v1/y", after(50)), "");
    limits.note_end("a", "GET /v1/y", after(150));
    EXPECT_EQ(limits.admit("a", "GET /v1/z", after(60)), "global-concurrency");
    EXPECT_EQ(limits.admit("a", "GET /v1/x", after(100)), "");
}

TEST(sim_limits, a_refusal_is_stripes_and_is_counted) {
    Sim sim;
    sim.post("/_sim/limits", R"({"rate": 100, "endpoint_rate": 2, "retry_after": 4})");
    EXPECT_EQ(sim.get("/v1/customers").status, 200);
    EXPECT_EQ(sim.get("/v1/customers").status, 200);
    Response refused = sim.get("/v1/customers");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(header(refused, "Stripe-Rate-Limited-Reason"), "endpoint-rate");
    EXPECT_EQ(header(refused, "Retry-After"), "4");
    Json body = parse_json(refused.body);
    EXPECT_EQ(get_string(json_object_get(body.get(), "error"), "code"), "rate_limit");
    EXPECT_EQ(sim.get("/v1/products").status, 200);
    Json report = parse_json(sim.get("/_sim/limits").body);
    EXPECT_EQ(get_int(json_object_get(report.get(), "refused"), "endpoint-rate", 0), 1);
    EXPECT_EQ(get_int(report.get(), "busiest_second", 0), 4);
    const json_t *one =
        json_object_get(json_object_get(report.get(), "endpoints"), "GET /v1/customers");
    EXPECT_EQ(get_int(one, "requests", 0), 3);
    EXPECT_EQ(get_int(one, "refused", 0), 1);
    sim.post("/_sim/limits", "{}");
    EXPECT_EQ(sim.get("/v1/customers").status, 200);
}
