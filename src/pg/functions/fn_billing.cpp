// billstack.list_subscriptions, get_subscription, update_subscription, cancel_subscription,
// list_invoices, list_payments and create_refund.
#include "pg/billing/billing_store.hpp"
#include "pg/billing/stripe_customer.hpp"
#include "pg/calls/stripe_write.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/projects/projection.hpp"
#include "pg/team/connection_answer.hpp"

namespace billstack::pg {

namespace {

constexpr std::string_view reading = "subscriptions:read";
constexpr std::string_view writing = "subscriptions:write";

std::optional<std::string> customer_filter(const Args &args, int position, const Project &project) {
    std::optional<std::string> id = args.optional_text(position);
    if (id) {
        (void)require_customer(project, *id, false);
    }
    return id;
}

BilledSubscription require_subscription(const Project &project, const std::string &id, bool live) {
    std::optional<BilledSubscription> found = find_subscription(project.id, id, !live);
    if (!found) {
        throw unknown_in_project("subscription", id);
    }
    if (live && found->stale) {
        throw stale_in_project(project, "subscription", id);
    }
    return std::move(*found);
}

// The one item of a subscription, as the mirror has it, or else Stripe.
SubscriptionItem require_only_item(const Integration &integration,
                                   const BilledSubscription &subscription) {
    Oid owner = require_mirror_owner(integration.owner_name, integration.schema_name,
                                     integration.schema_oid);
    SpiSession spi;
    MirrorReader mirror;
    mirror.schema = integration.schema_name;
    mirror.owner = owner;
    std::vector<SubscriptionItem> items = mirror.items_of(subscription.stripe_id);
    if (items.empty()) {
        (void)read_from_stripe(integration,
                               stripe_path("/v1/subscriptions/", subscription.stripe_id), {},
                               stripe::find_kind("subscription"));
        items = mirror.items_of(subscription.stripe_id);
    }
    if (items.size() != 1) {
        throw core::Error(core::Code::bad_argument,
                          "subscription \"" + subscription.id + "\" has " +
                              std::to_string(items.size()) + " items",
                          "Price and quantity can be changed of a subscription that has one item.",
                          "Change its items at Stripe; the new state comes here by itself.");
    }
    return std::move(items.front());
}

struct SubscriptionChange {
    std::optional<bool> cancel_at_period_end;
    std::optional<ProjectPrice> price;
    std::optional<std::int64_t> quantity;
    std::string proration;
};

void check_change(const SubscriptionChange &change) {
    if (!change.cancel_at_period_end && !change.price && !change.quantity) {
        throw core::Error(core::Code::bad_argument, "nothing is to be changed",
                          "All of cancel_at_period_end, price_id and quantity are NULL.",
                          "Give at least one of them.");
    }
    if (change.quantity && *change.quantity < 1) {
        throw core::Error(core::Code::bad_argument, "argument \"quantity\" must be 1 or more");
    }
    static constexpr std::string_view prorations[] = {"create_prorations", "none",
                                                      "always_invoice"};
    if (std::find(std::begin(prorations), std::end(prorations), change.proration) ==
        std::end(prorations)) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"proration\" must be create_prorations, none or "
                          "always_invoice");
    }
    if (change.price && !change.price->recurring_interval) {
        throw core::Error(core::Code::bad_argument,
                          "price \"" + change.price->id + "\" is a one-time price",
                          "A subscription takes recurring prices.");
    }
    if (change.price && !change.price->is_active) {
        throw core::Error(core::Code::bad_argument,
                          "price \"" + change.price->id + "\" is not active");
    }
}

StripeWrite change_of(const Project &project, const Integration &integration,
                      const BilledSubscription &subscription, const SubscriptionChange &change) {
    StripeWrite write;
    write.operation = "update_subscription";
    write.project_id = project.id;
    write.path = stripe_path("/v1/subscriptions/", subscription.stripe_id);
    write.kind = stripe::find_kind("subscription");
    write.creates = false;
    if (change.cancel_at_period_end) {
        write.params.emplace_back("cancel_at_period_end",
                                  *change.cancel_at_period_end ? "true" : "false");
    }
    if (change.price || change.quantity) {
        write.params.emplace_back("items[0][id]", require_only_item(integration, subscription).id);
        if (change.price) {
            write.params.emplace_back("items[0][price]", change.price->stripe_price_id);
        }
        if (change.quantity) {
            write.params.emplace_back("items[0][quantity]", std::to_string(*change.quantity));
        }
        write.params.emplace_back("proration_behavior", change.proration);
    }
    return write;
}

void check_refund(const BilledPayment &payment, const std::optional<std::int64_t> &amount,
                  const std::optional<std::string> &reason) {
    if (reason && *reason != "duplicate" && *reason != "fraudulent" &&
        *reason != "requested_by_customer") {
        throw core::Error(core::Code::bad_argument,
                          "argument \"reason\" must be duplicate, fraudulent or "
                          "requested_by_customer");
    }
    if (amount && *amount < 1) {
        throw core::Error(core::Code::bad_argument, "argument \"amount\" must be 1 or more",
                          "Amounts are in minor units; NULL is all that is left.");
    }
    if (payment.status != "succeeded") {
        throw core::Error(
            core::Code::not_ready, "payment \"" + payment.id + "\" cannot be refunded",
            "Its status is " + payment.status + "; only what has succeeded can be given back.");
    }
    if (amount && *amount > payment.amount) {
        throw core::Error(core::Code::bad_argument, "argument \"amount\" is more than was paid",
                          "Payment \"" + payment.id + "\" is of " + std::to_string(payment.amount) +
                              " " + payment.currency + ", " + std::to_string(payment.refunded) +
                              " of it refunded.");
    }
}

