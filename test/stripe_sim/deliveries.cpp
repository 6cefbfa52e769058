// See deliveries.hpp.
#include "deliveries.hpp"

#include "events.hpp"
#include "rng.hpp"

#include <algorithm>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <set>
#include <vector>

namespace stripe_sim {

std::string signature_header(std::string_view secret, std::string_view payload, int64_t at) {
    std::string time = std::to_string(at);
    std::string text = time + '.';
    text += payload;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char *>(text.data()), text.size(), digest, &length);
    static const char hex[] = "0123456789abcdef";
    std::string out = "t=" + time + ",v1=";
    for (unsigned i = 0; i < length; ++i) {
        out += hex[digest[i] >> 4];
        out += hex[digest[i] & 15];
    }
    return out;
}

namespace {

struct Delivery {
    const RecordedEvent *event;
    bool thin;
};

struct Script {
    std::string secret;
    int64_t at;
    uint64_t limit;
    std::string order;
    double duplicates;
    double losses;
    double thin;
};

double share_of(const json_t *script, const char *name) {
    const json_t *value = json_object_get(script, name);
    if (value == nullptr || json_is_null(value))
        return 0;
    // "thin": true stands for all.
    double share = json_is_true(value) ? 1 : json_number_value(value);
    if ((!json_is_number(value) && !json_is_boolean(value)) || share < 0 || share > 1)
        throw JsonError{std::string{name} + " is a share from 0 to 1"};
    return share;
}

const RecordedEvent &find_event(const Store &store, const std::string &id) {
    std::optional<Key> key = store.find(Kind::event, id);
    uint64_t first = store.world().size(Kind::event);
    if (!key || key->sequence < first)
        throw JsonError{"no such event: " + id};
    return store.recorded()[key->sequence - first];
}

std::vector<Delivery> chosen(const Store &store, const json_t *script, uint64_t limit) {
    std::vector<Delivery> out;
    size_t i;
    json_t *value;
    if (const json_t *ids = json_object_get(script, "events")) {
        json_array_foreach(ids, i, value)
            out.push_back({&find_event(store, json_string_value(value)), false});
        return out;
    }
    const json_t *from = json_object_get(script, "from");
    size_t at = 0;
    if (json_is_string(from))
        at = static_cast<size_t>(&find_event(store, json_string_value(from)) -
                                 store.recorded().data());
    else
        at = static_cast<size_t>(std::max<int64_t>(get_int(script, "from", 1), 1) - 1);
    for (; at < store.recorded().size() && out.size() < limit; ++at)
        out.push_back({&store.recorded()[at], false});
    return out;
}

bool falls(double share, Rng &rng) {
    return share > 0 && static_cast<double>(rng.next() >> 11) * 0x1p-53 < share;
}

// Takes the secret of an endpoint, and from the events those that it does not ask for.
void obey_endpoint(Store &store, const std::string &id, Script &script,
                   std::vector<Delivery> &events) {
    std::optional<Key> key = store.find(Kind::webhook_endpoint, id);
    if (!key)
        throw JsonError{"no such webhook endpoint: " + id};
    Json endpoint = store.document(Kind::webhook_endpoint, *key);
    script.secret = get_string(endpoint.get(), "secret");
    std::set<std::string> enabled;
    size_t i;
    json_t *type;
    json_array_foreach(json_object_get(endpoint.get(), "enabled_events"), i, type)
        enabled.insert(json_string_value(type));
    bool off = get_string(endpoint.get(), "status") == "disabled";
    std::erase_if(events, [&](const Delivery &one) {
        return off || !(enabled.contains("*") || enabled.contains(one.event->type));
    });
}

std::vector<Delivery> bend(std::vector<Delivery> events, const Script &script, Rng rng) {
    std::vector<Delivery> out;
    for (Delivery &one : events) {
        if (falls(script.losses, rng))
            continue;
        out.push_back(one);
        if (falls(script.thin, rng))
            out.push_back({one.event, true});
        if (falls(script.duplicates, rng))
            out.push_back(one);
    }
    if (script.order == "reverse") {
        std::reverse(out.begin(), out.end());
    } else if (script.order == "random") {
        for (size_t i = out.size(); i > 1; --i)
            std::swap(out[i - 1], out[rng.below(i)]);
    } else if (script.order != "as_is") {
        throw JsonError{"order is as_is, reverse or random"};
    }
    return out;
}

void append_delivery(std::string &out, Store &store, const Delivery &one, const Script &script) {
    std::string payload;
    if (one.thin)
        payload = thin_event_text(store, *one.event);
    else
        store.append_text(payload, Kind::event, one.event->key);
    out += "{\"event_id\":";
    append_quoted(out, one.event->id);
    out += ",\"type\":";
    append_quoted(out, one.thin ? "v1." + one.event->type : one.event->type);
    out += ",\"created\":" + std::to_string(one.event->key.created);
    out += ",\"thin\":";
    out += one.thin ? "true" : "false";
    out += ",\"signature\":";
    if (script.secret.empty())
        out += "null";
    else
        append_quoted(out, signature_header(script.secret, payload, script.at));
    out += ",\"payload\":";
    append_quoted(out, payload);
    out += '}';
}

} // namespace

void append_deliveries(std::string &out, Store &store, const json_t *script) {
    Script how{get_string(script, "secret"),
               get_int(script, "at", store.clock().now()),
               static_cast<uint64_t>(get_int(script, "limit", INT64_MAX)),
               get_string(script, "order", "as_is"),
               share_of(script, "duplicates"),
               share_of(script, "losses"),
               share_of(script, "thin")};
    Rng rng{mix64(static_cast<uint64_t>(get_int(script, "seed", 1)), 0x64656c)};
    std::vector<Delivery> events = chosen(store, script, how.limit);
    size_t next = 0;
    for (const Delivery &one : events)
        next = std::max<size_t>(next, static_cast<size_t>(one.event - store.recorded().data()) + 1);
    if (events.empty())
        next = store.recorded().size();
    if (std::string endpoint = get_string(script, "endpoint"); !endpoint.empty())
        obey_endpoint(store, endpoint, how, events);
    out += "{\"deliveries\":[";
    const char *separator = "";
    for (const Delivery &one : bend(std::move(events), how, rng)) {
        out += separator;
        append_delivery(out, store, one, how);
        separator = ",\n";
    }
    out += "],\"next\":" + std::to_string(next + 1) + "}\n";
}

} // namespace stripe_sim
