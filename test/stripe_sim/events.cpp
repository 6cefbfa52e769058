// See events.hpp.
#include "events.hpp"

#include <ctime>

namespace stripe_sim {

// JSON strings hold no raw line break, so that every line may be moved.
static void append_indented(std::string &out, std::string_view text, size_t spaces) {
    size_t at = 0;
    for (;;) {
        size_t end = text.find('\n', at);
        if (end == std::string_view::npos)
            break;
        out.append(text.substr(at, end + 1 - at));
        out.append(spaces, ' ');
        at = end + 1;
    }
    out.append(text.substr(at));
}

static void append_member(std::string &out, std::string_view name, std::string_view token) {
    out += ",\n  \"";
    out += name;
    out += "\": ";
    out += token;
}

static std::string event_text(const Store &store, const EventFacts &facts,
                              const RecordedEvent &event) {
    std::string out;
    out.reserve(facts.object_text.size() * 5 / 4 + 600);
    out += "{\n  \"id\": \"" + event.id + '"';
    append_member(out, "object", "\"event\"");
    append_member(out, "api_version", quoted(store.event_version));
    append_member(out, "created", std::to_string(facts.at));
    out += ",\n  \"data\": {\n    \"object\": ";
    append_indented(out, facts.object_text, 4);
    if (facts.previous != nullptr) {
        out += ",\n    \"previous_attributes\": ";
        append_indented(out, pretty(facts.previous), 4);
    }
    out += "\n  }";
    append_member(out, "livemode", store.config().livemode ? "true" : "false");
    append_member(out, "pending_webhooks", "1");
    out += ",\n  \"request\": {\n    \"id\": \"";
    store.world().ids().append_foreign(out, "req_", 14, event.key.sequence);
    out += "\",\n    \"idempotency_key\": ";
    out += facts.idempotency_key.empty() ? "null" : quoted(facts.idempotency_key);
    out += "\n  }";
    append_member(out, "type", quoted(facts.type));
    out += "\n}";
    return out;
}

const RecordedEvent &record_event(Store &store, const EventFacts &facts) {
    RecordedEvent event;
    event.key = {facts.at, store.world().size(Kind::event) + store.recorded().size()};
    event.id = store.world().ids().encode(Kind::event, event.key.sequence);
    event.type = facts.type;
    event.object = facts.object;
    event.object_id = facts.object_id;
    event.object_url = facts.object_url;
    store.add_event(event, event_text(store, facts, event));
    return store.recorded().back();
}

std::string thin_event_text(const Store &store, const RecordedEvent &event) {
    std::time_t at = event.key.created;
    std::tm parts{};
    gmtime_r(&at, &parts);
    char created[40];
    std::strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%S", &parts);
    std::string out = "{\"id\":\"";
    store.world().ids().append_foreign(out, store.config().livemode ? "evt_" : "evt_test_", 42,
                                       event.key.sequence);
    out += "\",\"object\":\"v2.core.event\",\"type\":" + quoted("v1." + event.type);
    out += ",\"livemode\":";
    out += store.config().livemode ? "true" : "false";
    out += ",\"created\":\"";
    out += created;
    out += ".";
    std::string fraction = std::to_string(1000 + event.key.sequence * 37 % 1000);
    out += fraction.substr(1);
    out += "Z\",\"context\":null,\"reason\":null,\"related_object\":";
    if (event.object_id.empty() || event.object_url.empty())
        out += "null";
    else
        out += "{\"id\":" + quoted(event.object_id) + ",\"type\":" + quoted(event.object) +
               ",\"url\":" + quoted(event.object_url) + "}";
    out += ",\"snapshot_event\":" + quoted(event.id) + "}";
    return out;
}

static json_t *json_null_or(const json_t *value) {
    return value == nullptr ? json_null() : json_incref(const_cast<json_t *>(value));
}

Json previous_attributes(const json_t *before, const json_t *after) {
    Json out{json_object()};
    const char *name;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(before), name, value) {
        const json_t *now = json_object_get(after, name);
        if (json_equal(value, now))
            continue;
        if (json_is_object(value) && json_is_object(now))
            json_object_set_new(out.get(), name, previous_attributes(value, now).release());
        else
            json_object_set_new(out.get(), name, json_null_or(value));
    }
    json_object_foreach(const_cast<json_t *>(after), name,
                        value) if (json_object_get(before, name) == nullptr)
        json_object_set_new(out.get(), name, json_null());
    return out;
}

} // namespace stripe_sim
