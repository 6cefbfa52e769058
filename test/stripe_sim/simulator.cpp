// See simulator.hpp.
#include "simulator.hpp"

#include "api_error.hpp"
#include "rng.hpp"

#include <ctime>

namespace stripe_sim {

Simulator::Simulator(const SimulatorOptions &options)
    : api_{options.accounts, options.cache_bytes}, faults_{options.seed}, seed_{options.seed},
      latency_ms_{options.latency_ms} {
    ledger_.set_log(options.log);
    limits_.set(options.limits);
    if (!options.faults.empty())
        faults_.load(parse_json(options.faults).get(), false);
}

bool Simulator::is_control(const Request &request) {
    return request.path.starts_with("/_sim/");
}

void Simulator::handle(const Request &request, Response &response) {
    if (is_control(request))
        handle_control(request, response);
    else
        handle_api(request, response);
}

void Simulator::add_stripe_headers(Response &response) {
    std::time_t now = api_.clock().now();
    std::tm parts{};
    gmtime_r(&now, &parts);
    char date[40];
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    response.headers.emplace_back("Date", date);
    std::string id;
    IdCodec{seed_}.append_foreign(id, "req_", 14, ++request_number_);
    response.headers.emplace_back("Request-Id", id);
}

void Simulator::answer(const Request &request, const std::optional<Faults::Fired> &fired,
                       Response &response) {
    bool stored = fired && Faults::is_stored(*fired);
    if (fired && (Faults::has_effect(*fired) || stored)) {
        // A key with an answer, or a request the API refuses, is answered by the API itself.
        if (api_.is_kept(request) || Faults::has_effect(*fired)) {
            bool kept = api_.is_kept(request);
            api_.handle(request, response);
            if (kept || response.status >= 400)
                return;
        }
        Faults::replace_answer(*fired, request, response);
        if (stored)
            api_.keep(request, response);
        return;
    }
    if (!fired || !Faults::replace_answer(*fired, request, response))
        api_.handle(request, response);
}

bool Simulator::within_limits(const Request &request, Response &response,
                              const std::string &account) {
    if (account.empty())
        return true; // an unknown key
    Limits::Time now = std::chrono::steady_clock::now();
    std::string operation = request.method + " " + path_template(request.path);
    std::string reason = limits_.admit(account, operation, now);
    if (reason.empty()) {
        limits_.note_end(account, operation, now + std::chrono::milliseconds{response.delay_ms});
        return true;
    }
    response.status = 429;
    response.body = error_body(rate_limited());
    response.set_header("Stripe-Rate-Limited-Reason", reason);
    if (int64_t seconds = limits_.settings().retry_after; seconds > 0)
        response.set_header("Retry-After", std::to_string(seconds));
    return false;
}

void Simulator::handle_api(const Request &request, Response &response) {
    add_stripe_headers(response);
    response.delay_ms = latency_ms_;
    std::string account;
    if (const Store *store = api_.caller_account(request))
        account = store->config().id;
    std::string fault;
    if (within_limits(request, response, account)) {
        std::optional<Faults::Fired> fired = faults_.next(request);
        answer(request, fired, response);
        if (fired) {
            Faults::bend_answer(*fired, response);
            fault = fired->name;
        }
        if (response.delay_ms > 0)
            api_.hold(request, response.delay_ms);
    }
    ledger_.record(request, response, fault, account);
}

} // namespace stripe_sim
