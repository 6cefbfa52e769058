// Idempotency keys, checkout, portal, changes of subscriptions and refunds of the simulator.
#include "test_support.hpp"

#include <gtest/gtest.h>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

struct Shop : Sim {
    Shop() {
        post("/_sim/clock", R"({"now": 1700000000, "standing": true})");
        customer = text(write("/v1/customers", "email=Ann%40example.com"), "id");
        product = text(write("/v1/products", "name=Gold"), "id");
        monthly = text(write("/v1/prices", "currency=usd&unit_amount=2000&recurring[interval]=month"
                                           "&product=" +
                                               product),
                       "id");
        once = text(write("/v1/prices", "currency=usd&unit_amount=500&product=" + product), "id");
    }

    Json write(const std::string &target, const std::string &form, int status = 200,
               const std::string &key = {}) {
        response = keyed(target, form, key);
        EXPECT_EQ(response.status, status) << target << " " << form << " " << response.body;
        return parse_json(response.body);
    }
    Response keyed(const std::string &target, const std::string &form, const std::string &key) {
        Request request = make_request("POST", target, form);
        if (!key.empty())
            request.headers.emplace_back("idempotency-key", key);
        return ask(request);
    }
    std::string refusal(const std::string &target, const std::string &form, int status = 400) {
        Json body = write(target, form, status);
        const json_t *error = json_object_get(body.get(), "error");
        std::string code = get_string(error, "code");
        return (code.empty() ? get_string(error, "type") : code) + " " + get_string(error, "param");
    }
    static std::string text(const Json &object, const char *member) {
        return get_string(object.get(), member);
    }
    Json read(const std::string &target) { return parse_json(get(target).body); }

    std::string session(const std::string &more) {
        return "customer=" + customer +
               "&success_url=https%3A%2F%2Fx.example%2F%3Fs%3D%7BCHECKOUT_SESSION_ID%7D" + more;
    }
    std::string line(const std::string &price, const std::string &quantity = "2") {
        return "&line_items[0][price]=" + price + "&line_items[0][quantity]=" + quantity;
    }
    std::string header(const char *name) {
        for (const auto &[key, value] : response.headers)
            if (key == name)
                return value;
        return {};
    }
    // Types of the events after a sequence, oldest first.
    std::string types(size_t from) {
        std::string out;
        const auto &recorded = simulator.api().accounts()[0]->recorded();
        for (size_t i = from; i < recorded.size(); ++i)
            out += (out.empty() ? "" : " ") + recorded[i].type;
        return out;
    }
    size_t recorded() { return simulator.api().accounts()[0]->recorded().size(); }
    size_t made() { return simulator.api().made().size(); }

    Response response;
    std::string customer;
    std::string product;
    std::string monthly;
    std::string once;
};

} // namespace

TEST(sim_idempotency, an_answer_is_replayed_for_a_day) {
    Shop shop;
    size_t before = shop.made();
    Json first = shop.write("/v1/customers", "name=Once&email=a%40b.c", 200, "key-1");
    EXPECT_EQ(shop.header("Idempotent-Replayed"), "");
    Json again = shop.write("/v1/customers", "email=a%40b.c&name=Once", 200, "key-1");
    EXPECT_EQ(shop.header("Idempotent-Replayed"), "true");
    EXPECT_NE(shop.header("Original-Request"), "");
    EXPECT_TRUE(json_equal(first.get(), again.get()));
    EXPECT_EQ(shop.made(), before + 1);
    Json other = shop.write("/v1/customers", "name=Other", 400, "key-1");
    EXPECT_EQ(get_string(json_object_get(other.get(), "error"), "type"), "idempotency_error");
    shop.write("/v1/products", "name=Once", 400, "key-1");
    shop.post("/_sim/clock", R"({"now": 1700086399, "standing": true})");
    shop.write("/v1/customers", "email=a%40b.c&name=Once", 200, "key-1");
    EXPECT_EQ(shop.made(), before + 1);
    shop.post("/_sim/clock", R"({"now": 1700086400, "standing": true})");
    shop.write("/v1/customers", "email=a%40b.c&name=Once", 200, "key-1");
    EXPECT_EQ(shop.made(), before + 2) << "after 24 hours the key is forgotten";
}

