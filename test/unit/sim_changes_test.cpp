// Changes while running and the events that tell of them.
#include "test_support.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace stripe_sim;
using namespace stripe_sim::test;

namespace {

// Applies changes; the answers, one per change.
std::vector<Json> change(Sim &sim, const std::string &changes) {
    Response response = sim.post("/_sim/changes", "{\"changes\": [" + changes + "]}");
    EXPECT_EQ(response.status, 200) << response.body;
    Json body = parse_json(response.body);
    std::vector<Json> out;
    for (size_t i = 0; i < json_array_size(json_object_get(body.get(), "events")); ++i)
        out.emplace_back(json_incref(json_array_get(json_object_get(body.get(), "events"), i)));
    return out;
}

Json read(Sim &sim, const std::string &target) {
    Response response = sim.get(target);
    EXPECT_EQ(response.status, 200) << target << response.body;
    return parse_json(response.body);
}

Json event_of(Sim &sim, const Json &answer) {
    return read(sim, "/v1/events/" + get_string(answer.get(), "id"));
}

std::string previous_of(const Json &event) {
    const json_t *previous =
        json_object_get(json_object_get(event.get(), "data"), "previous_attributes");
    return previous == nullptr ? "none" : compact(previous);
}

const json_t *snapshot_of(const Json &event) {
    return json_object_get(json_object_get(event.get(), "data"), "object");
}

} // namespace

TEST(sim_changes, a_life_is_told_event_by_event) {
    Sim sim;
    std::vector<Json> answers = change(sim, R"(
        {"op": "create", "kind": "customer", "id": "cus_x", "at": 1700000000,
         "fields": {"name": "A", "metadata": {"a": "1", "b": "2"}}},
        {"op": "update", "kind": "customer", "id": "cus_x",
         "fields": {"name": null, "metadata": {"a": "3", "b": null, "c": "4"},
                    "invoice_settings": {"footer": "f"}, "preferred_locales": ["de"]}},
        {"op": "delete", "kind": "customer", "id": "cus_x"})");
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(get_int(answers[0].get(), "created", 0), 1700000000);
    EXPECT_EQ(get_string(answers[0].get(), "type"), "customer.created");
    EXPECT_EQ(sim.get("/v1/events/" + get_string(answers[0].get(), "id")).status, 404)
        << "older than 30 days";
    Json updated = event_of(sim, answers[1]);
    EXPECT_EQ(get_string(updated.get(), "type"), "customer.updated");
    EXPECT_EQ(previous_of(updated),
              R"({"invoice_settings":{"footer":null},"metadata":{"a":"1","b":"2","c":null},)"
              R"("name":"A","preferred_locales":[]})");
    EXPECT_TRUE(json_is_null(json_object_get(snapshot_of(updated), "name")));
    EXPECT_EQ(compact(json_object_get(snapshot_of(updated), "metadata")), R"({"a":"3","c":"4"})");
    Json deleted = event_of(sim, answers[2]);
    EXPECT_EQ(get_string(deleted.get(), "type"), "customer.deleted");
    EXPECT_EQ(previous_of(deleted), "none");
    EXPECT_EQ(get_string(snapshot_of(deleted), "id"), "cus_x");
    EXPECT_TRUE(get_bool(read(sim, "/v1/customers/cus_x").get(), "deleted", false));
    EXPECT_EQ(sim.page("/v1/events?type=customer.deleted").size(), 1U);
    EXPECT_EQ(sim.page("/v1/events?types[]=customer.deleted&types[]=customer.updated").size(), 2U);
}

TEST(sim_changes, the_snapshot_is_what_a_read_gives) {
    Sim sim;
    for (const char *name : {"customer", "product", "price", "subscription", "invoice", "charge"}) {
        const KindInfo &kind = *find_kind(name);
        std::string id = sim.page("/v1/" + std::string{kind.path} + "?limit=5")[4];
        std::vector<Json> answers =
            change(sim, "{\"op\": \"update\", \"kind\": \"" + std::string{name} + "\", \"id\": \"" +
                            id + "\", \"fields\": {\"metadata\": {\"touched\": \"yes\"}}}");
        Json event = event_of(sim, answers[0]);
        Json object = read(sim, "/v1/" + std::string{kind.path} + "/" + id);
        EXPECT_TRUE(json_equal(snapshot_of(event), object.get())) << name;
        EXPECT_NE(previous_of(event).find("\"touched\":null"), std::string::npos) << name;
    }
}

