// Charges.
#include "generator.hpp"

#include "names.hpp"

namespace stripe_sim {

namespace {
enum Slot : size_t {
    id,
    amount,
    amount_captured,
    amount_refunded,
    balance_transaction,
    billing_email,
    billing_name,
    captured,
    created,
    currency,
    customer,
    description,
    disputed,
    failure_code,
    failure_message,
    livemode,
    metadata,
    outcome,
    paid,
    payment_intent,
    payment_method,
    brand,
    last4,
    authorized,
    capturable,
    receipt_email,
    receipt_number,
    receipt_url,
    refunded,
    refunds_url,
    status,
};
} // namespace

ChargeShape::ChargeShape()
    : template_{"charge",
                {{"shipping", "null"},
                 {"transfer_data", "null"},
                 {"source", "null"},
                 {"payment_method_details.card.installments", "null"},
                 {"payment_method_details.card.three_d_secure", "null"},
                 {"payment_method_details.card.wallet", "null"}},
                {{"id", id},
                 {"amount", amount},
                 {"amount_captured", amount_captured},
                 {"amount_refunded", amount_refunded},
                 {"balance_transaction", balance_transaction},
                 {"billing_details.email", billing_email},
                 {"billing_details.name", billing_name},
                 {"captured", captured},
                 {"created", created},
                 {"currency", currency},
                 {"customer", customer},
                 {"description", description},
                 {"disputed", disputed},
                 {"failure_code", failure_code},
                 {"failure_message", failure_message},
                 {"livemode", livemode},
                 {"metadata", metadata},
                 {"outcome", outcome},
                 {"paid", paid},
                 {"payment_intent", payment_intent},
                 {"payment_method", payment_method},
                 {"payment_method_details.card.brand", brand},
                 {"payment_method_details.card.network", brand},
                 {"payment_method_details.card.last4", last4},
                 {"payment_method_details.card.amount_authorized", authorized},
                 {"payment_method_details.card.overcapture.maximum_amount_capturable", capturable},
                 {"receipt_email", receipt_email},
                 {"receipt_number", receipt_number},
                 {"receipt_url", receipt_url},
                 {"refunded", refunded},
                 {"refunds.url", refunds_url},
                 {"status", status}},
                0} {}

void ChargeShape::fill_outcome(const ChargeFacts &facts) {
    Slots &s = slots_;
    bool failed = facts.status == "failed";
    s.raw(failure_code, failed ? "\"card_declined\"" : "null");
    s.raw(failure_message, failed ? "\"Your card was declined.\"" : "null");
    s.raw(outcome,
          failed
              ? "{\n    \"advice_code\": \"try_again_later\",\n    \"network_advice_code\": null,\n"
                "    \"network_decline_code\": \"51\",\n"
                "    \"network_status\": \"declined_by_network\",\n"
                "    \"reason\": \"insufficient_funds\",\n"
                "    \"seller_message\": \"The bank returned the decline code "
                "`insufficient_funds`.\",\n    \"type\": \"issuer_declined\"\n  }"
              : "{\n    \"advice_code\": null,\n    \"network_advice_code\": null,\n"
                "    \"network_decline_code\": null,\n"
                "    \"network_status\": \"approved_by_network\",\n    \"reason\": null,\n"
                "    \"seller_message\": \"Payment complete.\",\n"
                "    \"type\": \"authorized\"\n  }");
    s.number(amount_captured, facts.captured ? facts.amount : 0);
    s.number(amount_refunded, facts.refunded);
    s.boolean(captured, facts.captured);
    s.boolean(disputed, facts.disputed);
    s.boolean(paid, facts.status == "succeeded");
    s.boolean(refunded, facts.amount > 0 && facts.refunded == facts.amount);
    s.number(authorized, failed ? 0 : facts.amount);
    s.number(capturable, facts.amount);
    s.plain(status, facts.status);
}

void ChargeShape::render(std::string &out, const World &world, uint64_t index) {
    ChargeFacts facts = world.charge(index);
    Rng r = world.rng(Kind::charge, index, 7);
    Slots &s = slots_;
    put_id(s, id, world, Kind::charge, index);
    s.number(amount, facts.amount);
    fill_outcome(facts);
    s.null(balance_transaction);
    if (facts.status == "succeeded" && facts.captured)
        put_foreign_id(s, balance_transaction, world, "txn_", index);
    s.null(customer);
    s.null(billing_email);
    s.null(billing_name);
    s.null(receipt_email);
    if (facts.has_customer) {
        put_id(s, customer, world, Kind::customer, facts.customer);
        std::string name = customer_name(world.rng(Kind::customer, facts.customer, 8));
        if (!name.empty())
            s.plain(billing_name, name);
        std::string email = world.email(facts.customer);
        if (!email.empty()) {
            s.plain(billing_email, email);
            if (r.percent(50))
                s.plain(receipt_email, email);
        }
    }
    s.number(created, facts.created);
    s.plain(currency, facts.currency);
    s.raw(description, facts.of_invoice ? "\"Subscription update\""
                       : r.percent(40)  ? "\"Order \\u2116 7 \\u2013 \\\"gift\\\"\""
                                        : "null");
    s.boolean(livemode, world.config().livemode);
    append_metadata(s.open(metadata), world.rng(Kind::charge, index, 9), index);
    put_foreign_id(s, payment_intent, world, "pi_", index);
    if (!facts.of_invoice && r.percent(10))
        s.null(payment_intent);
    put_foreign_id(s, payment_method, world, "pm_", facts.has_customer ? facts.customer : index);
    bool visa = r.percent(70);
    s.plain(brand, visa ? "visa" : "mastercard");
    s.plain(last4, visa ? "4242" : "4444");
    s.null(receipt_number);
    s.null(receipt_url);
    if (facts.status == "succeeded") {
        s.plain(receipt_number,
                std::to_string(1000 + r.below(9000)) + "-" + std::to_string(1000 + r.below(9000)));
        std::string &url = s.open(receipt_url);
        url += "\"https://pay.stripe.com/receipts/payment/";
        world.ids().append_foreign(url, "CAca", 24, index);
        url += '"';
    }
    std::string &refunds = s.open(refunds_url);
    refunds += "\"/v1/charges/";
    world.ids().append(refunds, Kind::charge, index);
    refunds += "/refunds\"";
    template_.render(out, s);
}

} // namespace stripe_sim
