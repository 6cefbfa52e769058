// Subscriptions and their items, before and after API version 2025-03-31.basil.
#include "generator.hpp"

#include "names.hpp"

#include <algorithm>

namespace stripe_sim {

namespace {
enum Slot : size_t {
    id,
    anchor,
    anchor_config,
    cancel_at,
    cancel_at_period_end,
    canceled_at,
    cancel_reason,
    collection_method,
    created,
    currency,
    customer,
    days_until_due,
    default_payment_method,
    ended_at,
    items,
    has_more,
    items_url,
    livemode,
    metadata,
    pause_collection,
    start_date,
    status,
    trial_end,
    trial_start,
    period_start,
    period_end,
};
enum ItemSlot : size_t {
    item_id,
    item_created,
    item_metadata,
    item_price,
    item_quantity,
    item_subscription,
    item_period_start,
    item_period_end,
    plan_active,
    plan_amount,
    plan_decimal,
    plan_scheme,
    plan_created,
    plan_currency,
    plan_id,
    plan_interval,
    plan_interval_count,
    plan_livemode,
    plan_product,
    plan_tiers_mode,
    plan_usage_type,
};
} // namespace

static Template subscription_template(bool old_shape) {
    std::vector<Fixed> fixed{{"billing_thresholds", "null"},
                             {"next_pending_invoice_item_invoice", "null"},
                             {"pending_invoice_item_interval", "null"},
                             {"pending_update", "null"},
                             {"transfer_data", "null"},
                             {"billing_schedules", "[]"},
                             {"managed_payments.enabled", "false"},
                             {"payment_settings.payment_method_options", "null"}};
    std::vector<Hole> holes{{"id", id},
                            {"billing_cycle_anchor", anchor},
                            {"billing_cycle_anchor_config", anchor_config},
                            {"cancel_at", cancel_at},
                            {"cancel_at_period_end", cancel_at_period_end},
                            {"canceled_at", canceled_at},
                            {"cancellation_details.reason", cancel_reason},
                            {"collection_method", collection_method},
                            {"created", created},
                            {"currency", currency},
                            {"customer", customer},
                            {"days_until_due", days_until_due},
                            {"default_payment_method", default_payment_method},
                            {"ended_at", ended_at},
                            {"items.data", items},
                            {"items.has_more", has_more},
                            {"items.url", items_url},
                            {"livemode", livemode},
                            {"metadata", metadata},
                            {"pause_collection", pause_collection},
                            {"start_date", start_date},
                            {"status", status},
                            {"trial_end", trial_end},
                            {"trial_start", trial_start}};
    if (old_shape) {
        holes.push_back({"current_period_start", period_start});
        holes.push_back({"current_period_end", period_end});
        fixed.push_back({"billing_mode", nullptr});
    }
    return {"subscription", fixed, holes, 0};
}

static Template item_template(bool old_shape, unsigned depth) {
    std::vector<Fixed> fixed{
        {"billing_thresholds", "null"}, {"plan.metadata", "{}"}, {"plan.transform_usage", "null"}};
    std::vector<Hole> holes{{"id", item_id},
                            {"created", item_created},
                            {"metadata", item_metadata},
                            {"price", item_price},
                            {"quantity", item_quantity},
                            {"subscription", item_subscription},
                            {"plan.active", plan_active},
                            {"plan.amount", plan_amount},
                            {"plan.amount_decimal", plan_decimal},
                            {"plan.billing_scheme", plan_scheme},
                            {"plan.created", plan_created},
                            {"plan.currency", plan_currency},
                            {"plan.id", plan_id},
                            {"plan.interval", plan_interval},
                            {"plan.interval_count", plan_interval_count},
                            {"plan.livemode", plan_livemode},
                            {"plan.product", plan_product},
                            {"plan.tiers_mode", plan_tiers_mode},
                            {"plan.usage_type", plan_usage_type}};
    if (old_shape) {
        fixed.push_back({"current_period_start", nullptr});
        fixed.push_back({"current_period_end", nullptr});
    } else {
        holes.push_back({"current_period_start", item_period_start});
        holes.push_back({"current_period_end", item_period_end});
    }
    return {"subscription_item", fixed, holes, depth};
}

SubscriptionShape::SubscriptionShape(PriceShape &prices)
    : new_shape_{subscription_template(false)}, old_shape_{subscription_template(true)},
      item_new_{item_template(false, 0), item_template(false, 3)},
      item_old_{item_template(true, 0), item_template(true, 3)}, prices_{prices} {}

static void fill_plan(Slots &s, const World &world, uint64_t index) {
    PriceFacts price = world.price(index);
    bool tiered = price.form == PriceFacts::Form::tiered;
    s.boolean(plan_active, price.active);
    s.null(plan_amount);
    s.null(plan_decimal);
    if (price.form == PriceFacts::Form::per_unit) {
        s.number(plan_amount, price.amount);
        s.plain(plan_decimal, std::to_string(price.amount));
    }
    s.plain(plan_scheme, tiered ? "tiered" : "per_unit");
    s.number(plan_created, world.created(Kind::price, index));
    s.plain(plan_currency, price.currency);
    put_id(s, plan_id, world, Kind::price, index);
    s.plain(plan_interval, price.interval);
    s.number(plan_interval_count, price.interval_count);
    s.boolean(plan_livemode, world.config().livemode);
    put_id(s, plan_product, world, Kind::product, price.product);
    s.raw(plan_tiers_mode, tiered ? "\"graduated\"" : "null");
    s.plain(plan_usage_type, tiered ? "metered" : "licensed");
}

void SubscriptionShape::render_item(std::string &out, const World &world, uint64_t index,
                                    const SubscriptionFacts &facts, unsigned item, unsigned depth) {
    Slots &s = item_slots_;
    uint64_t number = index * max_items + item;
    put_id(s, item_id, world, Kind::subscription_item, number);
    s.number(item_created, facts.created + item / 4);
    append_metadata(s.open(item_metadata), world.rng(Kind::subscription_item, number, 9), number);
    uint64_t price = world.item_price(index, item);
    prices_.render(s.open(item_price), world, price, depth == 0 ? 1 : 4);
    s.number(item_quantity, world.item_quantity(index, item));
    put_id(s, item_subscription, world, Kind::subscription, index);
    fill_plan(s, world, price);
    s.number(item_period_start, facts.period_start);
    s.number(item_period_end, facts.period_end);
    const auto &shapes = facts.old_shape ? item_old_ : item_new_;
    shapes[depth == 0 ? 0 : 1].render(out, s);
}

static void fill_state(Slots &s, const SubscriptionFacts &facts, Rng &r) {
    s.null(cancel_at);
    s.null(canceled_at);
    s.null(ended_at);
    s.null(cancel_reason);
    s.null(pause_collection);
    s.null(trial_start);
    s.null(trial_end);
    s.boolean(cancel_at_period_end, false);
    if (facts.status == "canceled" || facts.status == "incomplete_expired") {
        s.number(canceled_at, facts.period_start);
        s.number(ended_at, facts.period_start);
        s.raw(cancel_reason, "\"cancellation_requested\"");
    } else if (facts.status == "active" && r.percent(8)) {
        s.boolean(cancel_at_period_end, true);
        s.number(cancel_at, facts.period_end);
        s.number(canceled_at, facts.period_start);
    } else if (facts.status == "active" && r.percent(3)) {
        s.raw(pause_collection, "{\n    \"behavior\": \"void\",\n    \"resumes_at\": null\n  }");
    }
    if (facts.status == "trialing" || facts.status == "paused" || r.percent(20)) {
        s.number(trial_start, facts.created);
        s.number(trial_end,
                 facts.status == "trialing" ? facts.period_end : facts.created + 1209600);
    }
}

void SubscriptionShape::render(std::string &out, const World &world, uint64_t index) {
    SubscriptionFacts facts = world.subscription(index);
    Rng r = world.rng(Kind::subscription, index, 7);
    Slots &s = slots_;
    put_id(s, id, world, Kind::subscription, index);
    s.number(anchor, facts.created);
    s.raw(anchor_config, r.percent(90) ? "null"
                                       : "{\n    \"day_of_month\": 31,\n    \"hour\": null,\n"
                                         "    \"minute\": null,\n    \"month\": null,\n"
                                         "    \"second\": null\n  }");
    s.plain(collection_method, facts.send_invoice ? "send_invoice" : "charge_automatically");
    s.raw(days_until_due, facts.send_invoice ? "30" : "null");
    s.number(created, facts.created);
    s.number(start_date, facts.created);
    s.plain(currency, world.price(world.item_price(index, 0)).currency);
    put_id(s, customer, world, Kind::customer, facts.customer);
    s.null(default_payment_method);
    if (r.percent(60))
        put_foreign_id(s, default_payment_method, world, "pm_", facts.customer);
    unsigned embedded = std::min(facts.items, embedded_children);
    std::string &data = s.open(items);
    data += "[\n      ";
    for (unsigned i = 0; i < embedded; ++i) {
        if (i > 0)
            data += ",\n      ";
        render_item(data, world, index, facts, i, 3);
    }
    data += "\n    ]";
    s.boolean(has_more, facts.items > embedded);
    std::string &url = s.open(items_url);
    url += "\"/v1/subscription_items?subscription=";
    world.ids().append(url, Kind::subscription, index);
    url += '"';
    s.boolean(livemode, world.config().livemode);
    append_metadata(s.open(metadata), world.rng(Kind::subscription, index, 9), index);
    s.plain(status, facts.status);
    fill_state(s, facts, r);
    s.number(period_start, facts.period_start);
    s.number(period_end, facts.period_end);
    (facts.old_shape ? old_shape_ : new_shape_).render(out, s);
}

} // namespace stripe_sim
