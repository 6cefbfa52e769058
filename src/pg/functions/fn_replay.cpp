// billstack.replay and retry_failed: dead letters and done events once more; and the two functions
// that the views of the inbox call.
#include "pg/access/principal.hpp"
#include "pg/bridge/datum.hpp"
#include "pg/inbox/inbox_store.hpp"
#include "pg/team/health_store.hpp"
#include "pg/team/integration_store.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

namespace {

// Those of `found` that the caller may act for.
std::vector<IntegrationName> own_of(const std::vector<IntegrationName> &found) {
    std::vector<IntegrationName> own;
    for (const IntegrationName &one : found) {
        if (may_use_integration(one.team, one.name, Need::act)) {
            own.push_back(one);
        }
    }
    return own;
}

[[noreturn]] void refuse_unknown(const std::string &event_id) {
    throw core::Error(
        core::Code::unknown_object, "event \"" + event_id + "\" does not exist",
        "Neither queue nor ledger of your teams hold an event of that id; done events "
        "go after billstack.inbox_retention.",
        "See billstack.webhook_events.");
}

[[noreturn]] void refuse_ambiguous(const std::string &event_id,
                                   const std::vector<IntegrationName> &found) {
    std::string list;
    for (const IntegrationName &one : found) {
        list += (list.empty() ? "" : ", ") + one.team + "/" + one.name;
    }
    throw core::Error(core::Code::bad_argument,
                      "event \"" + event_id + "\" belongs to several integrations",
                      "They are " + list + ".", "Name the team and the integration.");
}

IntegrationName find_event(const std::string &event_id, const std::optional<std::string> &team,
                           const std::optional<std::string> &integration) {
    std::vector<IntegrationName> found = integrations_with_event(event_id);
    std::erase_if(found, [&](const IntegrationName &one) {
        return (team && one.team != *team) || (integration && one.name != *integration);
    });
    found = own_of(found);
    if (found.empty()) {
        refuse_unknown(event_id);
    }
    if (found.size() > 1) {
        refuse_ambiguous(event_id, found);
    }
    return found.front();
}

void check_names(const std::optional<std::string> &team,
                 const std::optional<std::string> &integration) {
    if (team && integration) {
        (void)require_integration(*team, *integration, Need::act);
    } else if (team) {
        (void)require_integrations(*team, std::nullopt, Need::act);
    } else if (integration) {
        core::check_slug(*integration, "integration");
    }
}

// Integrations the caller may act for, of one team or of all.
std::vector<Integration> own_integrations(const std::optional<std::string> &team) {
    if (team) {
        return require_integrations(*team, std::nullopt, Need::act);
    }
    std::vector<Integration> own;
    for (const std::string &name : all_teams()) {
        for (Integration &integration : load_integrations(name, std::nullopt)) {
            if (may_use_integration(integration.team, integration.name, Need::act)) {
                own.push_back(std::move(integration));
            }
        }
    }
    return own;
}

Datum counters_row(FunctionCallInfo info, const CounterFlush &live) {
    Datum values[4] = {Int64GetDatum(live.duplicates), TimestampTzGetDatum(live.last_event_at),
                       TimestampTzGetDatum(live.last_refused_at),
                       text_datum(name_of(live.last_refusal))};
    bool nulls[4] = {false, live.last_event_at == 0, live.last_refused_at == 0,
                     live.last_refusal == Refusal::none};
    return call([&] {
        TupleDesc descriptor = nullptr;
        if (get_call_result_type(info, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
            return static_cast<Datum>(0);
        }
        return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
    });
}

bool is_an_event(std::string_view body) {
    try {
        (void)stripe::parse_event(body);
        return true;
    } catch (const core::Error &) {
        return false;
    }
}

} // namespace

BILLSTACK_SQL_FUNCTION(billstack_replay) {
    require_writable("replay");
    refuse_principal();
    std::string event_id = args.text(0, "event_id");
    std::optional<std::string> team = args.optional_text(1);
    std::optional<std::string> name = args.optional_text(2);
    check_names(team, name);
    IntegrationName integration = find_event(event_id, team, name);
    Replayed replayed = replay_event(integration.id, event_id);
    if (replayed.events == 0 && replayed.calls == 0) {
        refuse_unknown(event_id); // it was disconnected, or dropped from the ledger, meanwhile
    }
    wake_inbox_at_commit();
    json::Node answer = json::Node::object();
    answer.set("success", true)
        .set("eventId", event_id)
        .set("team", integration.team)
        .set("integration", integration.name)
        .set("events", replayed.events)
        .set("handlerCalls", replayed.calls);
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_retry_failed) {
    require_writable("retry_failed");
    refuse_principal();
    Replayed all;
    for (const Integration &integration : own_integrations(args.optional_text(0))) {
        Replayed replayed = retry_all_failed(integration.id);
        all.events += replayed.events;
        all.calls += replayed.calls;
    }
    if (all.events > 0 || all.calls > 0) {
        wake_inbox_at_commit();
    }
    json::Node answer = json::Node::object();
    answer.set("success", true).set("events", all.events).set("handlerCalls", all.calls);
    return return_jsonb(answer);
}

BILLSTACK_SQL_FUNCTION(billstack_inbox_counters) {
    CounterFlush live;
    if (!args.is_null(0)) {
        std::int32_t id = args.integer(0, "integration_id");
        std::optional<IntegrationName> found = find_integration_name(id);
        if (found && may_use_integration(found->team, found->name, Need::see)) {
            live = unstored_counters(id);
        }
    }
    return counters_row(args.info(), live);
}

BILLSTACK_SQL_FUNCTION(billstack_event_json) {
    if (args.is_null(0)) {
        return args.null();
    }
    Datum value = args.value(0, "payload");
    auto *packed =
        call([&] { return reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(value)); });
    // json is stored as its text, and every event that is accepted here is json to the server.
    return is_an_event({VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)}) ? PointerGetDatum(packed)
                                                                         : args.null();
}

} // namespace billstack::pg
