// Every kind of the money model: made, listed, read, changed, with the lists that hang on it.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

std::vector<std::string> make(Sim &sim, const std::string &body) {
    Response response = sim.post("/_sim/make", body);
    EXPECT_EQ(response.status, 200) << body << response.body;
    Json answer = parse_json(response.body);
    std::vector<std::string> out;
    const json_t *ids = json_object_get(answer.get(), "ids");
    for (size_t i = 0; i < json_array_size(ids); ++i)
        out.emplace_back(json_string_value(json_array_get(ids, i)));
    return out;
}

Json read(Sim &sim, const std::string &target) {
    Response response = sim.get(target);
    EXPECT_EQ(response.status, 200) << target << response.body;
    return parse_json(response.body);
}

std::string quote(const std::string &text) {
    return "\"" + text + "\"";
}

} // namespace

TEST(sim_kinds, each_is_made_listed_read_and_dumped) {
    Sim sim;
    for (const KindInfo &kind : kinds()) {
        if (kind.kind == Kind::event || child_list(kind.kind) != nullptr)
            continue;
        std::string name{kind.name};
        size_t before = sim.all(name).size();
        std::vector<std::string> ids =
            make(sim, R"({"kind": ")" + name + R"(", "count": 25, "fields": {"metadata": {}}})");
        ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 25U) << name;
        std::vector<Json> all = sim.all(name);
        EXPECT_EQ(all.size(), before + 25) << name;
        if (kind.path.empty())
            continue;
        std::string path = "/v1/" + std::string{kind.path};
        for (const std::string &id : {ids[0], ids[24]}) {
            Json one = read(sim, path + "/" + id);
            EXPECT_EQ(get_string(one.get(), "id"), id);
            EXPECT_EQ(get_string(one.get(), "object"), kind.object_name()) << name;
            EXPECT_NE(sim.get(path + "/" + id).body.find("\"id\": "), std::string::npos);
        }
        EXPECT_EQ(sim.get(path + "/none_such").status, 404) << name;
        if (kind.kind == Kind::active_entitlement || kind.kind == Kind::tax_id)
            continue; // listed by customer
        std::string every = kind.kind == Kind::subscription ? "status=all&" : "";
        std::vector<std::string> page = sim.page(path + "?" + every + "limit=100");
        EXPECT_EQ(page.size(), std::min<size_t>(100, before + 25)) << name;
        EXPECT_EQ(sim.page(path + "?" + every + "limit=7&starting_after=" + page[1]),
                  std::vector<std::string>(page.begin() + 2, page.begin() + 9))
            << name;
    }
}

TEST(sim_kinds, what_hangs_on_a_customer_is_listed_there) {
    Sim sim;
    for (const char *id : {"cus_a", "cus_b"})
        sim.post("/_sim/changes", R"({"changes": [{"op": "create", "kind": "customer", "id": ")" +
                                      std::string{id} + "\"}]}");
    for (const char *name : {"payment_method", "tax_id", "customer_balance_transaction"}) {
        const KindInfo &kind = *find_kind(name);
        std::string start = R"({"kind": ")" + std::string{name} + R"(", "count": 12, "fields": )";
        std::vector<std::string> of_a = make(sim, start + R"({"customer": "cus_a"}})");
        std::vector<std::string> of_b = make(sim, start + R"({"customer": "cus_b"}})");
        std::string path = "/v1/customers/cus_a/" + std::string{kind.under_customer};
        std::vector<std::string> page = sim.page(path + "?limit=100");
        EXPECT_EQ(std::set<std::string>(page.begin(), page.end()),
                  std::set<std::string>(of_a.begin(), of_a.end()));
        EXPECT_EQ(get_string(sim.last.get(), "url"), path);
        EXPECT_EQ(sim.page(path + "?limit=5").size(), 5U);
        EXPECT_TRUE(sim.has_more());
        EXPECT_EQ(get_string(read(sim, path + "/" + of_a[3]).get(), "id"), of_a[3]);
        EXPECT_EQ(sim.get(path + "/" + of_b[3]).status, 404);
    }
    EXPECT_TRUE(sim.page("/v1/tax_ids").empty()) << "those of the account itself";
    EXPECT_EQ(sim.get("/v1/customers/cus_none/tax_ids").status, 404);
    sim.ask(make_request("DELETE", "/_sim/objects/customer/cus_a"));
    EXPECT_EQ(sim.get("/v1/customers/cus_a/tax_ids").status, 404);
    EXPECT_EQ(sim.get("/v1/entitlements/active_entitlements").status, 400) << "needs a customer";
}

