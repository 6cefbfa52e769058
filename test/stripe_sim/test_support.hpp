// What the simulator's tests share: a simulator without sockets and the answers as JSON.
#pragma once

#include "json_util.hpp"
#include "simulator.hpp"

#include <string>
#include <vector>

namespace stripe_sim::test {

inline AccountConfig small_account(uint64_t seed = 5) {
    AccountConfig account;
    account.seed = seed;
    account.sizes = {230, 12, 40, 300, 1200, 1300, 1};
    account.keys = {{"sk_test_unit000000000000", {}},
                    {"rk_test_unit000000000000", {"invoice", "account"}}};
    complete_account(account);
    return account;
}

inline Request make_request(const std::string &method, const std::string &target,
                            const std::string &body = {},
                            const std::string &key = "sk_test_unit000000000000") {
    Request request;
    request.method = method;
    size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos)
        request.query = target.substr(question + 1);
    request.headers = {{"authorization", "Bearer " + key}};
    request.body = body;
    return request;
}

struct Sim {
    explicit Sim(uint64_t seed = 5, size_t cache_bytes = size_t{64} << 20)
        : simulator{options(seed, cache_bytes)} {}

    static SimulatorOptions options(uint64_t seed, size_t cache_bytes) {
        SimulatorOptions out;
        out.accounts = {small_account(seed)};
        out.seed = seed;
        out.cache_bytes = cache_bytes;
        return out;
    }

    Response ask(const Request &request) {
        Response response;
        simulator.handle(request, response);
        return response;
    }
    Response get(const std::string &target) { return ask(make_request("GET", target)); }
    Response post(const std::string &target, const std::string &body) {
        return ask(make_request("POST", target, body));
    }

    /// The ids of a page.
    std::vector<std::string> page(const std::string &target) {
        Response response = get(target);
        last = parse_json(response.body);
        return ids(json_object_get(last.get(), "data"));
    }
    bool has_more() const { return json_is_true(json_object_get(last.get(), "has_more")); }

    static std::vector<std::string> ids(const json_t *data) {
        std::vector<std::string> out;
        for (size_t i = 0; i < json_array_size(data); ++i)
            out.push_back(get_string(json_array_get(data, i), "id"));
        return out;
    }

    /// Every object of a kind, as the control endpoint tells.
    std::vector<Json> all(const std::string &kind) {
        std::vector<Json> out;
        std::string text = get("/_sim/objects/" + kind).body;
        for (size_t at = 0; at < text.size();) {
            size_t end = text.find('\n', at);
            out.push_back(parse_json(std::string_view{text}.substr(at, end - at)));
            at = end + 1;
        }
        return out;
    }

    std::string error(const std::string &target, const char *member) {
        Json body = parse_json(get(target).body);
        return get_string(json_object_get(body.get(), "error"), member);
    }

    Simulator simulator;
    Json last;
};

} // namespace stripe_sim::test
