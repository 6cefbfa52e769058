// Requests off the wire: parsing, queries, and the ledger's view of them.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace stripe_sim;
using namespace stripe_sim::test;

TEST(sim_request, a_request_is_taken_when_it_is_whole) {
    std::string whole =
        "POST /v1/x?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nhello";
    bool expects = false;
    for (size_t size = 0; size < whole.size(); ++size) {
        std::string part = whole.substr(0, size);
        Request request;
        EXPECT_EQ(take_request(part, request, expects), ParseState::incomplete) << size;
    }
    std::string two = whole + "GET / HTTP/1.1\r\n\r\n";
    Request request;
    ASSERT_EQ(take_request(two, request, expects), ParseState::complete);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/v1/x");
    EXPECT_EQ(request.query, "a=b");
    EXPECT_EQ(request.body, "hello");
    EXPECT_EQ(request.header("x-empty"), "");
    ASSERT_EQ(take_request(two, request, expects), ParseState::complete);
    EXPECT_EQ(request.path, "/");
    EXPECT_TRUE(two.empty());
}

TEST(sim_request, nonsense_is_refused) {
    for (const char *text :
         {"GET\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
          "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
          "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
        std::string input = text;
        Request request;
        bool expects = false;
        EXPECT_EQ(take_request(input, request, expects), ParseState::bad) << text;
    }
}

TEST(sim_request, queries_name_lists_and_keys) {
    auto query =
        parse_query("created%5Bgte%5D=5&ids[]=a&ids[1]=b&email=a%2Bb%40c+d&flag&bad[=1&x=%zz");
    ASSERT_EQ(query.size(), 7U);
    EXPECT_EQ(query[0].name, "created");
    EXPECT_EQ(query[0].key, "gte");
    EXPECT_EQ(query[0].value, "5");
    EXPECT_TRUE(query[1].is_list);
    EXPECT_TRUE(query[2].is_list);
    EXPECT_EQ(query[2].name, "ids");
    EXPECT_EQ(query[3].value, "a+b@c d");
    EXPECT_EQ(query[4].name, "flag");
    EXPECT_EQ(query[5].name, "bad[");
    EXPECT_EQ(query[6].value, "%zz");
}

TEST(sim_request, basic_and_bearer_name_the_same_key) {
    Request request = make_request("GET", "/", "", "sk_test_a");
    EXPECT_EQ(caller_key(request), "sk_test_a");
    request.headers = {{"authorization", "Basic c2tfdGVzdF9hOg=="}};
    EXPECT_EQ(caller_key(request), "sk_test_a");
    request.headers = {};
    EXPECT_EQ(caller_key(request), "");
}

TEST(sim_request, paths_are_counted_by_template) {
    EXPECT_EQ(path_template("/v1/customers"), "/v1/customers");
    EXPECT_EQ(path_template("/v1/customers/cus_1"), "/v1/customers/{id}");
    EXPECT_EQ(path_template("/v1/invoices/in_1/lines"), "/v1/invoices/{id}/lines");
    EXPECT_EQ(path_template("/v1/account"), "/v1/account");
    EXPECT_EQ(path_template("/else"), "other");
}

TEST(sim_request, the_ledger_tells_what_was_asked_without_the_key) {
    Sim sim;
    Request request = make_request("GET", "/v1/customers?limit=1");
    request.headers.emplace_back("stripe-version", "2024-09-30.acacia");
    Response response = sim.ask(request);
    sim.get("/v1/nothing");
    std::string ledger = sim.get("/_sim/ledger?since=0").body;
    EXPECT_EQ(ledger.find("sk_test_unit000000000000"), std::string::npos);
    Json first = parse_json(ledger.substr(0, ledger.find('\n')));
    EXPECT_EQ(get_string(first.get(), "target"), "/v1/customers?limit=1");
    EXPECT_EQ(get_string(first.get(), "stripe_version"), "2024-09-30.acacia");
    EXPECT_EQ(get_int(first.get(), "status", 0), 200);
    std::string later = sim.get("/_sim/ledger?since=1").body;
    EXPECT_EQ(std::count(later.begin(), later.end(), '\n'), 1);
    Json stats = parse_json(sim.get("/_sim/stats").body);
    EXPECT_EQ(get_int(stats.get(), "requests", 0), 2);
    EXPECT_EQ(get_int(json_object_get(stats.get(), "by_path"), "GET /v1/customers", 0), 1);
    EXPECT_EQ(get_int(json_object_get(stats.get(), "by_status"), "404", 0), 1);
    sim.post("/_sim/reset", "");
    EXPECT_EQ(sim.get("/_sim/ledger").body, "");
}
