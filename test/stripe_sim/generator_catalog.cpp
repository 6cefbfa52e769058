// Products and prices.
#include "generator.hpp"

#include "names.hpp"

namespace stripe_sim {

namespace product_slot {
enum Slot : size_t {
    id,
    active,
    created,
    updated,
    default_price,
    description,
    images,
    livemode,
    metadata,
    name,
    dimensions,
    shippable,
    type,
    unit_label,
    url,
};
} // namespace product_slot

ProductShape::ProductShape()
    : template_{"product",
                {},
                {{"id", product_slot::id},
                 {"active", product_slot::active},
                 {"created", product_slot::created},
                 {"updated", product_slot::updated},
                 {"default_price", product_slot::default_price},
                 {"description", product_slot::description},
                 {"images", product_slot::images},
                 {"livemode", product_slot::livemode},
                 {"metadata", product_slot::metadata},
                 {"name", product_slot::name},
                 {"package_dimensions", product_slot::dimensions},
                 {"shippable", product_slot::shippable},
                 {"type", product_slot::type},
                 {"unit_label", product_slot::unit_label},
                 {"url", product_slot::url}},
                0} {}

void ProductShape::render(std::string &out, const World &world, uint64_t index) {
    using namespace product_slot;
    Rng r = world.rng(Kind::product, index, 3);
    Slots &s = slots_;
    put_id(s, id, world, Kind::product, index);
    s.boolean(active, !r.percent(15));
    int64_t when = world.created(Kind::product, index);
    s.number(created, when);
    s.number(updated, when + static_cast<int64_t>(r.below(3) * 86400));
    int64_t price = world.default_price(index);
    if (price >= 0 && r.percent(80))
        put_id(s, default_price, world, Kind::price, static_cast<uint64_t>(price));
    else
        s.null(default_price);
    s.raw(description,
          r.percent(50) ? "null" : "\"Billed \\u2014 per seat \\u00b7 \\\"fair use\\\"\"");
    bool good = r.percent(15);
    s.raw(images, good ? "[\n    \"https://files.example.com/t-shirt.png\"\n  ]" : "[]");
    s.boolean(livemode, world.config().livemode);
    append_metadata(s.open(metadata), world.rng(Kind::product, index, 9), index);
    s.plain(name, product_name(world.rng(Kind::product, index, 8)));
    s.raw(dimensions, good ? "{\n    \"height\": 2,\n    \"length\": 12,\n    \"weight\": 8,\n"
                             "    \"width\": 9\n  }"
                           : "null");
    s.raw(shippable, good ? "true" : "null");
    s.plain(type, good ? "good" : "service");
    s.raw(unit_label, r.percent(30) ? "\"seat\"" : "null");
    s.raw(url, good ? "\"https://shop.example.com/t-shirt\"" : "null");
    template_.render(out, s);
}

namespace price_slot {
enum Slot : size_t {
    id,
    active,
    scheme,
    created,
    currency,
    livemode,
    lookup_key,
    metadata,
    nickname,
    product,
    recurring,
    tax_behavior,
    tiers_mode,
    transform,
    type,
    unit_amount,
    unit_amount_decimal,
};
} // namespace price_slot

static Template price_template(unsigned depth) {
    using namespace price_slot;
    return {"price",
            {{"custom_unit_amount", "null"}},
            {{"id", id},
             {"active", active},
             {"billing_scheme", scheme},
             {"created", created},
             {"currency", currency},
             {"livemode", livemode},
             {"lookup_key", lookup_key},
             {"metadata", metadata},
             {"nickname", nickname},
             {"product", product},
             {"recurring", recurring},
             {"tax_behavior", tax_behavior},
             {"tiers_mode", tiers_mode},
             {"transform_quantity", transform},
             {"type", type},
             {"unit_amount", unit_amount},
             {"unit_amount_decimal", unit_amount_decimal}},
            depth};
}

PriceShape::PriceShape() : at_depth_{price_template(0), price_template(1), price_template(4)} {}

static void append_recurring(std::string &out, const PriceFacts &facts) {
    bool metered = facts.form == PriceFacts::Form::tiered;
    out += "{\n    \"interval\": \"";
    out += facts.interval;
    out += "\",\n    \"interval_count\": ";
    out += std::to_string(facts.interval_count);
    out += metered ? ",\n    \"meter\": null,\n    \"trial_period_days\": null,\n"
                     "    \"usage_type\": \"metered\"\n  }"
                   : ",\n    \"meter\": null,\n    \"trial_period_days\": null,\n"
                     "    \"usage_type\": \"licensed\"\n  }";
}

void PriceShape::render(std::string &out, const World &world, uint64_t index, unsigned depth) {
    using namespace price_slot;
    PriceFacts facts = world.price(index);
    Rng r = world.rng(Kind::price, index, 7);
    Slots &s = slots_;
    put_id(s, id, world, Kind::price, index);
    s.boolean(active, facts.active);
    s.number(created, world.created(Kind::price, index));
    s.plain(currency, facts.currency);
    s.boolean(livemode, world.config().livemode);
    std::string key = world.lookup_key(index);
    s.null(lookup_key);
    if (!key.empty())
        s.plain(lookup_key, key);
    append_metadata(s.open(metadata), world.rng(Kind::price, index, 9), index);
    s.raw(nickname, r.percent(20) ? "\"early bird \\u2013 \\\"beta\\\"\"" : "null");
    put_id(s, product, world, Kind::product, facts.product);
    s.null(recurring);
    if (facts.recurring)
        append_recurring(s.open(recurring), facts);
    s.plain(tax_behavior, r.percent(70) ? "unspecified" : "exclusive");
    s.raw(transform,
          r.percent(94) ? "null" : "{\n    \"divide_by\": 100,\n    \"round\": \"up\"\n  }");
    s.plain(type, facts.recurring ? "recurring" : "one_time");
    bool tiered = facts.form == PriceFacts::Form::tiered;
    s.plain(scheme, tiered ? "tiered" : "per_unit");
    s.raw(tiers_mode, tiered ? "\"graduated\"" : "null");
    s.null(unit_amount);
    s.null(unit_amount_decimal);
    if (facts.form == PriceFacts::Form::decimal) {
        s.plain(unit_amount_decimal, "0." + std::to_string(1 + r.below(9)) + "5");
    } else if (!tiered) {
        s.number(unit_amount, facts.amount);
        s.plain(unit_amount_decimal, std::to_string(facts.amount));
    }
    at_depth_[depth == 0 ? 0 : depth == 1 ? 1 : 2].render(out, s);
}

} // namespace stripe_sim
