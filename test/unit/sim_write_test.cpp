// The API's own POST and DELETE.
#include "test_support.hpp"

#include <gtest/gtest.h>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

Json write(Sim &sim, const std::string &target, const std::string &form, int status = 200) {
    Response response = sim.post(target, form);
    EXPECT_EQ(response.status, status) << target << " " << form << response.body;
    return parse_json(response.body);
}

std::string error_of(const Json &body, const char *member) {
    return get_string(json_object_get(body.get(), "error"), member);
}

std::string newest_event(Sim &sim) {
    Json page = parse_json(sim.get("/v1/events?limit=1").body);
    return get_string(json_array_get(json_object_get(page.get(), "data"), 0), "type");
}

} // namespace

TEST(sim_write, a_customer_lives_and_is_told_of) {
    Sim sim;
    Json made = write(sim, "/v1/customers",
                      "name=Jenny+Rosen&email=j%40example.com&metadata[order]=12&metadata[7]=x"
                      "&balance=-500&preferred_locales[]=de&preferred_locales[]=en");
    std::string id = get_string(made.get(), "id");
    EXPECT_EQ(get_string(made.get(), "name"), "Jenny Rosen");
    EXPECT_EQ(get_int(made.get(), "balance", 0), -500);
    EXPECT_EQ(compact(json_object_get(made.get(), "metadata")), R"({"order":"12","7":"x"})");
    EXPECT_EQ(compact(json_object_get(made.get(), "preferred_locales")), R"(["de","en"])");
    EXPECT_EQ(newest_event(sim), "customer.created");
    Json updated = write(sim, "/v1/customers/" + id, "email=&metadata[order]=");
    EXPECT_TRUE(json_is_null(json_object_get(updated.get(), "email")));
    EXPECT_EQ(compact(json_object_get(updated.get(), "metadata")), R"({"7":"x"})");
    EXPECT_EQ(newest_event(sim), "customer.updated");
    EXPECT_EQ(sim.get("/v1/customers/" + id).body, pretty(updated.get()) + "\n");
    Response deleted = sim.ask(make_request("DELETE", "/v1/customers/" + id));
    EXPECT_EQ(compact(parse_json(deleted.body).get()),
              "{\"id\":\"" + id + R"(","object":"customer","deleted":true})");
    EXPECT_EQ(newest_event(sim), "customer.deleted");
}

TEST(sim_write, prices_products_coupons_and_refunds) {
    Sim sim;
    Json product = write(sim, "/v1/products", "id=gold&name=Gold&active=false");
    EXPECT_EQ(get_string(product.get(), "id"), "gold");
    EXPECT_FALSE(get_bool(product.get(), "active", true));
    Json price = write(sim, "/v1/prices",
                       "currency=usd&product=gold&unit_amount=2000&recurring[interval]=month");
    EXPECT_EQ(get_int(price.get(), "unit_amount", 0), 2000);
    EXPECT_EQ(get_string(price.get(), "unit_amount_decimal"), "2000");
    EXPECT_EQ(get_string(price.get(), "type"), "recurring");
    Json coupon = write(sim, "/v1/coupons", "id=HALF&percent_off=33.3&duration=once");
    EXPECT_NE(compact(coupon.get()).find("\"percent_off\":33.3,"), std::string::npos);
    EXPECT_NE(sim.get("/v1/coupons/HALF").body.find("\"percent_off\": 33.3,"), std::string::npos);
    EXPECT_EQ(sim.ask(make_request("DELETE", "/v1/coupons/HALF")).status, 200);
    EXPECT_EQ(newest_event(sim), "coupon.deleted");
    EXPECT_EQ(sim.get("/v1/coupons/HALF").status, 404);
    write(sim, "/v1/coupons", "id=HALF&amount_off=100&currency=usd");
    std::string charge = sim.page("/v1/charges?limit=1")[0];
    Json refund = write(sim, "/v1/refunds", "charge=" + charge);
    EXPECT_EQ(get_string(refund.get(), "charge"), charge);
    EXPECT_EQ(newest_event(sim), "refund.created");
}

