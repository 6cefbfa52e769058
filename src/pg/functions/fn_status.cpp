// billstack.status and webhook_url: what is stored, without asking Stripe.
#include "pg/inbox/inbox_store.hpp"
#include "pg/mirror/mirror_admin.hpp"
#include "pg/projects/project_store.hpp"
#include "pg/team/connection_answer.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/read_count_store.hpp"

namespace billstack::pg {

namespace {

json::Node linked_projects(const Integration &integration) {
    json::Node list = json::Node::array();
    for (const Project &project : projects_of_integration(integration.id, true)) {
        json::Node node = json::Node::object();
        node.set("id", project.id).set("name", project.name);
        list.append(std::move(node));
    }
    return list;
}

json::Node webhook_status(const Integration &integration) {
    InboxState inbox = read_inbox_state(integration.id, true);
    std::optional<std::int64_t> lag;
    if (inbox.oldest) {
        lag = std::max<std::int64_t>(0, GetCurrentTimestamp() - *inbox.oldest) / USECS_PER_SEC;
    }
    json::Node webhook = json::Node::object();
    webhook.set("secret", integration.webhook_secret_state)
        .set("connected", inbox.last_event_at.has_value())
        .set("lastEventAt", json_time(inbox.last_event_at))
        .set("lastRefusedAt", json_time(inbox.last_refused_at))
        .set("lastRefusal", inbox.last_refusal)
        .set("lag", lag);
    return webhook;
}

// Of the account, by this database. nullopt: the key may not tell whose account it is.
std::optional<std::int64_t> reads_of(const Integration &integration) {
    if (!integration.account.id) {
        return std::nullopt;
    }
    std::string account = stripe::rate_account(*integration.account.id, integration.livemode, "");
    return stored_reads(account) + unstored_reads(account);
}

// docs.stripe.com/rate-limits, "API read request allocations": over 30 days.
json::Node reads_allowed() {
    json::Node allowed = json::Node::object();
    allowed.set("least", 10000).set("perTransaction", 500);
    return allowed;
}

std::string instructions_for(const Integration &integration,
                             const std::optional<std::string> &url) {
    if (!url) {
        return "Set billstack.public_url to the address under which Stripe reaches this team's "
               "front end, then call webhook_url() again.";
    }
    return "In the Stripe dashboard (" + std::string(integration.livemode ? "live" : "test") +
           " mode) open Developers, Webhooks, add an endpoint with this URL and choose the events "
           "to send; then store its signing secret (whsec_...) with "
           "billstack.set_webhook_secret(). Or let billstack.create_webhook_endpoint() do all of "
           "it.";
}

} // namespace

BILLSTACK_SQL_FUNCTION(billstack_status) {
    Integration integration =
        require_integration(args.text(0, "team"), args.text(1, "integration"), Need::see);
    json::Node answer = json::Node::object();
    answer.set("connected", true)
        .set("isActive", integration.is_active && !integration.is_copy())
        .set("syncStatus", integration.shown_sync_status())
        .set("schemaExists", mirror_exists(integration))
        .set("accountName", integration.account.name)
        .set("keyValid", integration.key_valid)
        .set("accountId", integration.account.id)
        .set("country", integration.account.country)
        .set("defaultCurrency", integration.account.default_currency)
        .set("livemode", integration.livemode)
        .set("lastValidatedAt", json_time(integration.last_validated_at))
        .set("linkedProjects", linked_projects(integration))
        .set("lastError", integration.shown_error())
        .set("readsThisMonth", reads_of(integration))
        .set("readsAllowed", reads_allowed())
        .set("webhook", webhook_status(integration));
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_webhook_url) {
    Integration integration =
        require_integration(args.text(0, "team"), args.text(1, "integration"), Need::see);
    std::optional<std::string> url = webhook_url_of(integration.team, integration.name);
    json::Node answer = json::Node::object();
    answer.set("webhookUrl", url).set("instructions", instructions_for(integration, url));
    return return_jsonb(answer);
}

} // namespace billstack::pg
