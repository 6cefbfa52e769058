// Lists of the simulator: order, cursors, limits, filters and refusals as Stripe has them.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

std::vector<std::string> ids_where(const std::vector<Json> &all,
                                   const std::function<bool(const json_t *)> &keep) {
    std::vector<std::string> out;
    for (const Json &one : all)
        if (keep(one.get()))
            out.push_back(get_string(one.get(), "id"));
    return out;
}

std::vector<std::string> every_id(const std::vector<Json> &all) {
    return ids_where(all, [](const json_t *) { return true; });
}

// Follows starting_after to the end.
std::vector<std::string> walk(Sim &sim, const std::string &target, unsigned limit) {
    std::vector<std::string> out;
    std::string cursor;
    do {
        std::string url = target + "limit=" + std::to_string(limit);
        if (!cursor.empty())
            url += "&starting_after=" + cursor;
        std::vector<std::string> page = sim.page(url);
        if (page.empty())
            break;
        out.insert(out.end(), page.begin(), page.end());
        cursor = page.back();
    } while (sim.has_more());
    return out;
}

} // namespace

TEST(sim_lists, walks_meet_every_object_once_newest_first) {
    Sim sim;
    for (const char *name : {"customer", "product", "price", "subscription", "invoice", "charge"}) {
        const KindInfo &kind = *find_kind(name);
        std::vector<Json> all = sim.all(name);
        EXPECT_EQ(all.size(), small_account().sizes[static_cast<size_t>(kind.kind)]);
        EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const Json &a, const Json &b) {
            return get_int(a.get(), "created", 0) > get_int(b.get(), "created", 0);
        })) << name;
        std::string target = "/v1/" + std::string{kind.path} + "?";
        if (kind.kind == Kind::subscription)
            target += "status=all&";
        for (unsigned limit : {1U, 7U, 100U})
            EXPECT_EQ(walk(sim, target, limit), every_id(all)) << name << " by " << limit;
    }
}

TEST(sim_lists, ending_before_walks_back) {
    Sim sim;
    std::vector<std::string> all = every_id(sim.all("customer"));
    std::vector<std::string> page = sim.page("/v1/customers?limit=5&ending_before=" + all[20]);
    EXPECT_EQ(page, std::vector<std::string>(all.begin() + 15, all.begin() + 20));
    EXPECT_TRUE(sim.has_more());
    page = sim.page("/v1/customers?limit=5&ending_before=" + all[5]);
    EXPECT_EQ(page, std::vector<std::string>(all.begin(), all.begin() + 5));
    EXPECT_FALSE(sim.has_more());
    EXPECT_TRUE(sim.page("/v1/customers?ending_before=" + all[0]).empty());
}

TEST(sim_lists, default_limit_is_ten_and_bounds_are_checked) {
    Sim sim;
    EXPECT_EQ(sim.page("/v1/charges").size(), 10U);
    EXPECT_EQ(sim.page("/v1/charges?limit=100").size(), 100U);
    for (const char *bad : {"0", "101", "-1", "x", "1.5", "99999999999999999999"}) {
        std::string target = std::string{"/v1/charges?limit="} + bad;
        EXPECT_EQ(sim.get(target).status, 400) << bad;
        EXPECT_EQ(sim.error(target, "param"), "limit") << bad;
    }
}

TEST(sim_lists, created_bounds_cut_exactly) {
    Sim sim;
    std::vector<Json> all = sim.all("invoice");
    std::set<int64_t> seconds;
    for (const Json &one : all)
        seconds.insert(get_int(one.get(), "created", 0));
    EXPECT_LT(seconds.size(), all.size()) << "no two invoices share a second";
    int tried = 0;
    for (auto at = seconds.begin(); at != seconds.end() && tried < 12;
         std::advance(at, 1), ++tried) {
        int64_t t =
            *std::next(seconds.begin(), (tried * 37) % static_cast<int64_t>(seconds.size()));
        auto created = [](const json_t *one) { return get_int(one, "created", 0); };
        std::string text = std::to_string(t);
        EXPECT_EQ(walk(sim, "/v1/invoices?created[gte]=" + text + "&", 100),
                  ids_where(all, [&](const json_t *one) { return created(one) >= t; }));
        EXPECT_EQ(walk(sim, "/v1/invoices?created[gt]=" + text + "&", 100),
                  ids_where(all, [&](const json_t *one) { return created(one) > t; }));
        EXPECT_EQ(walk(sim, "/v1/invoices?created[lt]=" + text + "&", 100),
                  ids_where(all, [&](const json_t *one) { return created(one) < t; }));
        EXPECT_EQ(walk(sim, "/v1/invoices?created%5Blte%5D=" + text + "&", 100),
                  ids_where(all, [&](const json_t *one) { return created(one) <= t; }));
        EXPECT_EQ(walk(sim, "/v1/invoices?created=" + text + "&", 3),
                  ids_where(all, [&](const json_t *one) { return created(one) == t; }));
    }
}

