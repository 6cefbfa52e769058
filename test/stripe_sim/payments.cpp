// See payments.hpp.
#include "payments.hpp"

#include "api_error.hpp"

#include <functional>

namespace stripe_sim {

namespace {

json_t *text(const std::string &value) {
    return json_stringn(value.data(), value.size());
}

Json whole(Store &store, Kind kind, const std::string &id) {
    std::optional<Key> key = store.find(kind, id);
    if (!key)
        throw no_such(info(kind).name, id, 404, "id");
    return Json{json_deep_copy(store.document(kind, *key).get())};
}

// The objects of one payment. Made silently; tell() records their events.
class Payment {
  public:
    Payment(const Writing &writing, std::string customer, std::string currency)
        : w_{writing}, at_{writing.store.clock().now()}, customer_{std::move(customer)},
          currency_{std::move(currency)} {}

    std::string invoice;
    std::string intent;
    std::string charge;
    std::string method;

    std::string make(Kind kind, const char *base, const std::function<void(json_t *)> &fill) {
        Json fields = parse_json(base);
        if (!customer_.empty())
            json_object_set_new(fields.get(), "customer", text(customer_));
        fill(fields.get());
        return apply(w_, Op::create, kind, "", std::move(fields), "", true).id;
    }

    void make_method() {
        method = make(Kind::payment_method, R"({"type": "card"})", [](json_t *) {});
    }

    // The payment of `amount`, and what it is of.
    void make_intent(int64_t amount, bool succeeds, const json_t *metadata, const char *about) {
        auto common = [&](json_t *fields) {
            json_object_set_new(fields, "amount", json_integer(amount));
            json_object_set_new(fields, "currency", text(currency_));
            json_object_set_new(fields, "payment_method", text(method));
            json_object_set_new(fields, "description", json_string(about));
            if (metadata != nullptr)
                json_object_set_new(fields, "metadata", json_deep_copy(metadata));
        };
        intent = make(Kind::payment_intent, intent_base, [&](json_t *fields) {
            common(fields);
            json_object_set_new(fields, "amount_received", json_integer(succeeds ? amount : 0));
            json_object_set_new(fields, "status",
                                json_string(succeeds ? "succeeded" : "requires_payment_method"));
        });
        charge = make(Kind::charge, succeeds ? paid_charge : failed_charge, [&](json_t *fields) {
            common(fields);
            json_object_set_new(fields, "amount_captured", json_integer(succeeds ? amount : 0));
            json_object_set_new(fields, "payment_intent", text(intent));
        });
        Json latest{json_object()};
        json_object_set_new(latest.get(), "latest_charge", text(charge));
        apply(w_, Op::update, Kind::payment_intent, intent, std::move(latest), "", true);
    }

    // One invoice for a subscription's items; paid by the intent if there is one.
    void make_invoice(const std::string &subscription, const char *reason, bool trial) {
        Json sub = whole(w_.store, Kind::subscription, subscription);
        const json_t *items = json_object_get(json_object_get(sub.get(), "items"), "data");
        Json lines{json_array()};
        total_ = 0;
        size_t i;
        json_t *item;
        json_array_foreach(const_cast<json_t *>(items), i, item)
            json_array_append_new(lines.get(), line(item, subscription, trial).release());
        invoice = make(Kind::invoice, open_invoice, [&](json_t *fields) {
            for (const char *name : {"amount_due", "amount_remaining", "subtotal", "total",
                                     "subtotal_excluding_tax", "total_excluding_tax"})
                json_object_set_new(fields, name, json_integer(total_));
            json_object_set_new(fields, "currency", text(currency_));
            json_object_set_new(fields, "billing_reason", json_string(reason));
            json_object_set_new(fields, "period_start", json_integer(at_));
            json_object_set_new(fields, "period_end", json_integer(at_));
            json_object_set_new(fields, "effective_at", json_integer(at_));
            set_path(fields, "status_transitions.finalized_at", json_integer(at_));
            set_path(fields, "parent.subscription_details.subscription", text(subscription));
            set_path(fields, "parent.subscription_details.metadata",
                     json_deep_copy(json_object_get(sub.get(), "metadata")));
            set_path(fields, "lines.data", lines.release());
        });
        Json more{json_object()};
        std::string number = "SIM-" + invoice.substr(invoice.size() - 8) + "-0001";
        json_object_set_new(more.get(), "number", text(number));
        std::string page = "https://invoice.stripe.com/i/" + invoice;
        json_object_set_new(more.get(), "hosted_invoice_url", text(page));
        json_object_set_new(more.get(), "invoice_pdf", text(page + "/pdf"));
        apply(w_, Op::update, Kind::invoice, invoice, std::move(more), "", true);
        Json latest{json_object()};
        json_object_set_new(latest.get(), "latest_invoice", text(invoice));
        apply(w_, Op::update, Kind::subscription, subscription, std::move(latest), "", true);
    }