TEST(sim_idempotency, what_failed_validation_is_not_kept) {
    Shop shop;
    shop.write("/v1/customers", "nonsense=1", 400, "key-2");
    shop.write("/v1/customers", "name=Right", 200, "key-2");
    EXPECT_EQ(shop.header("Idempotent-Replayed"), "");
}

TEST(sim_idempotency, faults_before_and_after_the_effect) {
    Shop shop;
    auto fault = [&](const std::string &action) {
        shop.post("/_sim/faults",
                  R"([{"match": {"method": "POST", "path": "^/v1/"}, "count": 1, "action": )" +
                      action + "}]");
    };
    size_t made = shop.made();
    fault(R"({"cut": "request"})");
    EXPECT_EQ(shop.keyed("/v1/customers", "name=A", "k1").cut, Response::Cut::before);
    EXPECT_EQ(shop.made(), made) << "lost on the way there";
    fault(R"({"cut": "before"})");
    EXPECT_EQ(shop.keyed("/v1/customers", "name=A", "k1").cut, Response::Cut::before);
    EXPECT_EQ(shop.made(), made + 1) << "lost on the way back";
    shop.write("/v1/customers", "name=A", 200, "k1");
    EXPECT_EQ(shop.header("Idempotent-Replayed"), "true");
    for (const char *action : {R"({"status": 500, "stored": true})",
                               R"({"status": 500, "stored": true, "effect": true})"}) {
        std::string key{action};
        fault(action);
        shop.write("/v1/customers", "name=B", 500, key);
        shop.write("/v1/customers", "name=B", 500, key);
        EXPECT_EQ(shop.header("Idempotent-Replayed"), "true");
    }
    EXPECT_EQ(shop.made(), made + 2);
    fault(R"({"status": 503, "effect": true})");
    shop.write("/v1/customers", "name=C", 503, "k3");
    shop.write("/v1/customers", "name=C", 200, "k3");
    EXPECT_EQ(shop.made(), made + 3);
    fault(R"({"status": 409})");
    shop.write("/v1/customers", "name=D", 409, "k4");
    shop.write("/v1/customers", "name=D", 200, "k4");
    fault(R"({"delay_ms": 60000})");
    shop.write("/v1/customers", "name=E", 200, "k5");
    Json busy = shop.write("/v1/customers", "name=E", 409, "k5");
    EXPECT_EQ(get_string(json_object_get(busy.get(), "error"), "code"), "idempotency_key_in_use");
}

TEST(sim_idempotency, writes_and_what_they_made_are_listed) {
    Shop shop;
    shop.post("/_sim/reset", "");
    shop.write("/v1/customers", "name=Jenny+Rosen&metadata[a]=b", 200, "k");
    shop.get("/v1/customers?limit=1");
    std::string lines = shop.get("/_sim/writes").body;
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1);
    Json line = parse_json(lines);
    EXPECT_EQ(compact(json_object_get(line.get(), "params")),
              R"([["name","Jenny Rosen"],["metadata[a]","b"]])");
    EXPECT_EQ(get_string(line.get(), "idempotency_key"), "k");
    Json made = parse_json(shop.get("/_sim/made").body);
    EXPECT_EQ(get_string(made.get(), "kind"), "customer");
    EXPECT_EQ(get_string(made.get(), "idempotency_key"), "k");
}