TEST(sim_kinds, children_follow_their_parents) {
    Sim sim;
    struct {
        const char *parent;
        const char *child;
        const char *member;
        const char *segment;
    } lists[] = {{"credit_note", "credit_note_line_item", "lines", "lines"},
                 {"checkout_session", "checkout_session_line_item", "line_items", "line_items"},
                 {"transfer", "transfer_reversal", "reversals", "reversals"}};
    for (const auto &list : lists) {
        std::string id = make(sim, R"({"kind": )" + quote(list.parent) + R"(, "fields": {")" +
                                       list.member + R"(": {"data": []}}})")[0];
        std::string path =
            "/v1/" + std::string{find_kind(list.parent)->path} + "/" + id + "/" + list.segment;
        EXPECT_TRUE(sim.page(path).empty());
        std::vector<std::string> ids =
            make(sim, R"({"kind": )" + quote(list.child) + R"(, "count": 13, "parent": )" +
                          quote(id) + "}");
        EXPECT_EQ(sim.page(path + "?limit=100"), ids) << list.child;
        EXPECT_EQ(sim.page(path + "?limit=3&starting_after=" + ids[4]),
                  std::vector<std::string>(ids.begin() + 5, ids.begin() + 8));
        Json parent = read(sim, path.substr(0, path.rfind('/')));
        const json_t *inside = json_object_get(parent.get(), list.member);
        if (std::string{list.parent} == "checkout_session") {
            EXPECT_EQ(inside, nullptr) << "Stripe leaves it out";
        } else {
            EXPECT_EQ(json_array_size(json_object_get(inside, "data")), 10U);
            EXPECT_TRUE(get_bool(inside, "has_more", false));
            EXPECT_EQ(get_string(inside, "url"), path);
        }
        EXPECT_EQ(sim.all(list.child).size(), 13U);
    }
    EXPECT_EQ(sim.page("/v1/events").size(), 1U) << "made objects were always there";
}

TEST(sim_kinds, a_dump_may_name_parents_that_objects_do_not) {
    Sim sim;
    make(sim, R"({"kind": "active_entitlement", "fields": {"customer": "cus_a"}})");
    std::string id = make(sim, R"({"kind": "credit_note"})")[0];
    EXPECT_EQ(sim.get("/_sim/objects/active_entitlement").body.find("cus_a"), std::string::npos);
    auto parent = [&](const std::string &kind) {
        std::string text = sim.get("/_sim/objects/" + kind + "?parents=1").body;
        return get_string(parse_json(text.substr(0, text.find('\n'))).get(), "parent");
    };
    EXPECT_EQ(parent("active_entitlement"), "cus_a");
    EXPECT_EQ(parent("credit_note_line_item"), id);
    EXPECT_EQ(parent("customer"), "");
}

TEST(sim_kinds, references_lead_somewhere) {
    Sim sim;
    for (const char *name : {"payment_intent", "refund", "dispute", "credit_note", "tax_id",
                             "subscription", "invoice", "balance_transaction"}) {
        std::vector<std::string> ids =
            make(sim, R"({"kind": ")" + std::string{name} + R"(", "count": 5})");
        for (const std::string &id : ids) {
            Json one = read(sim, "/v1/" + std::string{find_kind(name)->path} + "/" + id);
            for (auto [member, path] : {std::pair{"customer", "customers"},
                                        {"charge", "charges"},
                                        {"source", "charges"},
                                        {"invoice", "invoices"},
                                        {"payment_intent", "payment_intents"}}) {
                const json_t *value = json_object_get(one.get(), member);
                if (json_is_string(value))
                    EXPECT_EQ(
                        sim.get("/v1/" + std::string{path} + "/" + json_string_value(value)).status,
                        200)
                        << name << "." << member;
            }
        }
    }
}

TEST(sim_kinds, filters_of_new_kinds) {
    Sim sim;
    make(sim, R"({"kind": "payout", "count": 4, "fields": {"status": "paid"}})");
    make(sim, R"({"kind": "payout", "count": 3, "fields": {"status": "failed"}})");
    EXPECT_EQ(sim.page("/v1/payouts?status=failed").size(), 3U);
    EXPECT_EQ(sim.get("/v1/quotes?created[gte]=1").status, 400) << "no such filter at Stripe";
    make(sim, R"({"kind": "feature", "count": 2, "fields": {"active": false}})");
    make(sim, R"({"kind": "feature", "count": 3})");
    EXPECT_EQ(sim.page("/v1/entitlements/features?archived=false").size(), 3U);
    make(sim, R"({"kind": "invoice_item", "count": 2, "at": 1700000000})");
    EXPECT_EQ(sim.page("/v1/invoiceitems?created=1700000000").size(), 2U) << "its date counts";
}