    int64_t total() const { return total_; }

    // The invoice's part of a payment that succeeded.
    void pay_invoice() {
        Json now = whole(w_.store, Kind::invoice, invoice);
        int64_t due = get_int(now.get(), "amount_due", 0);
        Json fields = parse_json(R"({"status": "paid", "amount_remaining": 0, "attempted": true,
                                     "attempt_count": 1, "next_payment_attempt": null})");
        json_object_set_new(fields.get(), "amount_paid", json_integer(due));
        set_path(fields.get(), "status_transitions.paid_at", json_integer(at_));
        apply(w_, Op::update, Kind::invoice, invoice, std::move(fields), "", true);
        if (!intent.empty())
            make(Kind::invoice_payment, R"({"is_default": true, "status": "paid"})",
                 [&](json_t *of) {
                     json_object_del(of, "customer");
                     json_object_set_new(of, "invoice", text(invoice));
                     json_object_set_new(of, "amount_paid", json_integer(due));
                     json_object_set_new(of, "amount_requested", json_integer(due));
                     json_object_set_new(of, "currency", text(currency_));
                     Json payment = parse_json(R"({"type": "payment_intent"})");
                     json_object_set_new(payment.get(), "payment_intent", text(intent));
                     json_object_set_new(of, "payment", payment.release());
                 });
    }

    void tell(Kind kind, const std::string &id, const char *type, const char *then = nullptr) {
        if (id.empty())
            return;
        Json before = then != nullptr ? parse_json(then) : nullptr;
        tell_of(w_.store, kind, id, type, before.get(), w_.idempotency_key);
    }

    void tell_intent() {
        tell(Kind::payment_intent, intent, "payment_intent.succeeded");
        tell(Kind::payment_intent, intent, "payment_intent.created",
             R"({"status": "requires_payment_method", "amount_received": 0, "latest_charge": null,
                 "payment_method": null})");
    }

    void tell_new_invoice() {
        tell(Kind::invoice, invoice, "invoice.created",
             R"({"status": "draft", "amount_paid": 0, "number": null, "attempted": false,
                 "attempt_count": 0, "status_transitions": {"paid_at": null,
                 "finalized_at": null}})");
        tell(Kind::invoice, invoice, "invoice.finalized",
             R"({"status": "open", "amount_paid": 0, "attempted": false, "attempt_count": 0,
                 "status_transitions": {"paid_at": null}})");
    }

    void tell_paid_invoice() {
        tell(Kind::invoice, invoice, "invoice.paid");
        tell(Kind::invoice, invoice, "invoice.payment_succeeded");
    }

  private:
    Json line(const json_t *item, const std::string &subscription, bool trial) {
        const json_t *price = json_object_get(item, "price");
        int64_t quantity = get_int(item, "quantity", 1);
        int64_t amount = trial ? 0 : amount_of(price, quantity);
        total_ += amount;
        Json out = parse_json(R"({"parent": {"type": "subscription_item_details",
            "invoice_item_details": null, "subscription_item_details": {"invoice_item": null,
            "proration": false, "proration_details": null}}, "taxes": null})");
        json_object_set_new(out.get(), "amount", json_integer(amount));
        json_object_set_new(out.get(), "subtotal", json_integer(amount));
        json_object_set_new(out.get(), "currency", text(currency_));
        json_object_set_new(out.get(), "quantity", json_integer(quantity));
        json_object_set_new(out.get(), "description", json_string("Subscription"));
        std::string below = "parent.subscription_item_details.";
        set_path(out.get(), below + "subscription", text(subscription));
        set_path(out.get(), below + "subscription_item", text(get_string(item, "id")));
        set_path(out.get(), "pricing.price_details.price", text(get_string(price, "id")));
        set_path(out.get(), "pricing.price_details.product", text(get_string(price, "product")));
        for (auto [member, from] :
             {std::pair{"start", "current_period_start"}, {"end", "current_period_end"}})
            set_path(out.get(), std::string{"period."} + member,
                     json_integer(get_int(item, from, at_)));
        return out;
    }

    static constexpr const char *intent_base = R"({"invoice": null, "metadata": {}})";
    static constexpr const char *paid_charge =
        R"({"status": "succeeded", "paid": true, "captured": true, "amount_refunded": 0,
            "refunded": false, "disputed": false, "failure_code": null, "failure_message": null,
            "metadata": {}})";
    static constexpr const char *failed_charge =
        R"({"status": "failed", "paid": false, "captured": false, "amount_refunded": 0,
            "refunded": false, "disputed": false, "failure_code": "card_declined",
            "failure_message": "Your card was declined.", "metadata": {}})";
    static constexpr const char *open_invoice =
        R"({"status": "open", "amount_paid": 0, "amount_overpaid": 0, "auto_advance": false,
            "due_date": null, "next_payment_attempt": null, "last_finalization_error": null,
            "parent": {"type": "subscription_details", "quote_details": null},
            "webhooks_delivered_at": null, "subscription": null})";

    const Writing &w_;
    int64_t at_;
    std::string customer_;
    std::string currency_;
    int64_t total_ = 0;
};

