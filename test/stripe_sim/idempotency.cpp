// See idempotency.hpp.
#include "idempotency.hpp"

#include "api_error.hpp"

#include <algorithm>

namespace stripe_sim {

static constexpr int64_t kept_seconds = 86400;

static std::string name_of(const std::string &account, const Request &request) {
    std::string_view key = request.header("idempotency-key");
    if (key.empty() || request.method != "POST")
        return {};
    if (key.size() > 255)
        throw ApiError{400, "Idempotency keys must be 255 characters or less.", "", "",
                       "idempotency_error"};
    return account + " " + std::string{key};
}

static std::string parameters_of(const Request &request) {
    std::vector<Parameter> given = parse_query(request.body);
    std::stable_sort(given.begin(), given.end(), [](const Parameter &one, const Parameter &other) {
        return one.full_name < other.full_name;
    });
    std::string out = request.query;
    for (const Parameter &one : given)
        out += "\n" + one.full_name + "=" + one.value;
    return out;
}

static std::string other_key(const Request &request) {
    return " Try using a key other than '" + std::string{request.header("idempotency-key")} +
           "' if you meant to execute a different request.";
}

bool IdempotencyKeys::replay(const std::string &account, const Request &request,
                             const SimClock &clock, Response &response) {
    auto found = answers_.find(name_of(account, request));
    if (found == answers_.end())
        return false;
    const Answer &kept = found->second;
    if (clock.now() - kept.at >= kept_seconds) {
        answers_.erase(found);
        return false;
    }
    if (kept.path != request.path)
        throw ApiError{400,
                       "Keys for idempotent requests can only be used for the same endpoint they "
                       "were first used for ('" +
                           request.path + "' vs '" + kept.path + "')." + other_key(request),
                       "", "", "idempotency_error"};
    if (kept.asked != parameters_of(request))
        throw ApiError{400,
                       "Keys for idempotent requests can only be used with the same parameters "
                       "they were first used with." +
                           other_key(request),
                       "", "", "idempotency_error"};
    if (std::chrono::steady_clock::now() < kept.out)
        throw ApiError{409,
                       "There is currently another in-progress request using this Idempotent Key "
                       "(that probably means you submitted twice, and the other request is still "
                       "going through): " +
                           std::string{request.header("idempotency-key")},
                       "idempotency_key_in_use", "", "idempotency_error"};
    response.status = kept.status;
    response.body = kept.body;
    response.headers.emplace_back("Idempotent-Replayed", "true");
    response.headers.emplace_back("Original-Request", kept.request_id);
    return true;
}

void IdempotencyKeys::keep(const std::string &account, const Request &request,
                           const SimClock &clock, const Response &response) {
    std::string name = name_of(account, request);
    if (name.empty())
        return;
    Answer answer{
        request.path, parameters_of(request), clock.now(), response.status, response.body, {}, {}};
    for (const auto &[header, value] : response.headers)
        if (header == "Request-Id")
            answer.request_id = value;
    answers_[name] = std::move(answer);
}

void IdempotencyKeys::hold(const std::string &account, const Request &request, int64_t ms) {
    auto found = answers_.find(name_of(account, request));
    if (found != answers_.end())
        found->second.out = std::chrono::steady_clock::now() + std::chrono::milliseconds{ms};
}

} // namespace stripe_sim