TEST(sim_lists, bounds_hold_when_walking_back) {
    Sim sim;
    std::vector<Json> all = sim.all("charge");
    int64_t from = get_int(all[900].get(), "created", 0);
    int64_t to = get_int(all[300].get(), "created", 0);
    std::string range =
        "/v1/charges?created[gte]=" + std::to_string(from) + "&created[lte]=" + std::to_string(to);
    auto inside = ids_where(all, [&](const json_t *one) {
        int64_t created = get_int(one, "created", 0);
        return created >= from && created <= to;
    });
    std::vector<std::string> got;
    std::string cursor = inside.back();
    do {
        std::vector<std::string> page = sim.page(range + "&limit=40&ending_before=" + cursor);
        if (page.empty())
            break;
        got.insert(got.begin(), page.begin(), page.end());
        cursor = page.front();
    } while (sim.has_more());
    inside.pop_back();
    EXPECT_EQ(got, inside);
}

TEST(sim_lists, filters_select_what_the_fields_say) {
    Sim sim;
    auto text_is = [](const char *field, const std::string &value) {
        return [=](const json_t *one) { return get_string(one, field) == value; };
    };
    std::vector<Json> invoices = sim.all("invoice");
    std::string customer = get_string(invoices[3].get(), "customer");
    EXPECT_EQ(walk(sim, "/v1/invoices?customer=" + customer + "&", 2),
              ids_where(invoices, text_is("customer", customer)));
    EXPECT_EQ(walk(sim, "/v1/invoices?status=void&", 10),
              ids_where(invoices, text_is("status", "void")));
    std::vector<Json> charges = sim.all("charge");
    std::string intent = get_string(charges[7].get(), "payment_intent");
    EXPECT_EQ(walk(sim, "/v1/charges?payment_intent=" + intent + "&", 10),
              ids_where(charges, text_is("payment_intent", intent)));
    std::vector<Json> prices = sim.all("price");
    auto inactive = [](const json_t *one) { return json_is_false(json_object_get(one, "active")); };
    EXPECT_EQ(walk(sim, "/v1/prices?active=false&", 10), ids_where(prices, inactive));
    EXPECT_EQ(walk(sim, "/v1/prices?type=one_time&", 10),
              ids_where(prices, text_is("type", "one_time")));
    for (const Json &price : prices) {
        std::string key = get_string(price.get(), "lookup_key");
        if (!key.empty())
            EXPECT_EQ(sim.page("/v1/prices?lookup_keys[]=" + key).size(), 1U);
    }
    std::vector<std::string> products = every_id(sim.all("product"));
    EXPECT_EQ(sim.page("/v1/products?ids[]=" + products[4] + "&ids[]=" + products[1]),
              (std::vector<std::string>{products[1], products[4]}));
}

TEST(sim_lists, subscriptions_hide_canceled_ones_unless_asked) {
    Sim sim;
    std::vector<Json> all = sim.all("subscription");
    auto status = [](const json_t *one) { return get_string(one, "status"); };
    auto open = ids_where(all, [&](const json_t *one) { return status(one) != "canceled"; });
    EXPECT_LT(open.size(), all.size());
    EXPECT_EQ(walk(sim, "/v1/subscriptions?", 100), open);
    EXPECT_EQ(walk(sim, "/v1/subscriptions?status=all&", 100), every_id(all));
    EXPECT_EQ(walk(sim, "/v1/subscriptions?status=ended&", 100),
              ids_where(all, [&](const json_t *one) {
                  return status(one) == "canceled" || status(one) == "incomplete_expired";
              }));
}