TEST(sim_changes, events_are_listed_newest_first_and_for_30_days) {
    Sim sim;
    sim.post("/_sim/clock", R"({"now": 1800000000, "standing": true})");
    std::string changes;
    for (int i = 0; i < 25; ++i)
        changes += std::string{i > 0 ? "," : ""} + R"({"op": "create", "kind": "product", "at": )" +
                   std::to_string(1800000000 - (i % 5)) + "}";
    change(sim, changes);
    std::vector<std::string> all = sim.page("/v1/events?limit=100");
    EXPECT_EQ(all.size(), 26U) << "with the account's first";
    const json_t *data = json_object_get(sim.last.get(), "data");
    for (size_t i = 1; i + 1 < all.size(); ++i)
        EXPECT_GE(get_int(json_array_get(data, i - 1), "created", 0),
                  get_int(json_array_get(data, i), "created", 0));
    EXPECT_EQ(sim.page("/v1/events?limit=10&starting_after=" + all[3]),
              std::vector<std::string>(all.begin() + 4, all.begin() + 14));
    EXPECT_EQ(sim.page("/v1/events?limit=100&created[gte]=1800000000").size(), 5U);
    EXPECT_EQ(sim.page("/v1/events?ending_before=" + all[3]).size(), 3U);
    sim.post("/_sim/clock", R"({"now": 1802592000, "standing": true})");
    EXPECT_EQ(sim.page("/v1/events?limit=100&created[gte]=1").size(), 6U)
        << "those of the 30th day before";
    sim.post("/_sim/clock", R"({"now": 1802592001, "standing": true})");
    EXPECT_EQ(sim.page("/v1/events?limit=100").size(), 1U);
    EXPECT_EQ(sim.get("/v1/events/" + all[0]).status, 404);
}

TEST(sim_changes, long_lists_are_kept_whole_and_served_cut) {
    Sim sim;
    std::string items = "{}";
    for (int i = 1; i < 25; ++i)
        items += ",{}";
    change(sim, R"({"op": "create", "kind": "subscription", "id": "sub_long",
                    "fields": {"items": {"data": [)" +
                    items + "]}}}");
    Json object = read(sim, "/v1/subscriptions/sub_long");
    const json_t *list = json_object_get(object.get(), "items");
    EXPECT_EQ(json_array_size(json_object_get(list, "data")), 10U);
    EXPECT_TRUE(get_bool(list, "has_more", false));
    std::vector<std::string> all =
        sim.page("/v1/subscription_items?limit=100&subscription=sub_long");
    ASSERT_EQ(all.size(), 25U);
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 25U);
    EXPECT_EQ(get_string(read(sim, "/v1/subscription_items/" + all[17]).get(), "subscription"),
              "sub_long");
    // One removed beyond what is embedded, one within.
    std::vector<Json> gone = change(
        sim, R"({"op": "delete", "kind": "subscription_item", "parent": "sub_long", "id": ")" +
                 all[20] + R"("}, {"op": "delete", "kind": "subscription_item",
                 "parent": "sub_long", "id": ")" +
                 all[2] + "\"}");
    EXPECT_EQ(get_string(gone[0].get(), "type"), "customer.subscription.updated");
    EXPECT_EQ(previous_of(event_of(sim, gone[0])), "{}") << "what is cut off is not told";
    EXPECT_NE(previous_of(event_of(sim, gone[1])).find(all[2]), std::string::npos);
    all.erase(all.begin() + 20);
    all.erase(all.begin() + 2);
    EXPECT_EQ(sim.page("/v1/subscription_items?limit=100&subscription=sub_long"), all);
    change(sim, R"({"op": "update", "kind": "subscription", "id": "sub_long",
                    "fields": {"metadata": {"a": "b"}}})");
    EXPECT_EQ(sim.page("/v1/subscription_items?limit=100&subscription=sub_long"), all);
}

TEST(sim_changes, a_generated_long_invoice_keeps_its_lines) {
    Sim sim;
    std::string id;
    for (const Json &one : sim.all("invoice"))
        if (get_bool(json_object_get(one.get(), "lines"), "has_more", false))
            id = get_string(one.get(), "id");
    ASSERT_NE(id, "");
    std::string target = "/v1/invoices/" + id + "/lines?limit=100";
    std::vector<std::string> all = sim.page(target);
    bool more = sim.has_more();
    change(sim, R"({"op": "delete", "kind": "invoice_line_item", "parent": ")" + id +
                    R"(", "id": ")" + all[3] + "\"}");
    all.erase(all.begin() + 3);
    std::vector<std::string> now = sim.page(target);
    now.resize(all.size());
    EXPECT_EQ(now, all);
    EXPECT_EQ(sim.has_more(), more);
}