TEST(sim_checkout, a_session_becomes_a_subscription) {
    Shop shop;
    size_t before = shop.recorded();
    Json made = shop.write("/v1/checkout/sessions",
                           shop.session("&mode=subscription&metadata[project_id]=proj_1"
                                        "&subscription_data[metadata][project_id]=proj_1"
                                        "&subscription_data[metadata][7]=x" +
                                        shop.line(shop.monthly)));
    std::string id = shop.text(made, "id");
    EXPECT_EQ(id.substr(0, 8), "cs_test_");
    EXPECT_EQ(shop.text(made, "success_url"), "https://x.example/?s={CHECKOUT_SESSION_ID}");
    EXPECT_EQ(shop.text(made, "status"), "open");
    EXPECT_EQ(get_int(made.get(), "amount_total", 0), 4000);
    EXPECT_EQ(json_object_get(made.get(), "subscription_data"), nullptr);
    EXPECT_EQ(shop.recorded(), before) << "nothing tells of an open session";
    Json done = parse_json(shop.post("/_sim/checkout/" + id + "/complete", "{}").body);
    EXPECT_EQ(shop.text(done, "status"), "complete");
    EXPECT_EQ(shop.text(done, "payment_status"), "paid");
    EXPECT_EQ(shop.types(before),
              "charge.succeeded payment_method.attached checkout.session.completed "
              "customer.subscription.created payment_intent.succeeded payment_intent.created "
              "invoice.created invoice.finalized invoice.paid invoice.payment_succeeded");
    Json subscription = shop.read("/v1/subscriptions/" + shop.text(done, "subscription"));
    EXPECT_EQ(shop.text(subscription, "status"), "active");
    EXPECT_EQ(shop.text(subscription, "customer"), shop.customer);
    EXPECT_EQ(compact(json_object_get(subscription.get(), "metadata")),
              R"({"project_id":"proj_1","7":"x"})");
    const json_t *items = json_object_get(subscription.get(), "items");
    const json_t *item = json_array_get(json_object_get(items, "data"), 0);
    EXPECT_EQ(get_string(json_object_get(item, "price"), "id"), shop.monthly);
    EXPECT_EQ(get_int(item, "quantity", 0), 2);
    EXPECT_EQ(get_int(item, "current_period_end", 0), 1702592000) << "a month later, by calendar";
    Json invoice = shop.read("/v1/invoices/" + shop.text(done, "invoice"));
    EXPECT_EQ(shop.text(invoice, "status"), "paid");
    EXPECT_EQ(get_int(invoice.get(), "amount_paid", 0), 4000);
    const json_t *of =
        json_object_get(json_object_get(invoice.get(), "parent"), "subscription_details");
    EXPECT_EQ(get_string(of, "subscription"), shop.text(subscription, "id"));
    EXPECT_EQ(get_string(json_object_get(of, "metadata"), "project_id"), "proj_1");
    EXPECT_EQ(shop.post("/_sim/checkout/" + id + "/complete", "{}").status, 400);
}

TEST(sim_checkout, trials_payments_and_setups) {
    Shop shop;
    auto complete = [&](const std::string &more) {
        Json made = shop.write("/v1/checkout/sessions", shop.session(more));
        return parse_json(
            shop.post("/_sim/checkout/" + shop.text(made, "id") + "/complete", "{}").body);
    };
    Json trial = complete("&mode=subscription&subscription_data[trial_period_days]=14" +
                          shop.line(shop.monthly));
    Json subscription = shop.read("/v1/subscriptions/" + shop.text(trial, "subscription"));
    EXPECT_EQ(shop.text(subscription, "status"), "trialing");
    EXPECT_EQ(get_int(subscription.get(), "trial_end", 0), 1700000000 + 14 * 86400);
    Json paid =
        complete("&mode=payment&payment_intent_data[metadata][a]=b" + shop.line(shop.once, "3"));
    Json intent = shop.read("/v1/payment_intents/" + shop.text(paid, "payment_intent"));
    EXPECT_EQ(get_int(intent.get(), "amount", 0), 1500);
    Json charge = shop.read("/v1/charges/" + shop.text(intent, "latest_charge"));
    EXPECT_EQ(shop.text(charge, "status"), "succeeded");
    EXPECT_EQ(compact(json_object_get(charge.get(), "metadata")), R"({"a":"b"})");
    Json setup = complete("&mode=setup&currency=usd");
    EXPECT_EQ(shop.text(setup, "payment_status"), "no_payment_required");
    EXPECT_EQ(
        shop.text(shop.read("/v1/setup_intents/" + shop.text(setup, "setup_intent")), "status"),
        "succeeded");
    Json open =
        shop.write("/v1/checkout/sessions", shop.session("&mode=payment" + shop.line(shop.once)));
    Json expired = shop.write("/v1/checkout/sessions/" + shop.text(open, "id") + "/expire", "");
    EXPECT_EQ(shop.text(expired, "status"), "expired");
    EXPECT_EQ(shop.types(shop.recorded() - 1), "checkout.session.expired");
}

