// The control endpoints that change the account as Stripe would: changes, made objects, deliveries,
// the clock and the version events are written in.
#include "simulator.hpp"

#include "api_error.hpp"
#include "changes.hpp"
#include "deliveries.hpp"
#include "maker.hpp"

#include <algorithm>

namespace stripe_sim {

static const KindInfo &kind_of(const json_t *node) {
    std::string name = get_string(node, "kind");
    const KindInfo *kind = find_kind(name);
    if (kind == nullptr)
        throw ApiError{400, "no such kind: " + name};
    return *kind;
}

static Op op_of(const std::string &name) {
    if (name == "create")
        return Op::create;
    if (name == "update")
        return Op::update;
    if (name == "delete")
        return Op::remove;
    throw ApiError{400, "op is create, update or delete"};
}

static std::optional<int64_t> time_of(const json_t *node) {
    if (json_object_get(node, "at") == nullptr)
        return std::nullopt;
    return get_int(node, "at", 0);
}

static void append_result(std::string &out, const ChangeResult &result, const Store &store) {
    out += "{\"id\":";
    if (result.event == nullptr) {
        out += "null,\"type\":null,\"sequence\":null";
    } else {
        append_quoted(out, result.event->id);
        out += ",\"type\":";
        append_quoted(out, result.event->type);
        out += ",\"sequence\":" + std::to_string(store.recorded().size());
    }
    out += ",\"created\":" + std::to_string(result.at) + ",\"object_id\":";
    append_quoted(out, result.id);
    out += '}';
}

void Simulator::control_changes(Store &store, const Request &request, Response &response) {
    Json body = parse_json(request.body);
    Rng rng{mix64(seed_, ++draws_)};
    std::string out = "{\"events\":[";
    const char *separator = "";
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(body.get(), "changes"), i, one) {
        Change change{op_of(get_string(one, "op")),
                      kind_of(one).kind,
                      get_string(one, "id"),
                      get_string(one, "parent"),
                      json_object_get(one, "fields"),
                      get_string(one, "type"),
                      time_of(one)};
        out += separator;
        append_result(out, apply_change(store, change, rng), store);
        separator = ",\n";
    }
    response.body = out + "]}\n";
}

// Objects that were always there: no event tells of them unless asked for.
void Simulator::control_make(Store &store, const Request &request, Response &response) {
    Json body = parse_json(request.body);
    const KindInfo &kind = kind_of(body.get());
    const json_t *fields = json_object_get(body.get(), "fields");
    int64_t count = get_int(body.get(), "count", 1);
    Rng rng{mix64(seed_, ++draws_)};
    const AccountConfig &account = store.config();
    bool tell = get_bool(body.get(), "events", false);
    int64_t at = 0;
    std::string out = "{\"ids\":[";
    for (int64_t i = 0; i < count; ++i) {
        // Some come in the second of the one before.
        if (i == 0 || !rng.percent(25))
            at = account.from + static_cast<int64_t>(
                                    rng.below(static_cast<uint64_t>(account.until - account.from)));
        int64_t when = time_of(body.get()).value_or(tell ? store.clock().now() : at);
        std::string id;
        if (tell || child_list(kind.kind) != nullptr) {
            Change change{Op::create, kind.kind, "", get_string(body.get(), "parent"), fields};
            change.at = when;
            change.silent = !tell;
            id = apply_change(store, change, rng).id;
        } else {
            Json doc = make_document(store, kind.kind, fields, when, rng);
            id = get_string(doc.get(), "id");
            store.put_document(kind.kind, id, std::move(doc));
        }
        out += i > 0 ? "," : "";
        append_quoted(out, id);
    }
    response.body = out + "]}\n";
}

void Simulator::control_clock(const Request &request, Response &response) {
    SimClock &clock = api_.clock();
    if (request.method == "POST") {
        Json body = parse_json(request.body);
        clock.standing.reset();
        clock.offset = get_int(body.get(), "offset_s", 0);
        if (json_object_get(body.get(), "now") != nullptr)
            clock.offset = get_int(body.get(), "now", 0) - std::time(nullptr);
        if (get_bool(body.get(), "standing", false))
            clock.standing = clock.now();
    }
    response.body = "{\"now\": " + std::to_string(clock.now()) + "}\n";
}

bool Simulator::control_running(const std::string &what, const Request &request,
                                Response &response) {
    bool post = request.method == "POST";
    if (what == "clock") {
        control_clock(request, response);
        return true;
    }
    if (!post ||
        (what != "changes" && what != "make" && what != "deliveries" && what != "api_version"))
        return false;
    Store &store = account_of(request);
    if (what == "changes") {
        control_changes(store, request, response);
    } else if (what == "make") {
        control_make(store, request, response);
    } else if (what == "deliveries") {
        append_deliveries(response.body, store, parse_json(request.body).get());
    } else {
        store.event_version = get_string(parse_json(request.body).get(), "version");
        response.body = "{}\n";
    }
    return true;
}

} // namespace stripe_sim