TEST(sim_changes, subscriptions_and_payment_methods_survive_their_deletion) {
    Sim sim;
    std::vector<Json> answers = change(sim, R"(
        {"op": "create", "kind": "subscription", "id": "sub_1"},
        {"op": "delete", "kind": "subscription", "id": "sub_1"},
        {"op": "create", "kind": "payment_method", "id": "pm_1"},
        {"op": "delete", "kind": "payment_method", "id": "pm_1"})");
    EXPECT_EQ(get_string(answers[1].get(), "type"), "customer.subscription.deleted");
    EXPECT_EQ(get_string(read(sim, "/v1/subscriptions/sub_1").get(), "status"), "canceled");
    EXPECT_EQ(get_string(answers[3].get(), "type"), "payment_method.detached");
    EXPECT_EQ(previous_of(event_of(sim, answers[3])).find(R"({"customer":"cus_)"), 0U);
    EXPECT_TRUE(
        json_is_null(json_object_get(read(sim, "/v1/payment_methods/pm_1").get(), "customer")));
}

TEST(sim_changes, an_id_may_come_back_after_its_deletion) {
    Sim sim;
    change(sim, R"({"op": "create", "kind": "coupon", "id": "SUMMER"},
                   {"op": "delete", "kind": "coupon", "id": "SUMMER"})");
    EXPECT_EQ(sim.get("/v1/coupons/SUMMER").status, 404);
    change(sim, R"({"op": "create", "kind": "coupon", "id": "SUMMER",
                    "fields": {"percent_off": 50.5}})");
    Json again = read(sim, "/v1/coupons/SUMMER");
    EXPECT_EQ(json_real_value(json_object_get(again.get(), "percent_off")), 50.5);
    EXPECT_EQ(sim.post("/_sim/changes",
                       R"({"changes": [{"op": "create", "kind": "coupon", "id": "SUMMER"}]})")
                  .status,
              400);
}

TEST(sim_changes, entitlements_are_told_as_a_summary) {
    Sim sim;
    std::string changes = R"({"op": "create", "kind": "customer", "id": "cus_e"})";
    for (int i = 0; i < 12; ++i)
        changes += R"(,{"op": "create", "kind": "feature", "id": "feat_)" + std::to_string(i) +
                   R"("},{"op": "create", "kind": "active_entitlement", "id": "ent_)" +
                   std::to_string(i) + R"(", "fields": {"customer": "cus_e", "feature": "feat_)" +
                   std::to_string(i) + R"("}})";
    change(sim, changes);
    std::vector<Json> answers =
        change(sim, R"({"op": "delete", "kind": "active_entitlement", "id": "ent_3"})");
    Json event = event_of(sim, answers[0]);
    EXPECT_EQ(get_string(event.get(), "type"), "entitlements.active_entitlement_summary.updated");
    EXPECT_EQ(get_string(snapshot_of(event), "customer"), "cus_e");
    const json_t *list = json_object_get(snapshot_of(event), "entitlements");
    EXPECT_EQ(json_array_size(json_object_get(list, "data")), 10U);
    EXPECT_TRUE(get_bool(list, "has_more", false));
    EXPECT_EQ(sim.page("/v1/entitlements/active_entitlements?limit=100&customer=cus_e").size(),
              11U);
    Json one = read(sim, "/v1/entitlements/active_entitlements/ent_1");
    EXPECT_EQ(json_object_get(one.get(), "customer"), nullptr) << "Stripe does not show it";
    EXPECT_EQ(get_string(one.get(), "object"), "entitlements.active_entitlement");
}

TEST(sim_changes, older_api_versions_shape_the_snapshot) {
    Sim sim;
    sim.post("/_sim/api_version", R"({"version": "2024-06-20"})");
    std::vector<Json> answers =
        change(sim, R"({"op": "create", "kind": "subscription", "id": "sub_1"},
                       {"op": "create", "kind": "invoice", "id": "in_1", "fields": {"parent":
                        {"type": "subscription_details",
                         "subscription_details": {"subscription": "sub_1"}}}})");
    Json event = event_of(sim, answers[0]);
    EXPECT_EQ(get_string(event.get(), "api_version"), "2024-06-20");
    EXPECT_GT(get_int(snapshot_of(event), "current_period_end", 0), 0);
    const json_t *item =
        json_array_get(json_object_get(json_object_get(snapshot_of(event), "items"), "data"), 0);
    EXPECT_NE(item, nullptr);
    EXPECT_EQ(json_object_get(item, "current_period_end"), nullptr);
    Json read_now = read(sim, "/v1/subscriptions/sub_1");
    EXPECT_EQ(json_object_get(read_now.get(), "current_period_end"), nullptr)
        << "reads are in the newer version";
    Json invoice = event_of(sim, answers[1]);
    EXPECT_EQ(get_string(snapshot_of(invoice), "subscription"), "sub_1");
    EXPECT_EQ(json_object_get(snapshot_of(invoice), "parent"), nullptr);
}

TEST(sim_changes, nonsense_is_refused) {
    Sim sim;
    for (const char *bad : {R"({"op": "destroy", "kind": "customer", "id": "cus_x"})",
                            R"({"op": "update", "kind": "nothing", "id": "cus_x"})",
                            R"({"op": "update", "kind": "event", "id": "evt_x"})",
                            R"({"op": "delete", "kind": "charge", "id": "ch_x"})",
                            R"({"op": "update", "kind": "subscription_item", "id": "si_x"})"})
        EXPECT_GE(sim.post("/_sim/changes", std::string{"{\"changes\": ["} + bad + "]}").status,
                  400)
            << bad;
    EXPECT_EQ(sim.post("/_sim/changes", R"({"changes": [{"op": "update", "kind": "customer",
                                             "id": "cus_x"}]})")
                  .status,
              404);
}