TEST(sim_checkout, refusals) {
    Shop shop;
    std::string at = "/v1/checkout/sessions";
    auto refused = [&](const std::string &more) { return shop.refusal(at, shop.session(more)); };
    EXPECT_EQ(refused("&mode=payment" + shop.line(shop.monthly)), "invalid_request_error mode");
    EXPECT_EQ(refused("&mode=subscription" + shop.line(shop.once)), "invalid_request_error mode");
    EXPECT_EQ(refused("&mode=payment&line_items[0][foo]=1" + shop.line(shop.once)),
              "parameter_unknown line_items[0][foo]");
    EXPECT_EQ(refused("&mode=payment&nonsense=1" + shop.line(shop.once)),
              "parameter_unknown nonsense");
    EXPECT_EQ(refused("&mode=subscription&subscription_data[x]=1" + shop.line(shop.monthly)),
              "parameter_unknown subscription_data[x]");
    EXPECT_EQ(
        refused("&mode=subscription&payment_intent_data[metadata][a]=b" + shop.line(shop.monthly)),
        "invalid_request_error payment_intent_data");
    EXPECT_EQ(refused("&mode=subscription&subscription_data[trial_period_days]=0" +
                      shop.line(shop.monthly)),
              "invalid_request_error subscription_data[trial_period_days]");
    EXPECT_EQ(refused("&mode=payment"), "parameter_missing line_items");
    EXPECT_EQ(refused("&mode=setup"), "parameter_missing currency");
    EXPECT_EQ(refused("&mode=payment" + shop.line("price_none")),
              "resource_missing line_items[0][price]");
    EXPECT_EQ(refused("&mode=payment&cancel_url=x.example" + shop.line(shop.once)),
              "url_invalid cancel_url");
    EXPECT_EQ(shop.refusal(at, "mode=payment" + shop.line(shop.once)),
              "parameter_missing success_url");
    shop.write("/v1/prices/" + shop.once, "active=false");
    EXPECT_EQ(refused("&mode=payment" + shop.line(shop.once)),
              "invalid_request_error line_items[0][price]");
    std::string long_value(501, 'x');
    EXPECT_EQ(shop.refusal("/v1/customers", "metadata[a]=" + long_value),
              "invalid_request_error metadata");
    EXPECT_EQ(shop.refusal("/v1/customers", "email=nobody"), "email_invalid email");
}

TEST(sim_portal, a_session_is_a_url) {
    Shop shop;
    Json made = shop.write("/v1/billing_portal/sessions",
                           "customer=" + shop.customer + "&return_url=https%3A%2F%2Fx.example");
    EXPECT_EQ(shop.text(made, "object"), "billing_portal.session");
    EXPECT_EQ(shop.text(made, "url").substr(0, 37), "https://billing.stripe.com/p/session/");
    EXPECT_EQ(shop.refusal("/v1/billing_portal/sessions", "customer=cus_none"),
              "resource_missing customer");
    EXPECT_EQ(shop.refusal("/v1/billing_portal/sessions", "customer=" + shop.customer + "&x=1"),
              "parameter_unknown x");
}

