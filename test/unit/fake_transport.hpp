// A transport and a clock that the test owns: requests are looked at and answered by hand. Builders
// of the bodies that Stripe sends.
#pragma once

#include "core/clock.hpp"
#include "http/transport.hpp"

#include <ctime>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace billstack::test {

class TestClock final : public core::Clock {
  public:
    core::MonoTime mono() const override {
        return core::MonoTime(std::chrono::hours(1000)) + passed;
    }
    std::int64_t unix_us() const override { return 77; } // must not matter
    core::Milliseconds passed{0};
};

class FakeTransport final : public http::Transport {
  public:
    http::RequestId start(http::Request request) override {
        requests.push_back(std::move(request));
        open.insert({requests.size(), true});
        return requests.size();
    }
    void cancel(http::RequestId id) override {
        open.erase(id);
        ++cancelled;
    }
    std::size_t in_flight() const override { return open.size(); }
    int poll_fd() const override { return -1; }
    std::optional<core::Milliseconds> next_timeout() const override { return timeout; }
    void step(std::vector<http::Completion> &out) override {
        for (auto &item : ready)
            out.push_back(std::move(item));
        ready.clear();
    }
    void answer(http::RequestId id, http::Response response) {
        ASSERT_EQ(open.erase(id), 1U);
        ready.push_back({id, std::move(response)});
    }

    std::vector<http::Request> requests; // the id is the place, from 1
    std::map<http::RequestId, bool> open;
    std::vector<http::Completion> ready;
    std::optional<core::Milliseconds> timeout;
    int cancelled = 0;
};

inline http::Response answered(int status, const std::string &body = "{}",
                               std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::Response response;
    response.status = status;
    response.body = body;
    response.headers = std::move(headers);
    return response;
}

inline http::Response failed(http::Failure failure, const std::string &text = "gone") {
    http::Response response;
    response.failure = failure;
    response.failure_text = text;
    return response;
}

// An answer with Stripe's clock; unix seconds.
inline http::Response answered_at(std::int64_t stripe_time, int status, const std::string &body) {
    const std::time_t time = stripe_time;
    std::tm parts{};
    gmtime_r(&time, &parts);
    char date[64];
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return answered(status, body, {{"date", date}, {"request-id", "req_7"}});
}

// What a GET asks for.
struct Asked {
    std::string path;
    std::map<std::string, std::string> params;
    bool operator==(const Asked &) const = default;
};

inline std::string decoded(const std::string &text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '%') {
            out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            out += text[i];
        }
    return out;
}

inline Asked asked_by(const http::Request &request) {
    Asked asked;
    std::size_t at = request.target.find('?');
    asked.path = request.target.substr(0, at);
    while (at != std::string::npos) {
        const std::size_t end = request.target.find('&', at + 1);
        const std::string pair = request.target.substr(at + 1, end - at - 1);
        const std::size_t equals = pair.find('=');
        EXPECT_TRUE(
            asked.params.emplace(decoded(pair.substr(0, equals)), decoded(pair.substr(equals + 1)))
                .second)
            << request.target;
        at = end;
    }
    return asked;
}

inline std::string list_of(const std::vector<std::string> &objects, bool has_more) {
    std::string body = R"({"object":"list","data":[)";
    for (const std::string &object : objects)
        body += (&object == objects.data() ? "" : ",") + object;
    return body + R"(],"has_more":)" + (has_more ? "true}" : "false}");
}

inline std::string object_of(const std::string &id, std::int64_t created,
                             const std::string &more = "") {
    return R"({"id":")" + id + R"(","created":)" + std::to_string(created) + more + "}";
}

// An object with one child list, e.g. an invoice with its lines.
inline std::string parent_of(const std::string &id, std::int64_t created, const std::string &field,
                             const std::vector<std::string> &children, bool has_more) {
    return object_of(id, created, R"(,")" + field + R"(":)" + list_of(children, has_more));
}

inline std::string error_of(const std::string &code, const std::string &param = "",
                            const std::string &message = "No such object") {
    return R"({"error":{"type":"invalid_request_error","code":")" + code + R"(","param":")" +
           param + R"(","message":")" + message + R"("}})";
}

} // namespace billstack::test