// One open session on its way to completion.
class Completing {
  public:
    Completing(const Writing &writing, const std::string &id)
        : w_{writing}, id_{id}, session_{whole(writing.store, Kind::checkout_session, id)},
          data_{json_incref(writing.store.session_data[id].get())},
          at_{writing.store.clock().now()}, payment_{writing, customer(),
                                                     get_string(session_.get(), "currency")} {}

    void complete() {
        std::string mode = get_string(session_.get(), "mode");
        payment_.make_method();
        done_ = parse_json(R"({"status": "complete", "url": null})");
        if (mode == "subscription")
            subscribe();
        else if (mode == "payment")
            pay();
        else
            set_up();
        apply(w_, Op::update, Kind::checkout_session, id_, std::move(done_), "", true);
        payment_.tell(Kind::charge, payment_.charge, "charge.succeeded");
        payment_.tell(Kind::payment_method, payment_.method, "payment_method.attached");
        payment_.tell(Kind::checkout_session, id_, "checkout.session.completed");
        payment_.tell(Kind::subscription, subscription_, "customer.subscription.created");
        if (!payment_.intent.empty())
            payment_.tell_intent();
        payment_.tell(Kind::setup_intent, setup_intent_, "setup_intent.succeeded");
        payment_.tell(Kind::setup_intent, setup_intent_, "setup_intent.created",
                      R"({"status": "requires_payment_method", "payment_method": null})");
        if (!payment_.invoice.empty()) {
            payment_.tell_new_invoice();
            payment_.tell_paid_invoice();
        }
    }

  private:
    // Stripe makes a customer where the session names none.
    std::string customer() {
        std::string given = get_string(session_.get(), "customer");
        if (!given.empty())
            return given;
        Json fields = parse_json(R"({"name": null})");
        json_object_set_new(fields.get(), "email",
                            text(get_string(session_.get(), "customer_email", "a@example.com")));
        return apply(w_, Op::create, Kind::customer, "", std::move(fields)).id;
    }

    const json_t *data(const char *of, const char *member) const {
        return json_object_get(json_object_get(data_.get(), of), member);
    }

    const json_t *lines() const {
        return json_object_get(json_object_get(session_.get(), "line_items"), "data");
    }

    void subscribe() {
        const json_t *trial = data("subscription_data", "trial_period_days");
        int64_t days = json_is_integer(trial) ? json_integer_value(trial) : 0;
        int64_t trial_end = at_ + days * 86400;
        Json items{json_array()};
        size_t i;
        json_t *one;
        json_array_foreach(const_cast<json_t *>(lines()), i, one) {
            Json item = item_for(json_object_get(one, "price"), get_int(one, "quantity", 1), at_);
            if (days > 0)
                json_object_set_new(item.get(), "current_period_end", json_integer(trial_end));
            json_array_append_new(items.get(), item.release());
        }
        subscription_ = payment_.make(Kind::subscription, new_subscription, [&](json_t *fields) {
            json_object_set_new(fields, "status", json_string(days > 0 ? "trialing" : "active"));
            json_object_set_new(fields, "currency", text(get_string(session_.get(), "currency")));
            json_object_set_new(fields, "default_payment_method", text(payment_.method));
            if (const json_t *metadata = data("subscription_data", "metadata"))
                json_object_set_new(fields, "metadata", json_deep_copy(metadata));
            if (days > 0) {
                json_object_set_new(fields, "trial_start", json_integer(at_));
                json_object_set_new(fields, "trial_end", json_integer(trial_end));
                json_object_set_new(fields, "billing_cycle_anchor", json_integer(trial_end));
            }
            set_path(fields, "items.data", items.release());
        });
        payment_.make_invoice(subscription_, "subscription_create", days > 0);
        if (payment_.total() > 0)
            payment_.make_intent(payment_.total(), true, nullptr, "Subscription creation");
        payment_.pay_invoice();
        json_object_set_new(done_.get(), "subscription", text(subscription_));
        json_object_set_new(done_.get(), "invoice", text(payment_.invoice));
        finish(days > 0 ? "no_payment_required" : "paid");
    }

    void pay() {
        payment_.make_intent(get_int(session_.get(), "amount_total", 0), true,
                             data("payment_intent_data", "metadata"), "Payment");
        json_object_set_new(done_.get(), "payment_intent", text(payment_.intent));
        finish("paid");
    }