TEST(sim_subscription, changes_keep_the_items_there_are) {
    Shop shop;
    Json made = shop.write("/v1/subscriptions",
                           "customer=" + shop.customer + "&items[0][price]=" + shop.monthly);
    std::string at = "/v1/subscriptions/" + shop.text(made, "id");
    auto item = [](const Json &of) {
        const json_t *items = json_object_get(of.get(), "items");
        return json_array_get(json_object_get(items, "data"), 0);
    };
    std::string si = get_string(item(made), "id");
    Json canceling = shop.write(at, "cancel_at_period_end=true");
    EXPECT_EQ(get_int(canceling.get(), "cancel_at", 0), 1702592000);
    EXPECT_EQ(get_string(item(canceling), "id"), si);
    Json resumed = shop.write(at, "cancel_at_period_end=false");
    EXPECT_TRUE(json_is_null(json_object_get(resumed.get(), "cancel_at")));
    Json other = shop.write("/v1/prices",
                            "currency=usd&unit_amount=3000&recurring[interval]=month&product=" +
                                shop.product);
    size_t before = shop.recorded();
    Json changed =
        shop.write(at, "items[0][id]=" + si + "&items[0][price]=" + shop.text(other, "id") +
                           "&items[0][quantity]=4&proration_behavior=create_prorations");
    EXPECT_EQ(get_string(item(changed), "id"), si);
    EXPECT_EQ(get_int(item(changed), "quantity", 0), 4);
    EXPECT_EQ(get_string(json_object_get(item(changed), "price"), "id"), shop.text(other, "id"));
    EXPECT_EQ(shop.types(before),
              "customer.subscription.updated invoiceitem.created invoiceitem.created");
    before = shop.recorded();
    shop.write(at, "items[0][id]=" + si + "&items[0][quantity]=5&proration_behavior=none");
    EXPECT_EQ(shop.types(before), "customer.subscription.updated");
    EXPECT_EQ(shop.refusal(at, "items[0][id]=si_none&items[0][quantity]=5", 404),
              "resource_missing items[0][id]");
    EXPECT_EQ(shop.refusal(at, "items[0][id]=" + si + "&items[0][price]=" + shop.once),
              "invalid_request_error items[0][price]");
    EXPECT_EQ(shop.refusal(at, "proration_behavior=maybe"),
              "invalid_request_error proration_behavior");
    EXPECT_EQ(shop.ask(make_request("DELETE", at)).status, 200);
    EXPECT_EQ(shop.ask(make_request("DELETE", at)).status, 404);
    EXPECT_EQ(shop.refusal(at, "cancel_at_period_end=true"), "invalid_request_error ");
}

TEST(sim_subscription, renewals_are_paid_or_fail) {
    Shop shop;
    Json made = shop.write("/v1/checkout/sessions",
                           shop.session("&mode=subscription" + shop.line(shop.monthly)));
    Json done =
        parse_json(shop.post("/_sim/checkout/" + shop.text(made, "id") + "/complete", "{}").body);
    std::string subscription = shop.text(done, "subscription");
    auto renewed = [&](const std::string &how) {
        Json invoice =
            parse_json(shop.post("/_sim/subscriptions/" + subscription + "/renew", "{}").body);
        EXPECT_EQ(shop.text(invoice, "status"), "open");
        Response settled =
            shop.post("/_sim/invoices/" + shop.text(invoice, "id") + "/" + how, "{}");
        EXPECT_EQ(settled.status, 200) << settled.body;
        return shop.text(parse_json(settled.body), "status") + " " +
               shop.text(shop.read("/v1/subscriptions/" + subscription), "status");
    };
    EXPECT_EQ(renewed("fail"), "open past_due");
    EXPECT_EQ(renewed("pay"), "paid active");
}

TEST(sim_refund, a_charge_is_refunded_in_parts) {
    Shop shop;
    Json made =
        shop.write("/v1/checkout/sessions", shop.session("&mode=payment" + shop.line(shop.once)));
    Json done =
        parse_json(shop.post("/_sim/checkout/" + shop.text(made, "id") + "/complete", "{}").body);
    std::string intent = shop.text(done, "payment_intent");
    size_t before = shop.recorded();
    Json part = shop.write("/v1/refunds", "payment_intent=" + intent + "&amount=300");
    EXPECT_EQ(get_int(part.get(), "amount", 0), 300);
    EXPECT_EQ(shop.types(before), "charge.refunded refund.created");
    EXPECT_EQ(shop.refusal("/v1/refunds", "payment_intent=" + intent + "&amount=701"),
              "invalid_request_error amount");
    std::string charge = shop.text(part, "charge");
    shop.write("/v1/refunds", "charge=" + charge + "&reason=duplicate");
    Json after = shop.read("/v1/charges/" + charge);
    EXPECT_EQ(get_int(after.get(), "amount_refunded", 0), 1000);
    EXPECT_TRUE(get_bool(after.get(), "refunded", false));
    EXPECT_EQ(shop.refusal("/v1/refunds", "charge=" + charge), "charge_already_refunded ");
    EXPECT_EQ(shop.refusal("/v1/refunds", "payment_intent=pi_none", 404),
              "resource_missing payment_intent");
}
