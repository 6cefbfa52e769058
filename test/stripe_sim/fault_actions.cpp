// What a fault does to an answer.
#include "faults.hpp"

#include "api.hpp"
#include "api_error.hpp"
#include "rng.hpp"

namespace stripe_sim {

static void add_headers(const json_t *action, Response &response) {
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(action, "headers"), name, value) {
        if (json_is_string(value))
            response.set_header(name, json_string_value(value));
    }
    if (json_is_true(json_object_get(action, "no_request_id")))
        std::erase_if(response.headers, [](const auto &one) { return one.first == "Request-Id"; });
}

static ApiError default_error(int status) {
    switch (status) {
    case 401:
        return {401, "Invalid API Key provided: sk_test_***"};
    case 409:
        return {409, "There is currently another in-progress request using this Idempotent Key.",
                "idempotency_key_in_use", "", "idempotency_error"};
    case 429:
        return rate_limited();
    default:
        if (status >= 500)
            return {status, "An unknown error occurred.", "", "", "api_error"};
        return {status, "The request was refused."};
    }
}

static void answer_status(const json_t *action, Response &response) {
    response.status = static_cast<int>(get_int(action, "status", 500));
    ApiError error = default_error(response.status);
    error.message = get_string(action, "message", error.message);
    error.code = get_string(action, "code", error.code);
    const json_t *body = json_object_get(action, "body");
    if (json_is_string(body))
        response.body.assign(json_string_value(body), json_string_length(body));
    else if (body != nullptr)
        response.body = pretty(body);
    else
        response.body = error_body(error);
    if (const json_t *seconds = json_object_get(action, "retry_after"))
        response.set_header("Retry-After", compact(seconds));
    if (std::string reason = get_string(action, "reason"); !reason.empty())
        response.set_header("Stripe-Rate-Limited-Reason", reason);
}

static void answer_garbage(const std::string &sort, uint64_t draw, Response &response) {
    if (sort == "binary") {
        Rng rng{draw};
        for (int i = 0; i < 4096; ++i)
            response.body += static_cast<char>(rng.next() & 0xff);
    } else if (sort == "html") {
        response.content_type = "text/html";
        response.body = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>"
                        "<h1>502 Bad Gateway</h1></body>\r\n</html>\r\n";
    } else if (sort == "deep") {
        response.body = "{\"object\": \"list\", \"data\": " + std::string(100000, '[') +
                        std::string(100000, ']') + ", \"has_more\": false}";
    }
    // "empty" stays empty.
}

static void answer_redirect(const json_t *action, Response &response) {
    response.status = static_cast<int>(get_int(action, "status", 302));
    response.set_header("Location", get_string(action, "redirect"));
}

static void answer_echo_key(const json_t *action, const Request &request, Response &response) {
    response.status = static_cast<int>(get_int(action, "status", 401));
    std::string key = caller_key(request);
    ApiError error{response.status, "Invalid API Key provided: " + key, "echo_" + key, key};
    response.body = error_body(error);
}

static void answer_oversize(size_t bytes, Response &response) {
    static constexpr std::string_view head = "{\"object\": \"list\", \"pad\": \"";
    static constexpr std::string_view tail = "\", \"data\": [], \"has_more\": false}";
    response.body = head;
    if (bytes > head.size() + tail.size())
        response.body.append(bytes - head.size() - tail.size(), 'x');
    response.body += tail;
}

// One of 429, 500, 503, cut before, cut body, truncated JSON.
static unsigned random_choice(uint64_t draw) {
    return static_cast<unsigned>(draw % 6);
}

bool Faults::replace_answer(const Fired &fired, const Request &request, Response &response) {
    const json_t *action = fired.action;
    auto has = [&](const char *name) { return json_object_get(action, name) != nullptr; };
    bool replaced = true;
    std::string garbage = get_string(action, "garbage");
    if (has("random") && random_choice(fired.draw) < 3) {
        static constexpr int statuses[] = {429, 500, 503};
        response.status = statuses[random_choice(fired.draw)];
        response.body = error_body(default_error(response.status));
    } else if (has("redirect")) {
        answer_redirect(action, response);
    } else if (has("echo_key")) {
        answer_echo_key(action, request, response);
    } else if (!garbage.empty() && garbage != "truncated_json") {
        response.status = static_cast<int>(get_int(action, "status", 200));
        answer_garbage(garbage, fired.draw, response);
    } else if (has("oversize_bytes")) {
        answer_oversize(static_cast<size_t>(get_int(action, "oversize_bytes", 0)), response);
    } else if (has("status")) {
        answer_status(action, response);
    } else {
        // Cut in the request: it never arrives.
        replaced = get_bool(action, "hang", false) || get_string(action, "cut") == "request";
    }
    return replaced;
}

bool Faults::has_effect(const Fired &fired) {
    return get_bool(fired.action, "effect", false);
}

bool Faults::is_stored(const Fired &fired) {
    return get_bool(fired.action, "stored", false);
}

void Faults::bend_answer(const Fired &fired, Response &response) {
    const json_t *action = fired.action;
    unsigned choice = json_object_get(action, "random") != nullptr ? random_choice(fired.draw) : 0;
    std::string cut = choice == 3 ? "before" : choice == 4 ? "body" : get_string(action, "cut");
    if (cut == "before" || cut == "request")
        response.cut = Response::Cut::before;
    else if (cut == "headers")
        response.cut = Response::Cut::headers;
    else if (cut == "body")
        response.cut = Response::Cut::body;
    if (choice == 5 || get_string(action, "garbage") == "truncated_json")
        response.body.resize(response.body.size() / 2);
    response.hang = get_bool(action, "hang", false);
    response.bad_length = get_bool(action, "bad_length", false);
    response.delay_ms += get_int(action, "delay_ms", 0);
    if (const json_t *slow = json_object_get(action, "slow_body")) {
        response.slow_bytes = static_cast<size_t>(get_int(slow, "bytes", 1));
        response.slow_every_ms = get_int(slow, "every_ms", 100);
    }
    add_headers(action, response);
}

} // namespace stripe_sim
