#include "pg/team/connection_answer.hpp"

#include "pg/config.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

std::optional<std::string> webhook_url_of(const std::string &team, const std::string &integration) {
    std::string url = config::public_url();
    if (url.empty()) {
        return std::nullopt;
    }
    url += "/api/webhooks/stripe/" + team;
    return integration == "default" ? url : url + "/" + integration;
}

std::optional<std::string> json_time(const std::optional<TimestampTz> &at) {
    if (!at) {
        return std::nullopt;
    }
    return core::iso8601_utc(unix_us_from_timestamp(*at));
}

json::Node connection_answer(const Integration &integration) {
    json::Node answer = json::Node::object();
    answer.set("success", true)
        .set("webhookUrl", webhook_url_of(integration.team, integration.name))
        .set("syncStatus", integration.shown_sync_status())
        .set("integration", integration.name)
        .set("accountId", integration.account.id)
        .set("accountName", integration.account.name)
        .set("country", integration.account.country)
        .set("defaultCurrency", integration.account.default_currency)
        .set("livemode", integration.livemode);
    return answer;
}

void notify_change(const char *event, const Integration &integration,
                   const std::string *project_id) {
    json::Node payload = json::Node::object();
    payload.set("event", event).set("team", integration.team).set("integration", integration.name);
    if (project_id != nullptr) {
        payload.set("project", *project_id);
    }
    std::string text = payload.dump();
    const char *bytes = text.c_str();
    call([&] { Async_Notify("billstack", bytes); });
}

} // namespace billstack::pg
