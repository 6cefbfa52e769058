// Invoices, before and after API version 2025-03-31.basil.
#include "generator.hpp"

#include "names.hpp"

#include <algorithm>

namespace stripe_sim {

namespace {
enum Slot : size_t {
    id,
    account_country,
    account_name,
    amount_due,
    amount_paid,
    amount_remaining,
    attempt_count,
    attempted,
    auto_advance,
    billing_reason,
    collection_method,
    created,
    currency,
    customer,
    customer_email_slot,
    customer_name_slot,
    due_date,
    effective_at,
    ending_balance,
    hosted_url,
    pdf_url,
    lines,
    has_more,
    lines_url,
    livemode,
    metadata,
    next_attempt,
    number,
    parent,
    period_start,
    period_end,
    status,
    finalized_at,
    uncollectible_at,
    paid_at,
    voided_at,
    subtotal,
    subtotal_excluding_tax,
    total,
    total_excluding_tax,
    total_taxes,
    webhooks_at,
    subscription,
    old_charge,
    old_intent,
    old_paid,
    old_tax,
};
} // namespace

static std::vector<Hole> invoice_holes() {
    return {{"id", id},
            {"account_country", account_country},
            {"account_name", account_name},
            {"amount_due", amount_due},
            {"amount_paid", amount_paid},
            {"amount_remaining", amount_remaining},
            {"attempt_count", attempt_count},
            {"attempted", attempted},
            {"auto_advance", auto_advance},
            {"billing_reason", billing_reason},
            {"collection_method", collection_method},
            {"created", created},
            {"currency", currency},
            {"customer", customer},
            {"customer_email", customer_email_slot},
            {"customer_name", customer_name_slot},
            {"due_date", due_date},
            {"effective_at", effective_at},
            {"ending_balance", ending_balance},
            {"hosted_invoice_url", hosted_url},
            {"invoice_pdf", pdf_url},
            {"lines.data", lines},
            {"lines.has_more", has_more},
            {"lines.url", lines_url},
            {"livemode", livemode},
            {"metadata", metadata},
            {"next_payment_attempt", next_attempt},
            {"number", number},
            {"period_start", period_start},
            {"period_end", period_end},
            {"status", status},
            {"status_transitions.finalized_at", finalized_at},
            {"status_transitions.marked_uncollectible_at", uncollectible_at},
            {"status_transitions.paid_at", paid_at},
            {"status_transitions.voided_at", voided_at},
            {"subtotal", subtotal},
            {"subtotal_excluding_tax", subtotal_excluding_tax},
            {"total", total},
            {"total_excluding_tax", total_excluding_tax},
            {"webhooks_delivered_at", webhooks_at}};
}

static Template invoice_template(bool old_shape) {
    std::vector<Fixed> fixed{{"from_invoice", "null"},
                             {"customer_address", "null"},
                             {"customer_shipping", "null"},
                             {"last_finalization_error", "null"},
                             {"payment_settings.payment_method_options", "null"},
                             {"rendering", "null"},
                             {"shipping_cost", "null"},
                             {"shipping_details", "null"},
                             {"amount_overpaid", "0"}};
    std::vector<Hole> holes = invoice_holes();
    if (old_shape) {
        fixed.insert(fixed.end(), {{"parent", nullptr},
                                   {"amount_overpaid", nullptr},
                                   {"total_taxes", nullptr},
                                   {"discount", "null"},
                                   {"paid_out_of_band", "false"},
                                   {"total_tax_amounts", "[]"}});
        holes.insert(holes.end(), {{"subscription", subscription},
                                   {"charge", old_charge},
                                   {"payment_intent", old_intent},
                                   {"paid", old_paid},
                                   {"tax", old_tax}});
    } else {
        // Stripe's example still carries a null subscription here; it stays.
        holes.insert(holes.end(), {{"parent", parent}, {"total_taxes", total_taxes}});
    }
    return {"invoice", fixed, holes, 0};
}

InvoiceShape::InvoiceShape(PriceShape &prices)
    : new_shape_{invoice_template(false)}, old_shape_{invoice_template(true)},
      line_new_{line_template(false, 0), line_template(false, 3)},
      line_old_{line_template(true, 0), line_template(true, 3)}, prices_{prices} {}

static constexpr std::string_view null_or(bool present, std::string_view token) {
    return present ? token : "null";
}

void InvoiceShape::fill_amounts(const World &world, uint64_t index, const InvoiceFacts &facts) {
    Slots &s = slots_;
    InvoiceAmounts sum = world.amounts(index, facts);
    bool is_paid = facts.status == "paid";
    int64_t due = std::max<int64_t>(sum.total, 0);
    s.number(amount_due, due);
    s.number(amount_paid, is_paid ? due : 0);
    s.number(amount_remaining, is_paid ? 0 : due);
    s.number(subtotal, sum.subtotal);
    s.number(subtotal_excluding_tax, sum.subtotal);
    s.number(total, sum.total);
    s.number(total_excluding_tax, sum.subtotal);
    s.null(total_taxes);
    s.null(old_tax);
    if (sum.tax > 0) {
        s.number(old_tax, sum.tax);
        std::string &taxes = s.open(total_taxes);
        taxes += "[\n    {\n      \"amount\": ";
        taxes += std::to_string(sum.tax);
        taxes += ",\n      \"tax_behavior\": \"exclusive\",\n      \"tax_rate_details\": null,\n"
                 "      \"taxability_reason\": \"standard_rated\",\n      \"taxable_amount\": ";
        taxes += std::to_string(sum.subtotal);
        taxes += ",\n      \"type\": \"tax_rate_details\"\n    }\n  ]";
    }
}

void InvoiceShape::fill_customer(const World &world, const InvoiceFacts &facts) {
    Slots &s = slots_;
    put_id(s, customer, world, Kind::customer, facts.customer);
    std::string email = world.email(facts.customer);
    s.null(customer_email_slot);
    if (!email.empty())
        s.plain(customer_email_slot, email);
    std::string name = customer_name(world.rng(Kind::customer, facts.customer, 8));
    s.null(customer_name_slot);
    if (!name.empty())
        s.plain(customer_name_slot, name);
}

void InvoiceShape::fill_old_shape(const World &world, uint64_t index, const InvoiceFacts &facts) {
    Slots &s = slots_;
    s.null(subscription);
    s.null(parent);
    if (facts.of_subscription) {
        put_id(s, subscription, world, Kind::subscription, facts.subscription);
        std::string &out = s.open(parent);
        out += "{\n    \"quote_details\": null,\n    \"subscription_details\": {\n"
               "      \"metadata\": {},\n      \"subscription\": ";
        out += s[subscription];
        out += "\n    },\n    \"type\": \"subscription_details\"\n  }";
    }
    int64_t charge = world.charge_of_invoice(index, facts);
    s.null(old_charge);
    s.null(old_intent);
    if (charge != no_charge && world.charge(static_cast<uint64_t>(charge)).of_invoice) {
        put_id(s, old_charge, world, Kind::charge, static_cast<uint64_t>(charge));
        put_foreign_id(s, old_intent, world, "pi_", static_cast<uint64_t>(charge));
    }
    s.boolean(old_paid, facts.status == "paid");
}

void InvoiceShape::fill_lines(const World &world, uint64_t index, const InvoiceFacts &facts) {
    Slots &s = slots_;
    unsigned embedded = std::min(facts.lines, embedded_children);
    std::string &data = s.open(lines);
    data += "[\n      ";
    for (unsigned i = 0; i < embedded; ++i) {
        if (i > 0)
            data += ",\n      ";
        render_line(data, world, index, facts, i, 3);
    }
    data += "\n    ]";
    s.boolean(has_more, facts.lines > embedded);
    std::string &url = s.open(lines_url);
    url += "\"/v1/invoices/";
    world.ids().append(url, Kind::invoice, index);
    url += "/lines\"";
}

static void fill_times(Slots &s, const InvoiceFacts &facts, Rng &r) {
    bool draft = facts.status == "draft";
    int64_t finalized = facts.created + 3600;
    for (size_t slot : {finalized_at, uncollectible_at, paid_at, voided_at, due_date, next_attempt,
                        effective_at, ending_balance, webhooks_at})
        s.null(slot);
    s.number(period_start, facts.created - 2629746);
    s.number(period_end, facts.created);
    s.boolean(attempted, facts.status == "paid" || facts.status == "uncollectible");
    s.number(attempt_count, facts.status == "paid" ? 1 : facts.status == "open" ? 2 : 0);
    s.boolean(auto_advance, draft || facts.status == "open");
    if (facts.send_invoice)
        s.number(due_date, facts.created + 2592000);
    if (facts.status == "open" && !facts.send_invoice)
        s.number(next_attempt, facts.created + 259200);
    if (draft)
        return;
    s.number(webhooks_at, facts.created + 2);
    s.number(finalized_at, finalized);
    s.number(effective_at, finalized);
    s.number(ending_balance, 0);
    // Most pay at once; invoices that are sent take days, some into the next month.
    int64_t delay = facts.send_invoice ? static_cast<int64_t>(r.below(30 * 86400)) : 60;
    if (facts.status == "paid")
        s.number(paid_at, finalized + delay);
    else if (facts.status == "void")
        s.number(voided_at, finalized + delay);
    else if (facts.status == "uncollectible")
        s.number(uncollectible_at, finalized + delay);
}

void InvoiceShape::render(std::string &out, const World &world, uint64_t index) {
    InvoiceFacts facts = world.invoice(index);
    Rng r = world.rng(Kind::invoice, index, 7);
    Slots &s = slots_;
    bool draft = facts.status == "draft";
    put_id(s, id, world, Kind::invoice, index);
    s.plain(account_country, world.config().country);
    append_quoted(s.open(account_name), world.config().name);
    fill_amounts(world, index, facts);
    fill_customer(world, facts);
    fill_old_shape(world, index, facts);
    fill_times(s, facts, r);
    fill_lines(world, index, facts);
    s.plain(billing_reason, !facts.of_subscription ? "manual"
                            : r.percent(20)        ? "subscription_create"
                                                   : "subscription_cycle");
    s.plain(collection_method, facts.send_invoice ? "send_invoice" : "charge_automatically");
    s.number(created, facts.created);
    s.plain(currency, facts.currency);
    s.boolean(livemode, world.config().livemode);
    append_metadata(s.open(metadata), world.rng(Kind::invoice, index, 9), index);
    s.plain(status, facts.status);
    s.null(number);
    if (!draft)
        s.plain(number, "INV-" + std::to_string(1000 + index));
    std::string page =
        "https://invoice.stripe.com/i/" + world.config().id + "/" + std::to_string(index);
    s.raw(hosted_url, null_or(!draft, "\"" + page + "\""));
    s.raw(pdf_url, null_or(!draft, "\"" + page + "/pdf\""));
    (facts.old_shape ? old_shape_ : new_shape_).render(out, s);
}

} // namespace stripe_sim
