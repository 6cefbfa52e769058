// Lines of invoices, before and after API version 2025-03-31.basil.
#include "generator.hpp"

#include "names.hpp"

#include <algorithm>

namespace stripe_sim {

namespace {
enum LineSlot : size_t {
    line_id,
    line_amount,
    line_currency,
    line_description,
    line_invoice,
    line_livemode,
    line_metadata,
    line_period_start,
    line_period_end,
    line_parent,
    line_pricing,
    line_price,
    line_quantity,
    line_quantity_decimal,
    line_subscription,
    line_subtotal,
    line_type,
    line_proration,
    line_item,
};
} // namespace

Template InvoiceShape::line_template(bool old_shape, unsigned depth) {
    std::vector<Fixed> fixed;
    std::vector<Hole> holes{{"id", line_id},
                            {"amount", line_amount},
                            {"currency", line_currency},
                            {"description", line_description},
                            {"invoice", line_invoice},
                            {"livemode", line_livemode},
                            {"metadata", line_metadata},
                            {"period.start", line_period_start},
                            {"period.end", line_period_end},
                            {"quantity", line_quantity},
                            {"quantity_decimal", line_quantity_decimal},
                            {"subscription", line_subscription},
                            {"subtotal", line_subtotal}};
    if (old_shape) {
        fixed.insert(fixed.end(), {{"parent", nullptr}, {"pricing", nullptr}, {"taxes", nullptr}});
        holes.insert(holes.end(), {{"price", line_price},
                                   {"type", line_type},
                                   {"proration", line_proration},
                                   {"subscription_item", line_item}});
    } else {
        holes.insert(holes.end(), {{"parent", line_parent}, {"pricing", line_pricing}});
    }
    return {"line_item", fixed, holes, depth};
}

// What the line bills, in the newer shape: an item of a subscription or a single item.
static void append_line_parent(std::string &out, const World &world, uint64_t line,
                               const InvoiceFacts &facts, std::string_view item_id, bool credit) {
    std::string_view proration = credit ? "true" : "false";
    out += "{\n    \"invoice_item_details\": ";
    if (facts.of_subscription) {
        out += "null,\n    \"subscription_item_details\": {\n      \"invoice_item\": null,\n"
               "      \"proration\": ";
        out += proration;
        out += ",\n      \"proration_details\": {\n        \"credited_items\": null\n      },\n"
               "      \"subscription\": \"";
        world.ids().append(out, Kind::subscription, facts.subscription);
        out += "\",\n      \"subscription_item\": ";
        out += item_id;
        out += "\n    },\n    \"type\": \"subscription_item_details\"\n  }";
        return;
    }
    out += "{\n      \"invoice_item\": \"";
    world.ids().append_foreign(out, "ii_", 24, line);
    out += "\",\n      \"proration\": ";
    out += proration;
    out += ",\n      \"proration_details\": {\n        \"credited_items\": null\n      },\n"
           "      \"subscription\": null\n    },\n    \"subscription_item_details\": null,\n"
           "    \"type\": \"invoice_item_details\"\n  }";
}

void InvoiceShape::render_line(std::string &out, const World &world, uint64_t index,
                               const InvoiceFacts &facts, unsigned line, unsigned depth) {
    Slots &s = line_slots_;
    uint64_t id_number = index * max_lines + line;
    LineFacts of = world.line(index, facts, line);
    bool credit = of.amount < 0;
    put_id(s, line_id, world, Kind::invoice_line_item, id_number);
    s.number(line_amount, of.amount);
    s.number(line_subtotal, of.amount);
    s.plain(line_currency, facts.currency);
    s.raw(line_description, credit          ? "\"Unused time on \\\"Team plan\\\" after change\""
                            : line % 2 == 0 ? "\"1 \\u00d7 Team plan\""
                                            : "\"Extra seats — prorated\"");
    put_id(s, line_invoice, world, Kind::invoice, index);
    s.boolean(line_livemode, world.config().livemode);
    append_metadata(s.open(line_metadata), world.rng(Kind::invoice_line_item, id_number, 9),
                    id_number);
    s.number(line_period_start, facts.created);
    s.number(line_period_end, facts.created + 2629746);
    s.number(line_quantity, of.quantity);
    s.plain(line_quantity_decimal, std::to_string(of.quantity));
    s.null(line_subscription);
    s.null(line_item);
    if (facts.of_subscription) {
        put_id(s, line_subscription, world, Kind::subscription, facts.subscription);
        unsigned items = world.subscription(facts.subscription).items;
        put_id(s, line_item, world, Kind::subscription_item,
               facts.subscription * max_items + line % std::min(items, 3U));
    }
    if (facts.old_shape) {
        prices_.render(s.open(line_price), world, of.price, depth == 0 ? 1 : 4);
        s.plain(line_type, facts.of_subscription ? "subscription" : "invoiceitem");
        s.boolean(line_proration, credit);
    } else {
        append_line_parent(s.open(line_parent), world, id_number, facts, s[line_item], credit);
        PriceFacts price = world.price(of.price);
        std::string &out_pricing = s.open(line_pricing);
        out_pricing += "{\n    \"price_details\": {\n      \"price\": \"";
        world.ids().append(out_pricing, Kind::price, of.price);
        out_pricing += "\",\n      \"product\": \"";
        world.ids().append(out_pricing, Kind::product, price.product);
        out_pricing +=
            "\"\n    },\n    \"type\": \"price_details\",\n    \"unit_amount_decimal\": \"";
        out_pricing += std::to_string(of.amount / of.quantity);
        out_pricing += "\"\n  }";
    }
    (facts.old_shape ? line_old_ : line_new_)[depth == 0 ? 0 : 1].render(out, s);
}

} // namespace stripe_sim