    void set_up() {
        setup_intent_ =
            payment_.make(Kind::setup_intent, R"({"status": "succeeded"})", [&](json_t *fields) {
                json_object_set_new(fields, "payment_method", text(payment_.method));
                if (const json_t *metadata = data("setup_intent_data", "metadata"))
                    json_object_set_new(fields, "metadata", json_deep_copy(metadata));
            });
        json_object_set_new(done_.get(), "setup_intent", text(setup_intent_));
        finish("no_payment_required");
    }

    void finish(const char *payment_status) {
        json_object_set_new(done_.get(), "payment_status", json_string(payment_status));
        json_object_set_new(done_.get(), "customer", text(payment_customer()));
    }

    std::string payment_customer() {
        Json method = whole(w_.store, Kind::payment_method, payment_.method);
        return get_string(method.get(), "customer");
    }

    static constexpr const char *new_subscription =
        R"({"cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
            "ended_at": null, "billing_schedules": null, "metadata": {}})";

    const Writing &w_;
    std::string id_;
    Json session_;
    Json data_;
    int64_t at_;
    Payment payment_;
    Json done_;
    std::string subscription_;
    std::string setup_intent_;
};

std::string subscription_of(const json_t *invoice) {
    const json_t *details =
        json_object_get(json_object_get(invoice, "parent"), "subscription_details");
    return get_string(details, "subscription", get_string(invoice, "subscription"));
}

void set_status(const Writing &writing, const std::string &subscription, const char *status) {
    if (!writing.store.find(Kind::subscription, subscription))
        return;
    Json now = whole(writing.store, Kind::subscription, subscription);
    std::string old = get_string(now.get(), "status");
    if (old == status || old == "canceled")
        return;
    Json fields{json_object()};
    json_object_set_new(fields.get(), "status", json_string(status));
    apply(writing, Op::update, Kind::subscription, subscription, std::move(fields));
}

} // namespace

void complete_session(const Writing &writing, const std::string &id) {
    Json session = whole(writing.store, Kind::checkout_session, id);
    if (get_string(session.get(), "status") != "open")
        throw ApiError{400, "the session is " + get_string(session.get(), "status")};
    Completing{writing, id}.complete();
}

void settle_invoice(const Writing &writing, const std::string &id, bool paid) {
    Json before = whole(writing.store, Kind::invoice, id);
    std::string status = get_string(before.get(), "status");
    if (status != "open" && status != "draft")
        throw ApiError{400, "the invoice is " + status};
    Payment payment{writing, get_string(before.get(), "customer"),
                    get_string(before.get(), "currency")};
    payment.invoice = id;
    payment.make_method();
    int64_t due = get_int(before.get(), "amount_due", 0);
    if (due > 0)
        payment.make_intent(due, paid, nullptr, "Subscription update");
    std::string subscription = subscription_of(before.get());
    if (paid) {
        payment.pay_invoice();
        payment.tell(Kind::charge, payment.charge, "charge.succeeded");
        if (!payment.intent.empty())
            payment.tell_intent();
        set_status(writing, subscription, "active");
        payment.tell_paid_invoice();
        return;
    }
    apply(writing, Op::update, Kind::invoice, id,
          parse_json(R"({"status": "open", "attempted": true, "attempt_count": 1})"), "", true);
    payment.tell(Kind::charge, payment.charge, "charge.failed");
    payment.tell(Kind::payment_intent, payment.intent, "payment_intent.payment_failed");
    payment.tell(Kind::invoice, id, "invoice.payment_failed");
    set_status(writing, subscription, "past_due");
}

std::string renew_subscription(const Writing &writing, const std::string &id) {
    require_live_subscription(writing.store, id);
    Json sub = whole(writing.store, Kind::subscription, id);
    json_t *items = json_object_get(json_object_get(sub.get(), "items"), "data");
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) {
        int64_t start = get_int(item, "current_period_end", writing.store.clock().now());
        Json next = item_for(json_object_get(item, "price"), 1, start);
        json_object_set(item, "current_period_start",
                        json_object_get(next.get(), "current_period_start"));
        json_object_set(item, "current_period_end",
                        json_object_get(next.get(), "current_period_end"));
    }
    Json fields{json_object()};
    set_path(fields.get(), "items.data", json_incref(items));
    json_object_set_new(fields.get(), "status", json_string("active"));
    apply(writing, Op::update, Kind::subscription, id, std::move(fields));
    Payment payment{writing, get_string(sub.get(), "customer"), get_string(sub.get(), "currency")};
    payment.make_invoice(id, "subscription_cycle", false);
    payment.tell_new_invoice();
    return payment.invoice;
}

} // namespace stripe_sim
