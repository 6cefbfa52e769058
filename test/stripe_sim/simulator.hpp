// The simulator as a whole: API, faults, ledger and control behind one handler.
#pragma once

#include "api.hpp"
#include "faults.hpp"
#include "http_server.hpp"
#include "ledger.hpp"
#include "limits.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace stripe_sim {

struct SimulatorOptions {
    std::vector<AccountConfig> accounts;
    uint64_t seed = 1;
    int64_t latency_ms = 0;
    Limits::Settings limits;
    size_t cache_bytes = size_t{512} << 20;
    std::string faults;       ///< a script to start with, JSON; empty for none
    std::FILE *log = nullptr; ///< not owned
};

class Simulator {
  public:
    explicit Simulator(const SimulatorOptions &options);

    /// Answers one request, /v1 or /_sim. Never throws.
    void handle(const Request &request, Response &response);
    static bool is_control(const Request &request);
    /// Lets control requests report and reset the server's counters. Not owned.
    void set_server(HttpServer *server) { server_ = server; }
    Api &api() { return api_; }

  private:
    void handle_api(const Request &request, Response &response);
    void answer(const Request &request, const std::optional<Faults::Fired> &fired,
                Response &response);
    /// False: one of Stripe's limits is reached, and the answer says so.
    bool within_limits(const Request &request, Response &response, const std::string &account);
    void add_stripe_headers(Response &response);

    // control.cpp
    void handle_control(const Request &request, Response &response);
    void control(const Request &request, Response &response);
    void control_objects(const Request &request, const std::vector<std::string> &parts,
                         Response &response);
    void dump_objects(Store &store, const KindInfo &kind, bool parents, Response &response);
    void control_limits(const Request &request, Response &response);
    void control_keys(const Request &request, Response &response);
    void control_faults(const Request &request, Response &response);
    Store &account_of(const Request &request);

    // control_billing.cpp
    /// False when it is none of its endpoints.
    bool control_customers(const std::vector<std::string> &parts, const Request &request,
                           Response &response);
    void control_made(Response &response);

    // control_changes.cpp
    /// False when `what` is none of its endpoints.
    bool control_running(const std::string &what, const Request &request, Response &response);
    void control_changes(Store &store, const Request &request, Response &response);
    void control_make(Store &store, const Request &request, Response &response);
    void control_clock(const Request &request, Response &response);
    std::string statistics() const;

    Api api_;
    Faults faults_;
    Limits limits_;
    Ledger ledger_;
    HttpServer *server_ = nullptr;
    uint64_t seed_;
    uint64_t request_number_ = 0;
    int64_t latency_ms_;
    uint64_t draws_ = 0; ///< seeds what is random in each control request
};

} // namespace stripe_sim
