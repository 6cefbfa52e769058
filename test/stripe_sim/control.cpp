// The control endpoints under /_sim/: statistics, ledger, faults, latency, and the objects
// themselves, for tests that compare a mirror with what was served.
#include "simulator.hpp"

#include "api_error.hpp"
#include "lists.hpp"

namespace stripe_sim {

static ApiError bad_control(const std::string &message) {
    return {400, message};
}

static std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        path.remove_prefix(1);
        size_t end = std::min(path.find('/'), path.size());
        out.push_back(percent_decode(path.substr(0, end), false));
        path.remove_prefix(end);
    }
    return out;
}

static std::string parameter(const Request &request, std::string_view name) {
    for (const Parameter &one : parse_query(request.query))
        if (one.full_name == name)
            return one.value;
    return {};
}

void Simulator::handle_control(const Request &request, Response &response) {
    try {
        control(request, response);
    } catch (const ApiError &error) {
        response.status = error.status;
        response.body = error_body(error);
    } catch (const std::exception &error) {
        response.status = 400;
        response.body = error_body({400, error.what()});
    }
}

std::string Simulator::statistics() const {
    ServerCounters counters = server_ != nullptr ? server_->counters() : ServerCounters{};
    auto line = [](std::string_view name, uint64_t value) {
        return ",\n  \"" + std::string{name} + "\": " + std::to_string(value);
    };
    return "{\n  " + ledger_.statistics() + line("bytes_in", counters.bytes_in) +
           line("bytes_out", counters.bytes_out) + line("connections_accepted", counters.accepted) +
           line("connections_open", counters.open) +
           line("concurrent_requests", counters.concurrent) +
           line("max_concurrent_requests", counters.max_concurrent) + "\n}\n";
}

void Simulator::control_faults(const Request &request, Response &response) {
    if (request.method == "POST")
        faults_.load(parse_json(request.body).get(), parameter(request, "append") == "1");
    else if (request.method == "DELETE")
        faults_.clear();
    response.body = faults_.report();
}

void Simulator::control_limits(const Request &request, Response &response) {
    if (request.method == "POST")
        limits_.load(parse_json(request.body).get());
    response.body = limits_.report();
}

void Simulator::control_keys(const Request &request, Response &response) {
    bool done = false;
    if (request.method == "POST") {
        Json key = parse_json(request.body);
        done = api_.set_key(get_string(key.get(), "account"), read_key(key.get()));
    } else if (request.method == "DELETE") {
        done = api_.revoke_key(parameter(request, "key"));
    }
    if (!done)
        throw bad_control("no such account or key");
    response.body = "{}\n";
}

void Simulator::control(const Request &request, Response &response) {
    std::vector<std::string> parts = split(request.path);
    const std::string &what = parts[1];
    bool get = request.method == "GET";
    bool post = request.method == "POST";
    if (what == "stats" && get) {
        response.body = statistics();
    } else if (what == "ledger" && get) {
        std::string since = parameter(request, "since");
        response.content_type = "application/x-ndjson";
        response.body = ledger_.lines_since(since.empty() ? 0 : std::stoull(since));
    } else if (what == "writes" && get) {
        std::string since = parameter(request, "since");
        response.content_type = "application/x-ndjson";
        response.body = ledger_.lines_since(since.empty() ? 0 : std::stoull(since), true);
    } else if (what == "made" && get) {
        control_made(response);
    } else if (what == "reset" && post) {
        ledger_.reset();
        limits_.reset();
        api_.made().clear();
        faults_.clear();
        if (server_ != nullptr)
            server_->reset_counters();
        response.body = "{}\n";
    } else if (what == "latency" && post) {
        latency_ms_ = get_int(parse_json(request.body).get(), "ms", 0);
        response.body = "{}\n";
    } else if (what == "idempotency" && request.method == "DELETE") {
        api_.answered().forget();
        response.body = "{}\n";
    } else if (what == "keys") {
        control_keys(request, response);
    } else if (what == "limits") {
        control_limits(request, response);
    } else if (what == "faults") {
        control_faults(request, response);
    } else if (what == "accounts" && get) {
        for (const auto &store : api_.accounts())
            append_one_line(response.body, store->account_text()), response.body += '\n';
    } else if (what == "objects" && parts.size() >= 3) {
        control_objects(request, parts, response);
    } else if (!control_customers(parts, request, response) &&
               !control_running(what, request, response)) {
        throw unrecognized_url(request.method, request.path);
    }
}

