// The multi handle, its sockets in an epoll set of its own, its timer, and the pool of easy
// handles.
#include "http/curl_transport.hpp"

#include "core/error.hpp"
#include "http/base_url.hpp"
#include "http/curl_global.hpp"
#include "http/curl_transfer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <curl/curl.h>
#include <map>
#include <new>
#include <sys/epoll.h>
#include <unistd.h>

namespace billstack::http {

namespace {

constexpr int events_per_wait = 64;
constexpr int rounds_per_step = 8; // step() must return even if the peer is faster than we are

struct CloseEasy {
    void operator()(CURL *easy) const noexcept { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, CloseEasy>;

class CurlTransport final : public Transport {
  public:
    explicit CurlTransport(const CurlOptions &options);
    ~CurlTransport() override;

    RequestId start(Request request) override;
    void cancel(RequestId id) override;
    std::size_t in_flight() const override { return flights_.size() + refused_.size(); }
    int poll_fd() const override { return epoll_; }
    std::optional<core::Milliseconds> next_timeout() const override;
    void step(std::vector<Completion> &out) override;

    int on_socket(curl_socket_t socket, int what) noexcept;
    int on_timer(long timeout_ms) noexcept;

  private:
    // Order matters: the easy handle points into the transfer and must go first.
    struct Flight {
        std::unique_ptr<CurlTransfer> transfer;
        Easy easy;
    };
    using Flights = std::map<RequestId, Flight>;

    void open_multi();
    Easy take_easy();
    void keep_easy(Easy easy) noexcept;
    bool has_events() const;
    bool timer_is_due() const { return timer_ && *timer_ <= std::chrono::steady_clock::now(); }
    bool run_sockets_and_timer();
    void collect(std::vector<Completion> &out);
    void fail_everything(std::vector<Completion> &out);

    CurlOptions options_;
    BaseUrl base_;
    int epoll_ = -1;
    CURLM *multi_ = nullptr;
    std::optional<core::MonoTime> timer_;
    RequestId next_id_ = 1;
    Flights flights_;
    std::vector<Easy> pool_;
    std::vector<Completion> refused_; // given out by the next step
};

int socket_callback(CURL *, curl_socket_t socket, int what, void *transport, void *) noexcept {
    return static_cast<CurlTransport *>(transport)->on_socket(socket, what);
}

int timer_callback(CURLM *, long timeout_ms, void *transport) noexcept {
    return static_cast<CurlTransport *>(transport)->on_timer(timeout_ms);
}

CurlTransport::CurlTransport(const CurlOptions &options)
    : options_(options), base_(parse_base_url(options.base_url)) {
    require_curl();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0)
        throw core::Error(core::Code::internal, "could not create an epoll descriptor",
                          "The process may have too many open files.",
                          "Raise the limit of open files (ulimit -n).");
    try {
        pool_.reserve(static_cast<std::size_t>(std::max(1L, options_.max_connections)));
        open_multi();
    } catch (...) {
        close(epoll_);
        throw;
    }
}

CurlTransport::~CurlTransport() {
    const SignalBlock block;
    for (auto &[id, flight] : flights_)
        curl_multi_remove_handle(multi_, flight.easy.get());
    flights_.clear();
    pool_.clear();
    curl_multi_cleanup(multi_);
    close(epoll_);
}

void CurlTransport::open_multi() {
    multi_ = curl_multi_init();
    if (multi_ == nullptr)
        throw std::bad_alloc();
    const long most = std::max(1L, options_.max_connections);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &socket_callback);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, static_cast<void *>(this));
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &timer_callback);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, static_cast<void *>(this));
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, most);
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, most);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
}

Easy CurlTransport::take_easy() {
    Easy easy;
    if (!pool_.empty()) {
        easy = std::move(pool_.back());
        pool_.pop_back();
    } else {
        easy.reset(curl_easy_init());
    }
    if (!easy)
        throw std::bad_alloc();
    return easy;
}

// Reset, so that neither the key nor a pointer to the ended request stays in the handle.
void CurlTransport::keep_easy(Easy easy) noexcept {
    curl_easy_reset(easy.get());
    if (pool_.size() < pool_.capacity()) // no allocation here
        pool_.push_back(std::move(easy));
}

RequestId CurlTransport::start(Request request) {
    const RequestId id = next_id_++;
    std::string reason = reason_to_refuse(request);
    if (!reason.empty()) {
        Completion refused{id, {}};
        refused.response.failure = Failure::refused_here;
        refused.response.failure_text = std::move(reason);
        refused_.push_back(std::move(refused));
        return id;
    }
    const SignalBlock block;
    Flight flight;
    flight.easy = take_easy();
    flight.transfer =
        std::make_unique<CurlTransfer>(id, std::move(request), flight.easy.get(), options_, base_);
    CURL *easy = flight.easy.get();
    const auto place = flights_.emplace(id, std::move(flight)).first;
    if (curl_multi_add_handle(multi_, easy) != CURLM_OK) {
        flights_.erase(place);
        throw std::bad_alloc(); // the only cause left for a fresh handle
    }
    return id;
}

