// See generator.hpp. The kinds with little to them are here: account and first event.
#include "generator.hpp"

namespace stripe_sim {

Generator::Generator(AccountConfig config)
    : world_{std::move(config)}, subscriptions_{prices_}, invoices_{prices_} {}

void Generator::render(std::string &out, Kind kind, uint64_t index) {
    switch (kind) {
    case Kind::customer:
        return customers_.render(out, world_, index);
    case Kind::product:
        return products_.render(out, world_, index);
    case Kind::price:
        return prices_.render(out, world_, index, 0);
    case Kind::subscription:
        return subscriptions_.render(out, world_, index);
    case Kind::invoice:
        return invoices_.render(out, world_, index);
    case Kind::charge:
        return charges_.render(out, world_, index);
    case Kind::event:
        out += first_event_text();
        return;
    case Kind::subscription_item: {
        uint64_t parent = index / max_items;
        return subscriptions_.render_item(out, world_, parent, world_.subscription(parent),
                                          static_cast<unsigned>(index % max_items), 0);
    }
    case Kind::invoice_line_item: {
        uint64_t parent = index / max_lines;
        return invoices_.render_line(out, world_, parent, world_.invoice(parent),
                                     static_cast<unsigned>(index % max_lines), 0);
    }
    default:
        return; // only generated kinds have a size
    }
}

static Json account_json(const AccountConfig &config) {
    Json doc = fixture("account");
    auto text = [](const std::string &value) { return json_string(value.c_str()); };
    set_path(doc.get(), "id", text(config.id));
    set_path(doc.get(), "business_profile.name", text(config.name));
    set_path(doc.get(), "settings.dashboard.display_name", text(config.name));
    set_path(doc.get(), "country", text(config.country));
    set_path(doc.get(), "default_currency", text(config.default_currency));
    set_path(doc.get(), "created", json_integer(config.created));
    set_path(doc.get(), "charges_enabled", json_true());
    set_path(doc.get(), "details_submitted", json_true());
    set_path(doc.get(), "payouts_enabled", json_true());
    set_path(doc.get(), "external_accounts.url",
             text("/v1/accounts/" + config.id + "/external_accounts"));
    return doc;
}

std::string Generator::account_text() const {
    return pretty(account_json(world_.config()).get());
}

std::string Generator::first_event_text() const {
    const AccountConfig &config = world_.config();
    Json doc = fixture("event");
    std::string id = world_.ids().encode(Kind::event, 0);
    set_path(doc.get(), "id", json_string(id.c_str()));
    set_path(doc.get(), "api_version", json_string("2025-03-31.basil"));
    set_path(doc.get(), "created", json_integer(config.until));
    set_path(doc.get(), "data.object", account_json(config).release());
    set_path(doc.get(), "data.previous_attributes.charges_enabled", json_false());
    set_path(doc.get(), "livemode", json_boolean(config.livemode));
    set_path(doc.get(), "type", json_string("account.updated"));
    return pretty(doc.get());
}

} // namespace stripe_sim
