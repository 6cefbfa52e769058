// billstack.create_checkout, create_setup_checkout and create_portal_session: pages at Stripe to
// which the application sends its customer. What comes of them arrives as events.
#include "pg/calls/stripe_write.hpp"
#include "pg/projects/project_access.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"
#include "stripe/metadata.hpp"

namespace billstack::pg {

namespace {

// Limits of https://docs.stripe.com/api/checkout/sessions/create.
constexpr std::size_t longest_url = 5000;
constexpr std::int32_t most_quantity = 999999;
constexpr std::int32_t most_trial_days = 730;

constexpr std::string_view scope = "subscriptions:write";

bool has_scheme(const std::string &url, std::string_view scheme) {
    return url.size() > scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), url.begin(), [](char wanted, char given) {
               return wanted == (given >= 'A' && given <= 'Z' ? given + ('a' - 'A') : given);
           });
}

// As it is sent: {CHECKOUT_SESSION_ID} is for Stripe to fill in.
std::string check_url(std::string url, const char *argument) {
    std::size_t scheme = has_scheme(url, "https://") ? 8 : has_scheme(url, "http://") ? 7 : 0;
    bool valid = scheme > 0 && url.size() <= longest_url &&
                 std::string_view("/?#:").find(url[scheme]) == std::string_view::npos;
    for (char c : url) {
        valid = valid && static_cast<unsigned char>(c) > ' ' && c != 0x7f;
    }
    if (!valid) {
        throw core::Error(core::Code::bad_argument,
                          std::string("argument \"") + argument + "\" is no absolute URL",
                          "It begins with https:// or http:// and a host, has " +
                              std::to_string(longest_url) + " bytes at most and no blanks.");
    }
    return url;
}

// The project, its integration and the customer of a call.
struct Buyer {
    Project project;
    Integration integration;
    ProjectCustomer customer;
};

Buyer require_buyer(const Args &args, const char *function) {
    std::string project_id = args.text(0, "project");
    std::string customer_id = args.text(1, "customer_id");
    require_writable(function);
    Project project = require_project(project_id, Billing::write, scope);
    Integration integration = require_linked(project);
    ProjectCustomer customer = require_customer(project, customer_id);
    return {std::move(project), std::move(integration), std::move(customer)};
}

void append_project(stripe::Params &params, std::string_view prefix, const Project &project) {
    params.emplace_back(std::string(prefix) + "[" + std::string(stripe::project_key) + "]",
                        project.id);
}

std::optional<std::string> text_of(const json::Token &token) {
    if (token.kind != json::TokenKind::string) {
        return std::nullopt;
    }
    return token.escaped ? json::unescaped(token.text) : std::string(token.text);
}

// The session's URL and id, from Stripe's answer.
json::Node answer_of(const StripeObject &session) {
    static constexpr std::string_view paths[] = {"url", "status"};
    std::array<json::Token, 2> found;
    json::PathReader(paths).read(session.body, found);
    std::optional<std::string> url = text_of(found[0]);
    std::string status = text_of(found[1]).value_or("");
    if (!url && (status == "expired" || status == "complete")) { // a derived key makes another
        throw core::Error(core::Code::not_ready,
                          "the checkout page of this idempotency_key has ended",
                          "Its session \"" + session.id + "\" is " + status +
                              ", and Stripe gives such a page no URL.",
                          "To make another page, pass another idempotency_key.");
    }
    if (!url || session.id.empty()) {
        throw core::Error(core::Code::stripe_unreachable, "the answer is not what Stripe sends",
                          "It holds no session.");
    }
    json::Node answer = json::Node::object();
    answer.set("sessionId", session.id).set("url", url);
    return answer;
}

StripeWrite checkout_write(const Buyer &buyer, const char *operation) {
    StripeWrite write;
    write.operation = operation;
    write.project_id = buyer.project.id;
    write.path = "/v1/checkout/sessions";
    write.kind = stripe::find_kind("checkout_session");
    return write;
}

// What is bought, checked against each other.
struct Purchase {
    ProjectPrice price;
    std::int32_t quantity = 1;
    bool subscribes = true;
    std::int32_t trial_days = 0;
};

void check_range(const char *argument, std::int32_t value, std::int32_t least, std::int32_t most) {
    if (value < least || value > most) {
        throw core::Error(core::Code::bad_argument,
                          std::string("argument \"") + argument + "\" must be between " +
                              std::to_string(least) + " and " + std::to_string(most));
    }
}

bool subscribes(const std::string &mode) {
    if (mode != "subscription" && mode != "payment") {
        throw core::Error(core::Code::bad_argument, "\"" + mode + "\" is no checkout mode",
                          "The modes are subscription and payment.",
                          "To have a payment method stored, call "
                          "billstack.create_setup_checkout().");
    }
    return mode == "subscription";
}

