// See http_server.hpp.
#include "http_server.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace stripe_sim {

HttpServer::HttpServer(uint16_t port, std::unique_ptr<ChannelFactory> channels, Handler handler)
    : channels_{std::move(channels)}, handler_{std::move(handler)} {
    listen_on(port);
}

HttpServer::~HttpServer() {
    for (auto &[id, connection] : connections_)
        close(connection->fd);
    close(listen_fd_);
    close(epoll_fd_);
}

void HttpServer::listen_on(uint16_t port) {
    listen_fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listen_fd_, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 ||
        listen(listen_fd_, 1024) != 0)
        throw std::runtime_error{"cannot listen on 127.0.0.1:" + std::to_string(port) + ": " +
                                 std::strerror(errno)};
    socklen_t size = sizeof address;
    getsockname(listen_fd_, reinterpret_cast<sockaddr *>(&address), &size);
    port_ = ntohs(address.sin_port);
    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = 0;
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, listen_fd_, &event);
}

void HttpServer::reset_counters() {
    uint64_t open = counters_.open;
    uint64_t concurrent = counters_.concurrent;
    counters_ = ServerCounters{};
    counters_.open = open;
    counters_.concurrent = counters_.max_concurrent = concurrent;
}

void HttpServer::run() {
    epoll_event events[128];
    while (stopping_ == 0) {
        int count = epoll_wait(epoll_fd_, events, 128, next_timeout());
        for (int i = 0; i < count && stopping_ == 0; ++i) {
            if (events[i].data.u64 == 0) {
                accept_all();
                continue;
            }
            auto found = connections_.find(events[i].data.u64);
            if (found != connections_.end())
                on_event(*found->second, events[i].events);
        }
        while (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
            uint64_t id = timers_.begin()->second;
            timers_.erase(timers_.begin());
            on_timer(id);
        }
    }
}

int HttpServer::next_timeout() const {
    if (timers_.empty())
        return -1;
    auto left = timers_.begin()->first - Clock::now();
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<int64_t>(ms, 0, 60000));
}

void HttpServer::accept_all() {
    for (;;) {
        int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto connection = std::make_unique<Connection>();
        connection->fd = fd;
        connection->id = next_id_++;
        connection->channel = channels_->make(fd);
        connection->events = EPOLLIN | EPOLLRDHUP;
        epoll_event event{};
        event.events = connection->events;
        event.data.u64 = connection->id;
        epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event);
        ++counters_.accepted;
        ++counters_.open;
        connections_[connection->id] = std::move(connection);
    }
}

void HttpServer::want(Connection &connection, uint32_t events) {
    if (connection.events == events)
        return;
    epoll_event event{};
    event.events = connection.events = events;
    event.data.u64 = connection.id;
    epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, connection.fd, &event);
}

void HttpServer::close_connection(Connection &connection) {
    if (connection.counted)
        --counters_.concurrent;
    --counters_.open;
    close(connection.fd);
    uint64_t id = connection.id;
    connections_.erase(id); // ends the life of `connection`
}

void HttpServer::add_timer(const Connection &connection, int64_t ms) {
    timers_.emplace(Clock::now() + std::chrono::milliseconds{ms}, connection.id);
}

void HttpServer::on_event(Connection &connection, uint32_t events) {
    bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
    // While an answer waits or hangs nothing is read, so that the peer's leaving shows here.
    bool idle = connection.state == State::waiting || connection.state == State::hanging;
    if (gone || (idle && (events & EPOLLRDHUP) != 0))
        return close_connection(connection);
    drive(connection.id);
}

// Carries a connection as far as it goes now.
void HttpServer::drive(uint64_t id) {
    for (;;) {
        auto found = connections_.find(id);
        if (found == connections_.end())
            return;
        Connection &connection = *found->second;
        if (connection.state == State::reading) {
            if (!start_request(connection) && !fill_input(connection))
                return;
        } else if (connection.state == State::writing) {
            if (!send_some(connection))
                return;
        } else {
            return;
        }
    }
}

