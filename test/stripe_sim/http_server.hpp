// A single-threaded HTTP/1.1 server on loopback: epoll, keep-alive, and answers that may come late,
// slowly, cut or never.
//
// A connection is reading (a request), waiting (for the answer's time), writing, or hanging (it
// never answers). reading -> waiting|writing|hanging; waiting -> writing; writing ->
// reading|closed.
#pragma once

#include "channel.hpp"
#include "request.hpp"
#include "response.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace stripe_sim {

struct ServerCounters {
    uint64_t accepted = 0;
    uint64_t open = 0;
    uint64_t concurrent = 0; ///< requests taken and not yet answered
    uint64_t max_concurrent = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
};

class HttpServer {
  public:
    using Handler = std::function<void(const Request &, Response &)>;

    /// Listens on 127.0.0.1. Port 0 takes a free one. Throws std::runtime_error.
    HttpServer(uint16_t port, std::unique_ptr<ChannelFactory> channels, Handler handler);
    ~HttpServer();
    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;

    uint16_t port() const { return port_; }
    /// Requests to control paths do not count as concurrent, see `counted`.
    const ServerCounters &counters() const { return counters_; }
    void reset_counters();
    /// Tells which requests count as concurrent; all by default.
    void set_counted(std::function<bool(const Request &)> counted) {
        counted_ = std::move(counted);
    }

    /// Serves until stop() is called, from a handler or a signal handler.
    void run();
    void stop() { stopping_ = 1; }

  private:
    using Clock = std::chrono::steady_clock;
    enum class State { reading, waiting, writing, hanging };
    struct Connection {
        int fd = -1;
        uint64_t id = 0;
        std::unique_ptr<Channel> channel;
        State state = State::reading;
        std::string input;
        Request request;
        Response response;
        std::string head;
        size_t sent = 0;    ///< of head and body together
        size_t allowed = 0; ///< may be sent by now
        size_t end = 0;     ///< where sending stops
        bool close_after = false;
        bool counted = false;
        bool continued = false;
        uint32_t events = 0;
    };

    void listen_on(uint16_t port);
    void accept_all();
    void on_event(Connection &connection, uint32_t events);
    void drive(uint64_t id);
    bool fill_input(Connection &connection);
    bool start_request(Connection &connection);
    void prepare(Connection &connection);
    /// False when the connection is closed or must wait.
    bool send_some(Connection &connection);
    void finish(Connection &connection);
    void close_connection(Connection &connection);
    void want(Connection &connection, uint32_t events);
    void add_timer(const Connection &connection, int64_t ms);
    void on_timer(uint64_t id);
    int next_timeout() const;

    int listen_fd_ = -1;
    int epoll_fd_ = -1;
    uint16_t port_ = 0;
    uint64_t next_id_ = 1;
    std::unique_ptr<ChannelFactory> channels_;
    Handler handler_;
    std::function<bool(const Request &)> counted_;
    ServerCounters counters_;
    std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
    std::multimap<Clock::time_point, uint64_t> timers_;
    std::atomic<int> stopping_ = 0; // set by signal handlers too
};

} // namespace stripe_sim