json::Node refund_node(const std::string &body, const BilledPayment &payment) {
    json::Node refund = json::Node::parse(body);
    std::optional<std::int64_t> created = refund.integer_at("created");
    json::Node node = json::Node::object();
    node.set("id", refund.text_at("id"))
        .set("paymentId", payment.id)
        .set("amount", refund.integer_at("amount"))
        .set("currency", refund.text_at("currency"))
        .set("status", refund.text_at("status"))
        .set("reason", refund.text_at("reason"))
        .set("createdAt",
             json_time(created ? std::optional(timestamp_from_unix(*created)) : std::nullopt));
    return node;
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_list_subscriptions) {
    std::string project_id = args.text(0, "project");
    bool active_only = args.boolean(2, "active_only");
    Paging paging = paging_arguments(args, 3, 4);
    Project project = require_project(project_id, Billing::read, reading);
    return jsonb_datum(
        subscription_list(project.id, customer_filter(args, 1, project), active_only, paging));
}

BILLSTACK_SQL_FUNCTION(billstack_get_subscription) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "subscription_id");
    Project project = require_project(project_id, Billing::read, reading);
    return jsonb_datum(subscription_answer(require_subscription(project, id, false).id, true));
}

BILLSTACK_SQL_FUNCTION(billstack_update_subscription) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "subscription_id");
    SubscriptionChange change;
    change.cancel_at_period_end = optional_boolean(args, 2);
    std::optional<std::string> price_id = args.optional_text(3);
    if (!args.is_null(4)) {
        change.quantity = args.integer(4, "quantity");
    }
    change.proration = args.text(5, "proration");
    require_writable("update_subscription");
    Project project = require_project(project_id, Billing::write, writing);
    BilledSubscription subscription = require_subscription(project, id, true);
    if (price_id) {
        change.price = require_price(project, *price_id);
    }
    check_change(change);
    Integration integration = require_linked(project);
    (void)write_to_stripe(integration, change_of(project, integration, subscription, change));
    return jsonb_datum(subscription_answer(id, false));
}

BILLSTACK_SQL_FUNCTION(billstack_cancel_subscription) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "subscription_id");
    require_writable("cancel_subscription");
    Project project = require_project(project_id, Billing::write, writing);
    BilledSubscription subscription = require_subscription(project, id, true);
    StripeWrite write;
    write.operation = "cancel_subscription";
    write.project_id = project.id;
    write.method = "DELETE";
    write.path = stripe_path("/v1/subscriptions/", subscription.stripe_id);
    write.kind = stripe::find_kind("subscription");
    write.creates = false;
    (void)write_to_stripe(require_linked(project), write);
    return jsonb_datum(subscription_answer(id, false));
}

BILLSTACK_SQL_FUNCTION(billstack_list_invoices) {
    std::string project_id = args.text(0, "project");
    Paging paging = paging_arguments(args, 2, 3);
    Project project = require_project(project_id, Billing::read, reading);
    return jsonb_datum(invoice_list(project.id, customer_filter(args, 1, project), paging));
}

BILLSTACK_SQL_FUNCTION(billstack_list_payments) {
    std::string project_id = args.text(0, "project");
    Paging paging = paging_arguments(args, 2, 3);
    Project project = require_project(project_id, Billing::read, reading);
    return jsonb_datum(payment_list(project.id, customer_filter(args, 1, project), paging));
}

// More than is left of a payment is refused by Stripe, not here: it is Stripe that knows whether a
// repeated call is the same refund.
BILLSTACK_SQL_FUNCTION(billstack_create_refund) {
    std::string project_id = args.text(0, "project");
    std::string id = args.text(1, "payment_id");
    std::optional<std::int64_t> amount = optional_bigint(args, 2);
    std::optional<std::string> reason = args.optional_text(3);
    require_writable("create_refund");
    Project project = require_project(project_id, Billing::write, writing);
    std::optional<BilledPayment> payment = find_payment(project.id, id);
    if (!payment) {
        throw unknown_in_project("payment", id);
    }
    if (payment->stale) {
        throw stale_in_project(project, "payment", id);
    }
    check_refund(*payment, amount, reason);
    StripeWrite write;
    write.operation = "create_refund";
    write.project_id = project.id;
    write.path = "/v1/refunds";
    write.caller_key = args.optional_text(4);
    write.kind = stripe::find_kind("refund");
    if (payment->stripe_intent_id) {
        write.params.emplace_back("payment_intent", *payment->stripe_intent_id);
    } else {
        write.params.emplace_back("charge", payment->stripe_charge_id.value_or(""));
    }
    if (amount) {
        write.params.emplace_back("amount", std::to_string(*amount));
    }
    if (reason) {
        write.params.emplace_back("reason", *reason);
    }
    write.params.emplace_back("metadata[project_id]", project.id);
    StripeObject refund = write_to_stripe(require_linked(project), write);
    json::Node answer = json::Node::object();
    answer.set("refund", refund_node(refund.body, *payment));
    return return_jsonb(answer);
}