void check_price(const Project &project, const Purchase &purchase) {
    const ProjectPrice &price = purchase.price;
    bool recurring = price.recurring_interval.has_value();
    if (recurring != purchase.subscribes) {
        throw core::Error(
            core::Code::bad_argument,
            "price \"" + price.id + "\" " + (recurring ? "recurs" : "is paid once"),
            "Mode subscription takes a price with an interval, mode payment one without.",
            std::string("Use mode ") + (recurring ? "subscription" : "payment") + ".");
    }
    if (!price.is_active) {
        throw core::Error(core::Code::bad_argument, "price \"" + price.id + "\" is not active", "",
                          "Call billstack.update_price() to sell at it again.");
    }
    ProjectProduct product = require_product(project, price.product_id);
    if (!product.is_active) {
        throw core::Error(core::Code::bad_argument, "product \"" + product.id + "\" is not active",
                          "", "Call billstack.update_product() to sell it again.");
    }
}

Purchase require_purchase(const Args &args, const Project &project) {
    Purchase purchase;
    purchase.quantity = args.integer(5, "quantity");
    purchase.subscribes = subscribes(args.text(6, "mode"));
    check_range("quantity", purchase.quantity, 1, most_quantity);
    if (!args.is_null(7)) {
        purchase.trial_days = args.integer(7, "trial_days");
        check_range("trial_days", purchase.trial_days, 0, most_trial_days);
    }
    if (purchase.trial_days > 0 && !purchase.subscribes) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"trial_days\" is for mode subscription",
                          "What is paid once has no trial.");
    }
    purchase.price = require_price(project, args.text(2, "price_id"));
    check_price(project, purchase);
    return purchase;
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_create_checkout) {
    std::string success_url = check_url(args.text(3, "success_url"), "success_url");
    std::string cancel_url = check_url(args.text(4, "cancel_url"), "cancel_url");
    stripe::Metadata metadata = stripe::check_metadata(args.optional_jsonb_text(8).value_or("{}"));
    Buyer buyer = require_buyer(args, "create_checkout");
    Purchase purchase = require_purchase(args, buyer.project);
    StripeWrite write = checkout_write(buyer, "create_checkout");
    write.caller_key = args.optional_text(9);
    // What Stripe makes of the session carries the project too: its events find their way alone.
    std::string made = purchase.subscribes ? "subscription_data" : "payment_intent_data";
    write.params = {{"mode", purchase.subscribes ? "subscription" : "payment"},
                    {"customer", *buyer.customer.stripe_customer_id},
                    {"line_items[0][price]", purchase.price.stripe_price_id},
                    {"line_items[0][quantity]", std::to_string(purchase.quantity)},
                    {"success_url", success_url},
                    {"cancel_url", cancel_url}};
    if (purchase.trial_days > 0) {
        write.params.emplace_back("subscription_data[trial_period_days]",
                                  std::to_string(purchase.trial_days));
    }
    for (const std::string &prefix : {std::string("metadata"), made + "[metadata]"}) {
        stripe::append_metadata(write.params, metadata, prefix);
        append_project(write.params, prefix, buyer.project);
    }
    return return_jsonb(answer_of(write_to_stripe(buyer.integration, write)));
}

BILLSTACK_SQL_FUNCTION(billstack_create_setup_checkout) {
    std::string success_url = check_url(args.text(2, "success_url"), "success_url");
    std::string cancel_url = check_url(args.text(3, "cancel_url"), "cancel_url");
    Buyer buyer = require_buyer(args, "create_setup_checkout");
    StripeWrite write = checkout_write(buyer, "create_setup_checkout");
    // Without a price Stripe asks for the currency, to know which payment methods may be stored.
    write.params = {{"mode", "setup"},
                    {"customer", *buyer.customer.stripe_customer_id},
                    {"currency", buyer.project.base_currency},
                    {"success_url", success_url},
                    {"cancel_url", cancel_url}};
    append_project(write.params, "metadata", buyer.project);
    append_project(write.params, "setup_intent_data[metadata]", buyer.project);
    return return_jsonb(answer_of(write_to_stripe(buyer.integration, write)));
}

BILLSTACK_SQL_FUNCTION(billstack_create_portal_session) {
    std::string return_url = check_url(args.text(2, "return_url"), "return_url");
    Buyer buyer = require_buyer(args, "create_portal_session");
    StripeWrite write;
    write.operation = "create_portal_session";
    write.project_id = buyer.project.id;
    write.path = "/v1/billing_portal/sessions";
    write.params = {{"customer", *buyer.customer.stripe_customer_id}, {"return_url", return_url}};
    return return_jsonb(answer_of(write_to_stripe(buyer.integration, write)));
}
