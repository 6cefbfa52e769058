// See world.hpp. Percentages are invented, but near what a small subscription business looks like.
#include "world.hpp"

#include "names.hpp"

#include <algorithm>
#include <cmath>

namespace stripe_sim {

static uint64_t text_hash(std::string_view text) {
    uint64_t hash = 0;
    for (char c : text)
        hash = mix64(hash ^ static_cast<unsigned char>(c));
    return hash;
}

World::World(AccountConfig config)
    : config_{std::move(config)}, ids_{mix64(config_.seed, text_hash(config_.id))} {}

// Some neighbours share a second: four of sixteen here and there, now and then all sixteen, and in
// larger accounts once 250, which is more than two pages of 100.
uint64_t World::tie_leader(Kind kind, uint64_t index) const {
    uint64_t count = size(kind);
    uint64_t big = count * 2 / 5;
    if (count >= 1000 && index >= big && index < big + 250)
        return big;
    uint64_t block = index / 16;
    uint64_t draw = rng(kind, block, 1).next() % 32;
    if (draw == 1)
        return block * 16;
    uint64_t within = index % 16;
    if (draw % 4 == 0 && within >= 3 && within <= 6)
        return block * 16 + 3;
    return index;
}

int64_t World::created(Kind kind, uint64_t index) const {
    uint64_t leader = tie_leader(kind, index);
    double jitter = static_cast<double>(rng(kind, leader, 2).next() >> 12) * 0x1p-52;
    double share = (static_cast<double>(leader) + jitter) / static_cast<double>(size(kind));
    auto span = static_cast<double>(config_.until - config_.from);
    // The catalogue comes first; the rest grows with time.
    if (kind == Kind::product || kind == Kind::price)
        return config_.from + static_cast<int64_t>(share * span / 8);
    if (kind == Kind::event)
        return config_.until;
    return config_.from + static_cast<int64_t>((share + std::sqrt(share)) / 2 * span);
}

uint64_t World::count_before(Kind kind, int64_t time) const {
    uint64_t low = 0;
    uint64_t high = size(kind);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (created(kind, middle) < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t World::earlier(Kind of, Kind kind, uint64_t index, Rng &rng) const {
    auto leader = static_cast<unsigned __int128>(tie_leader(kind, index));
    auto bound = static_cast<uint64_t>(leader * size(of) / size(kind));
    return rng.below(std::max<uint64_t>(bound, 1));
}

PriceFacts World::price(uint64_t index) const {
    Rng r = rng(Kind::price, index, 3);
    PriceFacts facts{};
    facts.product = static_cast<uint64_t>(static_cast<unsigned __int128>(index) *
                                          size(Kind::product) / size(Kind::price));
    facts.active = !r.percent(12);
    facts.recurring = index == 0 || r.percent(80);
    uint64_t form = r.below(100);
    facts.form = form < 4    ? PriceFacts::Form::decimal
                 : form < 10 ? PriceFacts::Form::tiered
                             : PriceFacts::Form::per_unit;
    uint64_t currency = r.below(100);
    facts.currency = currency < 84   ? std::string_view{config_.default_currency}
                     : currency < 93 ? "eur"
                     : currency < 98 ? "gbp"
                                     : "idr";
    uint64_t interval = r.below(100);
    static constexpr int64_t day = 86400;
    if (interval < 66)
        facts.interval = "month", facts.period = 2629746;
    else if (interval < 86)
        facts.interval = "year", facts.period = 31556952;
    else if (interval < 95)
        facts.interval = "week", facts.period = 7 * day;
    else
        facts.interval = "day", facts.period = day;
    facts.interval_count = r.percent(85) ? 1 : static_cast<int64_t>(2 + r.below(5));
    if (facts.interval == "year")
        facts.interval_count = 1;
    facts.period *= facts.interval_count;
    static constexpr int64_t amounts[] = {500,  900,  1200,  1900,  2000, 2900,
                                          4900, 9900, 19900, 49900, 99};
    facts.amount = amounts[r.below(std::size(amounts))];
    if (facts.currency == "idr")
        facts.amount = 2500000000 + static_cast<int64_t>(r.below(90)) * 100000000;
    return facts;
}

// Falls back to price 0, which always recurs.
uint64_t World::recurring_price(Rng &rng) const {
    for (int tries = 0; tries < 16; ++tries) {
        uint64_t candidate = rng.below(size(Kind::price));
        if (price(candidate).recurring)
            return candidate;
    }
    return 0;
}

uint64_t World::item_price(uint64_t subscription, unsigned item) const {
    Rng first_draw = rng(Kind::subscription, subscription, 4);
    uint64_t first = recurring_price(first_draw);
    if (item == 0)
        return first;
    Rng r = rng(Kind::subscription, subscription, 16 + item);
    std::string_view currency = price(first).currency;
    for (int tries = 0; tries < 8; ++tries) {
        uint64_t candidate = recurring_price(r);
        if (price(candidate).currency == currency)
            return candidate;
    }
    return first;
}

int64_t World::item_quantity(uint64_t subscription, unsigned item) const {
    Rng r = rng(Kind::subscription_item, subscription * max_items + item, 3);
    return r.percent(70) ? 1 : static_cast<int64_t>(2 + r.below(20));
}

SubscriptionFacts World::subscription(uint64_t index) const {
    Rng r = rng(Kind::subscription, index, 3);
    SubscriptionFacts facts{};
    facts.created = created(Kind::subscription, index);
    facts.customer = earlier(Kind::customer, Kind::subscription, index, r);
    static constexpr struct {
        std::string_view status;
        unsigned up_to;
    } shares[] = {{"active", 60}, {"canceled", 80},   {"trialing", 86},           {"past_due", 91},
                  {"unpaid", 93}, {"incomplete", 95}, {"incomplete_expired", 98}, {"paused", 100}};
    uint64_t share = r.below(100);
    for (const auto &one : shares)
        if (share < one.up_to) {
            facts.status = one.status;
            break;
        }
    uint64_t items = r.below(1000);
    // A few with more than a sub-list carries, and a few at its edge.
    if (items < 8)
        facts.items = static_cast<unsigned>(11 + r.below(15));
    else if (items < 12)
        facts.items = 10;
    else
        facts.items = items < 720 ? 1 : items < 900 ? 2 : 3;
    facts.old_shape = r.percent(20);
    facts.send_invoice = r.percent(15);
    int64_t period = price(item_price(index, 0)).period;
    int64_t elapsed = config_.until - facts.created;
    if (facts.status == "canceled" || facts.status == "incomplete_expired")
        elapsed = static_cast<int64_t>(r.below(static_cast<uint64_t>(elapsed) + 1));
    facts.period_start = facts.created + elapsed / period * period;
    facts.period_end = facts.period_start + period;
    return facts;
}

InvoiceFacts World::invoice(uint64_t index) const {
    Rng r = rng(Kind::invoice, index, 3);
    InvoiceFacts facts{};
    facts.created = created(Kind::invoice, index);
    facts.of_subscription = size(Kind::subscription) > 0 && r.percent(85);
    if (facts.of_subscription) {
        facts.subscription = earlier(Kind::subscription, Kind::invoice, index, r);
        SubscriptionFacts of = subscription(facts.subscription);
        facts.customer = of.customer;
        facts.currency = price(item_price(facts.subscription, 0)).currency;
    } else {
        facts.customer = earlier(Kind::customer, Kind::invoice, index, r);
        facts.currency = config_.default_currency;
    }
    uint64_t share = r.below(100);
    facts.status = share < 82   ? "paid"
                   : share < 89 ? "open"
                   : share < 93 ? "draft"
                   : share < 97 ? "void"
                                : "uncollectible";
    uint64_t lines = r.below(1000);
    if (lines < 3)
        facts.lines = 250;
    else if (lines < 11)
        facts.lines = 11;
    else if (lines < 18)
        facts.lines = 10;
    else
        facts.lines = lines < 600 ? 1 : lines < 800 ? 2 : lines < 920 ? 3 : 4;
    facts.old_shape = r.percent(20);
    facts.send_invoice = r.percent(15);
    return facts;
}

LineFacts World::line(uint64_t invoice, const InvoiceFacts &facts, unsigned line) const {
    Rng r = rng(Kind::invoice_line_item, invoice * max_lines + line, 3);
    LineFacts out{};
    if (facts.of_subscription)
        // Beyond a few lines the same items recur, as usage and proration lines do.
        out.price = item_price(facts.subscription, line % 3);
    else
        out.price = r.below(size(Kind::price));
    PriceFacts price = this->price(out.price);
    out.quantity = r.percent(80) ? 1 : static_cast<int64_t>(2 + r.below(9));
    int64_t unit = price.form == PriceFacts::Form::per_unit && price.currency == facts.currency
                       ? price.amount
                       : static_cast<int64_t>(100 + r.below(5000));
    out.amount = unit * out.quantity;
    if (line > 0 && r.percent(6))
        out.amount = -out.amount / 4; // a proration credit
    return out;
}

InvoiceAmounts World::amounts(uint64_t invoice, const InvoiceFacts &facts) const {
    InvoiceAmounts sum{};
    for (unsigned i = 0; i < facts.lines; ++i)
        sum.subtotal += line(invoice, facts, i).amount;
    if (rng(Kind::invoice, invoice, 5).percent(20) && sum.subtotal > 0)
        sum.tax = sum.subtotal * 8 / 100;
    sum.total = sum.subtotal + sum.tax;
    return sum;
}

int64_t World::charge_of_invoice(uint64_t invoice, const InvoiceFacts &facts) const {
    auto charges = static_cast<unsigned __int128>(size(Kind::charge));
    auto invoices = static_cast<unsigned __int128>(size(Kind::invoice));
    if (charges == 0 || (facts.status != "paid" && facts.status != "open"))
        return no_charge;
    auto index = (invoice * charges + invoices - 1) / invoices;
    if (index >= charges || index * invoices / charges != invoice)
        return no_charge;
    return static_cast<int64_t>(index);
}

ChargeFacts World::charge(uint64_t index) const {
    Rng r = rng(Kind::charge, index, 3);
    ChargeFacts facts{};
    facts.created = created(Kind::charge, index);
    facts.captured = true;
    uint64_t share = r.below(100);
    facts.status = share < 88 ? "succeeded" : share < 97 ? "failed" : "pending";
    if (size(Kind::invoice) > 0) {
        facts.invoice = static_cast<uint64_t>(static_cast<unsigned __int128>(index) *
                                              size(Kind::invoice) / size(Kind::charge));
        InvoiceFacts of = invoice(facts.invoice);
        if (charge_of_invoice(facts.invoice, of) == static_cast<int64_t>(index)) {
            InvoiceAmounts sum = amounts(facts.invoice, of);
            facts.of_invoice = sum.total > 0;
            if (facts.of_invoice) {
                facts.has_customer = true;
                facts.customer = of.customer;
                facts.currency = of.currency;
                facts.amount = sum.total;
                facts.status = of.status == "paid" ? "succeeded" : "failed";
            }
        }
    }
    if (!facts.of_invoice) {
        facts.has_customer = size(Kind::customer) > 0 && r.percent(85);
        if (facts.has_customer)
            facts.customer = earlier(Kind::customer, Kind::charge, index, r);
        facts.currency = r.percent(92) ? std::string_view{config_.default_currency} : "eur";
        facts.amount = static_cast<int64_t>(50 + r.below(30000));
    }
    if (facts.status == "succeeded") {
        if (!facts.of_invoice)
            facts.captured = !r.percent(4);
        if (facts.captured && r.percent(6))
            facts.refunded = r.percent(60) ? facts.amount : facts.amount / 3 + 1;
        facts.disputed = facts.captured && facts.refunded == 0 && r.percent(2);
    } else {
        facts.captured = false;
    }
    return facts;
}

int64_t World::default_price(uint64_t product) const {
    auto products = static_cast<unsigned __int128>(size(Kind::product));
    auto prices = static_cast<unsigned __int128>(size(Kind::price));
    auto index = (product * prices + products - 1) / products;
    if (index >= prices || index * products / prices != product)
        return -1;
    return static_cast<int64_t>(index);
}

std::string World::lookup_key(uint64_t price) const {
    if (!rng(Kind::price, price, 6).percent(30))
        return {};
    return "key_" + std::to_string(price);
}

std::string World::email(uint64_t customer) const {
    return customer_email(rng(Kind::customer, customer, 6), customer);
}

} // namespace stripe_sim
