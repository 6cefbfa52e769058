// Fault scripts: matching, counting, determinism, and each action's answer.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

Response with_action(const std::string &action) {
    Sim sim;
    Response loaded = sim.post("/_sim/faults", R"([{"action": )" + action + "}]");
    EXPECT_EQ(loaded.status, 200) << loaded.body;
    return sim.get("/v1/customers?limit=2");
}

std::string header(const Response &response, const std::string &name) {
    for (const auto &[key, value] : response.headers)
        if (key == name)
            return value;
    return {};
}

std::string statuses(Sim &sim, const std::string &target, int times) {
    std::string out;
    for (int i = 0; i < times; ++i)
        out += std::to_string(sim.get(target).status / 100);
    return out;
}

} // namespace

TEST(sim_faults, after_and_count_bound_a_rule) {
    Sim sim;
    sim.post("/_sim/faults",
             R"([{"match": {"method": "GET", "path": "^/v1/customers$"}, "after": 2, "count": 3,
                  "action": {"status": 500}}])");
    EXPECT_EQ(statuses(sim, "/v1/products", 2), "22");
    EXPECT_EQ(statuses(sim, "/v1/customers", 7), "2255522");
    sim.ask(make_request("DELETE", "/_sim/faults"));
    EXPECT_EQ(sim.get("/_sim/faults").body, "[]\n");
}

TEST(sim_faults, the_first_rule_that_is_due_wins) {
    Sim sim;
    sim.post("/_sim/faults", R"([{"count": 1, "action": {"status": 503}},
                                 {"match": {"query": "limit=3"}, "action": {"status": 404}}])");
    EXPECT_EQ(statuses(sim, "/v1/customers?limit=3", 3), "544");
    EXPECT_EQ(statuses(sim, "/v1/customers?limit=4", 1), "2");
}

TEST(sim_faults, chance_is_the_seeds) {
    auto run = [](const std::string &seed) {
        Sim sim;
        sim.post("/_sim/faults",
                 R"({"seed": )" + seed +
                     R"(, "rules": [{"probability": 0.3, "action": {"status": 500}}]})");
        return statuses(sim, "/v1/customers?limit=1", 300);
    };
    std::string first = run("1");
    EXPECT_EQ(first, run("1"));
    EXPECT_NE(first, run("2"));
    auto hits = std::count(first.begin(), first.end(), '5');
    EXPECT_GT(hits, 50);
    EXPECT_LT(hits, 130);
}

TEST(sim_faults, random_plays_several_sorts) {
    Sim sim;
    sim.post("/_sim/faults", R"([{"random": 1.0}])");
    std::set<int> seen;
    for (int i = 0; i < 200; ++i) {
        Response response = sim.get("/v1/customers?limit=1");
        seen.insert(static_cast<int>(response.cut) * 1000 + response.status);
    }
    EXPECT_EQ(seen, (std::set<int>{200, 429, 500, 503, 1200, 3200}));
}

TEST(sim_faults, statuses_carry_body_headers_and_reason) {
    Response limited = with_action(R"({"status": 429, "retry_after": 1, "reason": "global-rate"})");
    EXPECT_EQ(limited.status, 429);
    EXPECT_EQ(header(limited, "Retry-After"), "1");
    EXPECT_EQ(header(limited, "Stripe-Rate-Limited-Reason"), "global-rate");
    Response own = with_action(
        R"({"status": 418, "body": "short", "headers": {"X-A": "b"}, "no_request_id": true})");
    EXPECT_EQ(own.body, "short");
    EXPECT_EQ(header(own, "X-A"), "b");
    EXPECT_EQ(header(own, "Request-Id"), "");
    EXPECT_NE(header(limited, "Request-Id"), "");
}

TEST(sim_faults, bodies_go_bad_as_asked) {
    std::string good = with_action(R"({"delay_ms": 5})").body;
    EXPECT_EQ(with_action(R"({"garbage": "truncated_json"})").body,
              good.substr(0, good.size() / 2));
    EXPECT_EQ(with_action(R"({"garbage": "empty"})").body, "");
    EXPECT_EQ(with_action(R"({"garbage": "html"})").content_type, "text/html");
    EXPECT_THROW(parse_json(with_action(R"({"garbage": "binary"})").body), JsonError);
    EXPECT_THROW(parse_json(with_action(R"({"garbage": "deep"})").body), JsonError);
    EXPECT_EQ(with_action(R"({"oversize_bytes": 5000000})").body.size(), 5000000U);
    Response redirect = with_action(R"({"redirect": "http://127.0.0.1:1/trap"})");
    EXPECT_EQ(redirect.status, 302);
    EXPECT_EQ(header(redirect, "Location"), "http://127.0.0.1:1/trap");
    EXPECT_NE(with_action(R"({"echo_key": true})").body.find("sk_test_unit000000000000"),
              std::string::npos);
}

TEST(sim_faults, deliveries_are_planned) {
    EXPECT_EQ(with_action(R"({"delay_ms": 5})").delay_ms, 5);
    EXPECT_EQ(with_action(R"({"cut": "before"})").cut, Response::Cut::before);
    EXPECT_EQ(with_action(R"({"cut": "headers"})").cut, Response::Cut::headers);
    EXPECT_EQ(with_action(R"({"cut": "body"})").cut, Response::Cut::body);
    EXPECT_TRUE(with_action(R"({"hang": true})").hang);
    EXPECT_TRUE(with_action(R"({"bad_length": true})").bad_length);
    Response slow = with_action(R"({"slow_body": {"bytes": 3, "every_ms": 7}})");
    EXPECT_EQ(slow.slow_bytes, 3U);
    EXPECT_EQ(slow.slow_every_ms, 7);
}

TEST(sim_faults, a_bad_script_is_refused_and_changes_nothing) {
    Sim sim;
    sim.post("/_sim/faults", R"([{"action": {"status": 500}}])");
    for (const char *bad :
         {"{", "{}", "[1]", "[{}]", R"([{"action": {"statsu": 1}}])",
          R"([{"action": {"cut": "off"}}])", R"([{"mach": {}, "action": {"hang": true}}])",
          R"([{"match": {"path": "("}, "action": {"hang": true}}])"})
        EXPECT_EQ(sim.post("/_sim/faults", bad).status, 400) << bad;
    EXPECT_EQ(sim.get("/v1/customers").status, 500);
}
