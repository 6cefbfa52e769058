// subscribe and unsubscribe: who may have which function called for which events. Calling is the
// worker's work (pg/handler_service.hpp).
#include "pg/access/internal_access.hpp"
#include "pg/access/team_access.hpp"
#include "pg/handlers/handler_function.hpp"
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t most_patterns = 100;
constexpr std::size_t longest_pattern = 255;

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// Dotted parts of lower-case letters, digits and underscores.
bool is_event_type(std::string_view text) {
    bool part_empty = true;
    for (char c : text) {
        if (c == '.' ? part_empty : !is_name_character(c)) {
            return false;
        }
        part_empty = c == '.';
    }
    return !part_empty;
}

void check_pattern(const std::string &pattern) {
    std::string_view type = pattern;
    if (type == "*") {
        return;
    }
    if (type.ends_with(".*")) {
        type.remove_suffix(2);
    }
    if (pattern.size() > longest_pattern || !is_event_type(type)) {
        throw core::Error(core::Code::bad_argument, "\"" + pattern + "\" is no event type",
                          "An event type is like invoice.paid; customer.subscription.* stands for "
                          "all that begin so, * for all.");
    }
    if (type == "v1" || type.starts_with("v1.")) {
        throw core::Error(core::Code::bad_argument, "\"" + pattern + "\" is no event type",
                          "Thin events match by their type without \"v1.\".", "Leave it out.");
    }
}

// Sorted, each once.
std::vector<std::string> check_events(const std::optional<std::vector<std::string>> &asked) {
    if (!asked) {
        throw core::Error(core::Code::bad_argument, "argument \"events\" must not be null");
    }
    if (asked->empty() || asked->size() > most_patterns) {
        throw core::Error(core::Code::bad_argument,
                          "argument \"events\" must hold 1 to " + std::to_string(most_patterns) +
                              " event types",
                          "", "ARRAY['*'] stands for all events.");
    }
    std::set<std::string> patterns;
    for (const std::string &pattern : *asked) {
        check_pattern(pattern);
        patterns.insert(pattern);
    }
    return {patterns.begin(), patterns.end()};
}

bool caller_acts_as(const std::string &role_name) {
    Oid role = role_oid(role_name);
    return OidIsValid(role) && call([&] { return has_privs_of_role(GetUserId(), role); });
}

// Somebody else's subscription: for that role, and for those who may act on the team.
void require_right_over(const Subscription &subscription, const Integration &integration) {
    if (!caller_acts_as(subscription.role_name) && !may_use_team(integration.team, Need::act) &&
        !caller_acts_as(integration.owner_name)) {
        throw core::Error(core::Code::not_allowed,
                          "handler " + shown_handler(subscription.handler) +
                              " was subscribed by another role",
                          "It takes that role, the team's owner or a role with the admin profile.");
    }
}

json::Node answer_about(const Integration &integration, const HandlerName &handler) {
    json::Node answer = json::Node::object();
    answer.set("success", true).set("team", integration.team);
    answer.set("integration", integration.name).set("handler", shown_handler(handler));
    return answer;
}

std::vector<Subscription> subscriptions_of(const Integration &integration) {
    InternalAccess access;
    return lock_subscriptions(integration.id);
}

const Subscription *find_exact(const std::vector<Subscription> &all, const HandlerName &name) {
    for (const Subscription &subscription : all) {
        if (subscription.handler.schema == name.schema && subscription.handler.name == name.name) {
            return &subscription;
        }
    }
    return nullptr;
}

// Without a schema the name must fit one subscription only.
const Subscription *find_by_name(const std::vector<Subscription> &all, const HandlerName &name) {
    if (!name.schema.empty()) {
        return find_exact(all, name);
    }
    const Subscription *found = nullptr;
    for (const Subscription &subscription : all) {
        if (subscription.handler.name != name.name) {
            continue;
        }
        if (found != nullptr) {
            throw core::Error(core::Code::bad_argument,
                              "handler name \"" + name.name + "\" is ambiguous",
                              shown_handler(found->handler) + " and " +
                                  shown_handler(subscription.handler) + " are subscribed.",
                              "Name the schema.");
        }
        found = &subscription;
    }
    return found;
}

Datum end_subscription(const Integration &integration, const std::vector<Subscription> &all,
                       const HandlerName &name) {
    const Subscription *found = find_by_name(all, name);
    std::int64_t canceled = 0;
    if (found != nullptr) {
        require_right_over(*found, integration);
        InternalAccess access;
        canceled = delete_subscription(found->id);
    }
    json::Node answer = answer_about(integration, found != nullptr ? found->handler : name);
    answer.set("unsubscribed", found != nullptr).set("canceledCalls", canceled);
    return return_jsonb(answer);
}

Integration integration_of(const Args &args, int position, const char *function_name) {
    std::string team = args.text(0, "team");
    std::string integration = args.text(position, "integration");
    require_writable(function_name);
    return require_integration(team, integration, Need::subscribe);
}

} // namespace

} // namespace billstack::pg

using namespace billstack;
using namespace billstack::pg;

BILLSTACK_SQL_FUNCTION(billstack_subscribe) {
    (void)args.text(0, "team");
    std::vector<std::string> events = check_events(args.optional_text_array(1));
    Oid function = args.oid(2, "handler");
    Integration integration = integration_of(args, 3, "billstack.subscribe");
    HandlerFunction handler = require_handler(function);
    const Subscription wanted{0,      integration.id,     handler.name, handler.owner,
                              events, current_role_name()};
    std::vector<Subscription> all = subscriptions_of(integration);
    const Subscription *existing = find_exact(all, handler.name);
    if (existing != nullptr) {
        require_right_over(*existing, integration);
    }
    {
        InternalAccess access;
        store_subscription(wanted);
    }
    json::Node answer = answer_about(integration, handler.name);
    json::Node types = json::Node::array();
    for (const std::string &type : wanted.events) {
        types.append(type);
    }
    answer.set("events", std::move(types)).set("role", wanted.role_name);
    answer.set("replaced", existing != nullptr);
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_unsubscribe) {
    (void)args.text(0, "team");
    Oid function = args.oid(1, "handler");
    Integration integration = integration_of(args, 2, "billstack.unsubscribe");
    return end_subscription(integration, subscriptions_of(integration), name_of_handler(function));
}

BILLSTACK_SQL_FUNCTION(billstack_unsubscribe_by_name) {
    (void)args.text(0, "team");
    HandlerName name = read_handler_name(args.text(1, "handler"));
    Integration integration = integration_of(args, 2, "billstack.unsubscribe");
    return end_subscription(integration, subscriptions_of(integration), name);
}
