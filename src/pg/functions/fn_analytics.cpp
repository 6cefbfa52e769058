// analytics() of a project, and map_account().
#include "pg/access/team_access.hpp"
#include "pg/billing/analytics_store.hpp"
#include "pg/bridge/datum.hpp"
#include "stripe/metadata.hpp"

namespace billstack::pg {

namespace {

constexpr std::int32_t most_days = 3650;
constexpr std::size_t longest_text = 255;

std::string short_argument(const char *name, std::string text) {
    if (text.empty() || text.size() > longest_text) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"" + std::string(name) + "\" is empty or too long",
                          "It has 1 to 255 bytes.");
    }
    stripe::refuse_card_number(name, text);
    return text;
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_analytics) {
    std::string project = args.text(0, "project");
    std::int32_t days = args.integer(1, "growth_days");
    if (days < 1 || days > most_days) {
        throw core::Error(core::Code::bad_argument,
                          "growth_days " + std::to_string(days) + " is out of range",
                          "It is 1 to 3650.");
    }
    return jsonb_datum(
        read_analytics(require_project(project, Billing::read, "analytics:read"), days));
}

BILLSTACK_SQL_FUNCTION(billstack_map_account) {
    std::string team = args.text(0, "team");
    std::string customer = short_argument("stripe_customer_id", args.text(1, "stripe_customer_id"));
    std::optional<std::string> account = args.optional_text(2);
    if (account) {
        account = short_argument("account_ref", *account);
    }
    require_writable("billstack.map_account");
    require_team(team, Need::write_billing);
    store_account_ref(team, customer, account);
    json::Node answer = json::Node::object();
    answer.set("success", true).set("team", team).set("stripeCustomerId", customer);
    answer.set("accountRef", account);
    return return_jsonb(answer);
}