TEST(sim_lists, refusals_are_stripes) {
    Sim sim;
    EXPECT_EQ(sim.error("/v1/customers?foo=1", "code"), "parameter_unknown");
    EXPECT_EQ(sim.error("/v1/customers?foo=1", "message"), "Received unknown parameter: foo");
    EXPECT_EQ(sim.error("/v1/customers?created[ge]=1", "code"), "parameter_unknown");
    EXPECT_EQ(sim.error("/v1/customers?starting_after=cus_x", "code"), "resource_missing");
    EXPECT_EQ(sim.error("/v1/customers?starting_after=cus_x", "message"),
              "No such customer: 'cus_x'");
    EXPECT_EQ(sim.get("/v1/customers?starting_after=cus_x").status, 400);
    EXPECT_EQ(sim.get("/v1/customers?starting_after=a&ending_before=b").status, 400);
    EXPECT_EQ(sim.get("/v1/customers?expand[]=data.default_source").status, 200);
    EXPECT_EQ(sim.get("/v1/customers/cus_x").status, 404);
    EXPECT_EQ(sim.get("/v1/nothing").status, 404);
    EXPECT_EQ(sim.get("/v1/customers/").status, 404);
    EXPECT_EQ(sim.get("/v1/subscription_items").status, 400);
    EXPECT_EQ(sim.get("/v1/subscriptions?status=wrong").status, 400);
}

TEST(sim_lists, keys_open_only_what_they_may) {
    Sim sim;
    auto status = [&](const std::string &target, const std::string &key) {
        return sim.ask(make_request("GET", target, "", key)).status;
    };
    EXPECT_EQ(status("/v1/customers", "sk_test_other00000000"), 401);
    EXPECT_EQ(status("/v1/customers", ""), 401);
    EXPECT_EQ(status("/v1/customers", "rk_test_unit000000000000"), 200);
    EXPECT_EQ(status("/v1/invoices", "rk_test_unit000000000000"), 403);
    EXPECT_EQ(status("/v1/invoices/in_x/lines", "rk_test_unit000000000000"), 403);
    EXPECT_EQ(status("/v1/account", "rk_test_unit000000000000"), 403);
    Response refused = sim.ask(make_request("GET", "/v1/charges", "", "sk_test_other00000000"));
    EXPECT_EQ(refused.body.find("sk_test_other00000000"), std::string::npos);
}

TEST(sim_lists, keys_come_and_go_while_running) {
    Sim sim;
    auto status = [&](const std::string &key) {
        return sim.ask(make_request("GET", "/v1/charges", "", key)).status;
    };
    sim.post("/_sim/keys", R"({"key": "rk_test_new000000000", "denied": ["customer"]})");
    EXPECT_EQ(status("rk_test_new000000000"), 200);
    sim.post("/_sim/keys", R"({"key": "rk_test_new000000000", "denied": ["charge"]})");
    EXPECT_EQ(status("rk_test_new000000000"), 403);
    sim.ask(make_request("DELETE", "/_sim/keys?key=rk_test_new000000000"));
    EXPECT_EQ(status("rk_test_new000000000"), 401);
    EXPECT_EQ(sim.post("/_sim/keys", R"({"key": "rk_test_x", "account": "acct_x"})").status, 400);
}

TEST(sim_lists, children_beyond_ten_are_paged) {
    Sim sim;
    std::vector<Json> lines = sim.all("invoice_line_item");
    int long_ones = 0;
    for (const Json &invoice : sim.all("invoice")) {
        const json_t *list = json_object_get(invoice.get(), "lines");
        std::string id = get_string(invoice.get(), "id");
        auto own =
            ids_where(lines, [&](const json_t *one) { return get_string(one, "invoice") == id; });
        size_t embedded = json_array_size(json_object_get(list, "data"));
        EXPECT_EQ(embedded, std::min<size_t>(own.size(), 10));
        EXPECT_EQ(json_is_true(json_object_get(list, "has_more")), own.size() > 10);
        if (own.size() > 10 && ++long_ones <= 3)
            EXPECT_EQ(walk(sim, "/v1/invoices/" + id + "/lines?", 9), own);
    }
    EXPECT_GT(long_ones, 0);
}