// Reads once; false when there is nothing to read now, or the connection is closed.
bool HttpServer::fill_input(Connection &connection) {
    char buffer[65536];
    Channel::Result got = connection.channel->read(buffer, sizeof buffer);
    switch (got.state) {
    case Channel::State::done:
        counters_.bytes_in += got.bytes;
        connection.input.append(buffer, got.bytes);
        return true;
    case Channel::State::want_read:
        want(connection, EPOLLIN | EPOLLRDHUP);
        return false;
    case Channel::State::want_write:
        want(connection, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
        return false;
    case Channel::State::closed:
        break;
    }
    close_connection(connection);
    return false;
}

// True when a request was taken from the input and answered in some way.
bool HttpServer::start_request(Connection &connection) {
    bool expects_continue = false;
    ParseState parsed = take_request(connection.input, connection.request, expects_continue);
    if (parsed == ParseState::incomplete) {
        if (expects_continue && !connection.continued) {
            connection.continued = true;
            static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
            iovec part{text, sizeof text - 1};
            connection.channel->write(&part, 1);
        }
        return false;
    }
    connection.continued = false;
    connection.response.reset();
    if (parsed == ParseState::bad) {
        connection.input.clear();
        connection.request = Request{};
        connection.response.status = 400;
        connection.response.close = true;
    } else {
        connection.counted = !counted_ || counted_(connection.request);
        if (connection.counted) {
            ++counters_.concurrent;
            counters_.max_concurrent = std::max(counters_.max_concurrent, counters_.concurrent);
        }
        handler_(connection.request, connection.response);
    }
    prepare(connection);
    return true;
}

void HttpServer::prepare(Connection &connection) {
    Response &response = connection.response;
    connection.close_after = response.close || response.cut != Response::Cut::none ||
                             response.bad_length || connection.request.wants_close();
    connection.head =
        response_head(response, connection.close_after && response.cut == Response::Cut::none);
    size_t head = connection.head.size();
    connection.sent = 0;
    connection.end = head + response.body.size();
    if (response.cut == Response::Cut::before)
        connection.end = 0;
    else if (response.cut == Response::Cut::headers)
        connection.end = head / 2;
    else if (response.cut == Response::Cut::body)
        connection.end = head + response.body.size() / 2;
    bool slow = response.slow_bytes > 0;
    connection.allowed = slow ? std::min(connection.end, head) : connection.end;
    if (response.hang) {
        connection.state = State::hanging;
        want(connection, EPOLLRDHUP);
    } else if (response.delay_ms > 0) {
        connection.state = State::waiting;
        want(connection, EPOLLRDHUP);
        add_timer(connection, response.delay_ms);
    } else {
        connection.state = State::writing;
    }
}

bool HttpServer::send_some(Connection &connection) {
    std::string &head = connection.head;
    std::string &body = connection.response.body;
    while (connection.sent < connection.allowed) {
        size_t from_head = connection.sent < head.size()
                               ? std::min(connection.allowed, head.size()) - connection.sent
                               : 0;
        size_t body_at = connection.sent > head.size() ? connection.sent - head.size() : 0;
        size_t from_body = connection.allowed - connection.sent - from_head;
        iovec parts[2] = {{head.data() + (from_head > 0 ? connection.sent : 0), from_head},
                          {body.data() + body_at, from_body}};
        Channel::Result result = connection.channel->write(parts, 2);
        if (result.state == Channel::State::closed) {
            close_connection(connection);
            return false;
        }
        if (result.state != Channel::State::done) {
            want(connection, result.state == Channel::State::want_write ? EPOLLOUT : EPOLLIN);
            return false;
        }
        connection.sent += result.bytes;
        counters_.bytes_out += result.bytes;
    }
    if (connection.sent < connection.end) {
        connection.state = State::waiting;
        want(connection, EPOLLRDHUP);
        add_timer(connection, connection.response.slow_every_ms);
        return false;
    }
    finish(connection);
    return true;
}

void HttpServer::finish(Connection &connection) {
    if (connection.close_after)
        return close_connection(connection);
    if (connection.counted)
        --counters_.concurrent;
    connection.counted = false;
    connection.state = State::reading;
    want(connection, EPOLLIN | EPOLLRDHUP);
}

void HttpServer::on_timer(uint64_t id) {
    auto found = connections_.find(id);
    if (found == connections_.end() || found->second->state != State::waiting)
        return;
    Connection &connection = *found->second;
    if (connection.sent > 0 || connection.response.delay_ms == 0)
        connection.allowed =
            std::min(connection.end, connection.allowed + connection.response.slow_bytes);
    connection.response.delay_ms = 0;
    connection.state = State::writing;
    drive(id);
}

} // namespace stripe_sim