Store &Simulator::account_of(const Request &request) {
    std::string account = parameter(request, "account");
    Store *store = api_.find_account(account);
    if (store == nullptr)
        throw bad_control("no such account: " + account);
    return *store;
}

void Simulator::control_objects(const Request &request, const std::vector<std::string> &parts,
                                Response &response) {
    Store *store = &account_of(request);
    const KindInfo *kind = find_kind(parts[2]);
    if (kind == nullptr)
        throw bad_control("no such kind: " + parts[2]);
    bool child = static_cast<size_t>(kind->kind) >= stored_kinds;
    if (parts.size() == 3 && request.method == "GET")
        return dump_objects(*store, *kind, parameter(request, "parents") == "1", response);
    if (parts.size() == 5 && parts[4] == "listed" && request.method == "POST" && !child) {
        std::optional<Key> key = store->find(kind->kind, parts[3]);
        if (!key)
            throw no_such(kind->name, parts[3], 404, "id");
        store->set_listed(kind->kind, *key,
                          get_bool(parse_json(request.body).get(), "listed", false));
        response.body = "{}\n";
        return;
    }
    if (parts.size() != 4 || child)
        throw bad_control("only a stored object can be changed");
    const std::string &id = parts[3];
    bool found = true;
    if (request.method == "POST")
        found = store->patch(kind->kind, id, parse_json(request.body).get());
    else if (request.method == "PUT")
        store->put(kind->kind, id, request.body);
    else if (request.method == "DELETE")
        found = store->remove(kind->kind, id);
    else if (request.method != "GET")
        throw unrecognized_url(request.method, request.path);
    std::optional<Key> key = store->find(kind->kind, id);
    if (!found || (!key && request.method == "GET"))
        throw no_such(kind->name, id, 404, "id");
    if (key)
        store->append_text(response.body, kind->kind, *key);
    response.body += '\n';
}

// The hidden owner of what does not name it: an entitlement's customer.
static std::string owner_of(Store &store, const KindInfo &kind, Key key) {
    if (kind.kind != Kind::active_entitlement)
        return {};
    return get_string(store.document(kind.kind, key).get(), "customer");
}

static void append_dumped(std::string &out, std::string_view text, const std::string &parent,
                          bool parents) {
    if (parents) {
        out += "{\"parent\": " + (parent.empty() ? "null" : quoted(parent)) + ", \"object\": ";
        append_one_line(out, text);
        out += "}\n";
        return;
    }
    append_one_line(out, text);
    out += '\n';
}

void Simulator::dump_objects(Store &store, const KindInfo &kind, bool parents, Response &response) {
    response.content_type = "application/x-ndjson";
    const ChildList *list = child_list(kind.kind);
    Kind walked = list != nullptr ? list->parent : kind.kind;
    Store::Walk walk{store, walked, true};
    std::string text;
    while (std::optional<Key> key = walk.next()) {
        if (list == nullptr) {
            text.clear();
            store.append_text(text, walked, *key);
            append_dumped(response.body, text, parents ? owner_of(store, kind, *key) : "", parents);
            continue;
        }
        std::string parent = store.id_of(walked, *key);
        auto children = store.children(kind.kind, parent);
        for (const Store::Child &one : *children)
            append_dumped(response.body, one.text, parent, parents);
    }
}

} // namespace stripe_sim