TEST(sim_write, subscriptions_and_invoices) {
    Sim sim;
    std::string customer = sim.page("/v1/customers?limit=1")[0];
    std::string price = sim.page("/v1/prices?limit=1")[0];
    Json made = write(sim, "/v1/subscriptions",
                      "customer=" + customer + "&items[0][price]=" + price +
                          "&items[0][quantity]=3&items[1][price]=" + price);
    std::string id = get_string(made.get(), "id");
    const json_t *data = json_object_get(json_object_get(made.get(), "items"), "data");
    ASSERT_EQ(json_array_size(data), 2U);
    EXPECT_EQ(get_int(json_array_get(data, 0), "quantity", 0), 3);
    EXPECT_EQ(get_string(json_object_get(json_array_get(data, 1), "price"), "id"), price);
    EXPECT_EQ(get_string(json_array_get(data, 1), "subscription"), id);
    write(sim, "/v1/subscriptions/" + id, "cancel_at_period_end=true");
    EXPECT_EQ(newest_event(sim), "customer.subscription.updated");
    Response canceled = sim.ask(make_request("DELETE", "/v1/subscriptions/" + id));
    EXPECT_EQ(get_string(parse_json(canceled.body).get(), "status"), "canceled");
    EXPECT_EQ(newest_event(sim), "customer.subscription.deleted");
    Json invoice = write(sim, "/v1/invoices", "customer=" + customer);
    std::string number = get_string(invoice.get(), "id");
    write(sim, "/v1/invoices/" + number + "/pay", "");
    EXPECT_EQ(newest_event(sim), "invoice.paid");
    Response refused = sim.ask(make_request("DELETE", "/v1/invoices/" + number));
    EXPECT_EQ(refused.status, 400) << "it is no draft any more";
}

TEST(sim_write, a_webhook_endpoint_shows_its_secret_once) {
    Sim sim;
    std::string form = "url=https%3A%2F%2Fexample.com%2Fhook&enabled_events[]=customer.created"
                       "&enabled_events[]=invoice.paid&api_version=2025-03-31.basil";
    Json made = write(sim, "/v1/webhook_endpoints", form);
    std::string id = get_string(made.get(), "id");
    EXPECT_EQ(get_string(made.get(), "secret").substr(0, 6), "whsec_");
    EXPECT_EQ(get_string(made.get(), "status"), "enabled");
    EXPECT_EQ(compact(json_object_get(made.get(), "enabled_events")),
              R"(["customer.created","invoice.paid"])");
    std::string read = sim.get("/v1/webhook_endpoints/" + id).body;
    EXPECT_EQ(read.find("secret"), std::string::npos);
    EXPECT_EQ(sim.get("/v1/webhook_endpoints").body.find("secret"), std::string::npos);
    write(sim, "/v1/webhook_endpoints/" + id, "disabled=true&enabled_events[]=*");
    EXPECT_NE(sim.get("/v1/webhook_endpoints/" + id).body.find("\"disabled\""), std::string::npos);
    EXPECT_EQ(sim.page("/v1/webhook_endpoints"), std::vector<std::string>{id});
    EXPECT_EQ(sim.ask(make_request("DELETE", "/v1/webhook_endpoints/" + id)).status, 200);
    EXPECT_TRUE(sim.page("/v1/webhook_endpoints").empty());
    EXPECT_EQ(error_of(write(sim, "/v1/webhook_endpoints", "url=https://x.example", 400), "param"),
              "enabled_events");
    EXPECT_EQ(
        error_of(write(sim, "/v1/webhook_endpoints", "url=example.com&enabled_events[]=*", 400),
                 "code"),
        "url_invalid");
}

TEST(sim_write, an_idempotency_key_acts_once) {
    Sim sim;
    size_t before = sim.all("customer").size();
    Request request = make_request("POST", "/v1/customers", "name=Once");
    request.headers.emplace_back("idempotency-key", "key-1");
    Response first = sim.ask(request);
    Response second = sim.ask(request);
    EXPECT_EQ(first.body, second.body);
    EXPECT_EQ(sim.all("customer").size(), before + 1);
    request.body = "name=Other";
    EXPECT_EQ(sim.ask(request).status, 400);
    EXPECT_NE(sim.get("/v1/events?limit=1").body.find("\"idempotency_key\": \"key-1\""),
              std::string::npos);
}

TEST(sim_write, refusals) {
    Sim sim;
    EXPECT_EQ(error_of(write(sim, "/v1/customers", "nonsense=1", 400), "code"),
              "parameter_unknown");
    EXPECT_EQ(error_of(write(sim, "/v1/prices", "currency=usd", 400), "param"), "product");
    EXPECT_EQ(error_of(write(sim, "/v1/prices", "currency=usd&product=none", 400), "code"),
              "resource_missing");
    EXPECT_EQ(error_of(write(sim, "/v1/customers", "balance=much", 400), "code"),
              "parameter_invalid_integer");
    write(sim, "/v1/customers/cus_none", "name=x", 404);
    write(sim, "/v1/events", "type=x", 404);
    write(sim, "/v1/balance_transactions", "amount=1", 404);
    EXPECT_EQ(sim.ask(make_request("DELETE", "/v1/charges/ch_x")).status, 404);
    EXPECT_EQ(sim.ask(make_request("PUT", "/v1/customers/cus_x")).status, 404);
    EXPECT_EQ(
        sim.ask(make_request("POST", "/v1/invoices", "customer=x", "rk_test_unit000000000000"))
            .status,
        403);
}