void CurlTransport::cancel(RequestId id) {
    std::erase_if(refused_, [&](const Completion &item) { return item.id == id; });
    const auto found = flights_.find(id);
    if (found == flights_.end())
        return;
    const SignalBlock block;
    curl_multi_remove_handle(multi_, found->second.easy.get());
    flights_.erase(found); // closed, not pooled: its resolver may still be running
}

std::optional<core::Milliseconds> CurlTransport::next_timeout() const {
    if (!refused_.empty())
        return core::Milliseconds(0);
    if (!timer_)
        return std::nullopt;
    const auto left =
        std::chrono::ceil<core::Milliseconds>(*timer_ - std::chrono::steady_clock::now());
    return std::max(left, core::Milliseconds(0));
}

int CurlTransport::on_socket(curl_socket_t socket, int what) noexcept {
    epoll_event event{};
    event.data.fd = socket;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, &event); // gone already when the socket is closed
        return 0;
    }
    event.events = ((what & CURL_POLL_IN) != 0 ? static_cast<unsigned>(EPOLLIN) : 0U) |
                   ((what & CURL_POLL_OUT) != 0 ? static_cast<unsigned>(EPOLLOUT) : 0U);
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event) == 0)
        return 0;
    return errno == ENOENT && epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0 ? 0 : -1;
}

int CurlTransport::on_timer(long timeout_ms) noexcept {
    if (timeout_ms < 0)
        timer_.reset();
    else
        timer_ = std::chrono::steady_clock::now() + core::Milliseconds(timeout_ms);
    return 0;
}

bool CurlTransport::has_events() const {
    epoll_event event{};
    return epoll_wait(epoll_, &event, 1, 0) > 0;
}

// False when the multi handle is dead: a callback failed for want of memory or descriptors.
bool CurlTransport::run_sockets_and_timer() {
    std::array<epoll_event, events_per_wait> events{};
    for (int round = 0; round < rounds_per_step; ++round) {
        const int count = epoll_wait(epoll_, events.data(), events_per_wait, 0);
        int running = 0;
        for (int i = 0; i < count; ++i) {
            const epoll_event &event = events[static_cast<std::size_t>(i)];
            const int mask = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                             ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                             ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
            if (curl_multi_socket_action(multi_, event.data.fd, mask, &running) != CURLM_OK)
                return false;
        }
        const bool due = timer_is_due();
        if (due) {
            timer_.reset(); // the callback sets the next one
            if (curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running) != CURLM_OK)
                return false;
        }
        if (count <= 0 && !due)
            return true;
    }
    return true;
}

void CurlTransport::collect(std::vector<Completion> &out) {
    int left = 0;
    out.reserve(out.size() + flights_.size()); // from here on nothing throws half-way
    while (CURLMsg *message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        const CURLcode code = message->data.result;
        char *owner = nullptr;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
        auto *transfer = reinterpret_cast<CurlTransfer *>(owner);
        const auto found = flights_.find(transfer->id());
        out.push_back({transfer->id(), transfer->take_response(code)});
        curl_multi_remove_handle(multi_, easy); // message is void from here
        if (code == CURLE_OK)
            keep_easy(std::move(found->second.easy));
        flights_.erase(found);
    }
}

void CurlTransport::fail_everything(std::vector<Completion> &out) {
    out.reserve(out.size() + flights_.size());
    for (auto &[id, flight] : flights_) {
        curl_multi_remove_handle(multi_, flight.easy.get());
        Completion failed{id, {}};
        failed.response.failure = Failure::connection;
        failed.response.failure_text = "out of memory or file descriptors";
        failed.response.may_have_been_sent = true;
        out.push_back(std::move(failed));
    }
    flights_.clear();
    pool_.clear();
    curl_multi_cleanup(multi_);
    multi_ = nullptr;
    timer_.reset();
    open_multi();
}

void CurlTransport::step(std::vector<Completion> &out) {
    // Asked many times for each answer: where nothing has come, one system call instead of five.
    if (multi_ != nullptr && refused_.empty() && !timer_is_due() && !has_events())
        return;
    const SignalBlock block;
    out.reserve(out.size() + refused_.size());
    for (Completion &refused : refused_)
        out.push_back(std::move(refused));
    refused_.clear();
    if (multi_ == nullptr)
        open_multi();
    const bool alive = run_sockets_and_timer();
    collect(out);
    if (!alive)
        fail_everything(out);
}

} // namespace

std::unique_ptr<Transport> make_curl_transport(const CurlOptions &options) {
    return std::make_unique<CurlTransport>(options);
}

} // namespace billstack::http
