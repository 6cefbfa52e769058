#include "pg/worker/worker_network.hpp"

#include "pg/config.hpp"

namespace billstack::pg {

namespace {

std::string describe_network() {
    return std::string(config::api_base()) + "\n" + config::ca_file() + "\n" +
           config::api_version() + "\n" + std::to_string(config::max_requests());
}

} // namespace

void WorkerNetwork::connect() {
    caller_.reset();
    transport_.reset();
    http::CurlOptions options;
    options.base_url = config::api_base();
    options.ca_file = config::ca_file();
    options.user_agent = "billstack/" BILLSTACK_VERSION;
    options.max_connections = config::max_requests() + 4;
    transport_ = http::make_curl_transport(options);
    std::uint64_t seed = 0;
    if (!pg_strong_random(&seed, sizeof(seed))) {
        seed = static_cast<std::uint64_t>(clock_.unix_us());
    }
    stripe::CallerOptions caller_options;
    caller_options.api_version = config::api_version();
    caller_options.max_in_flight = config::max_requests();
    caller_options.gate = &gate_;
    caller_ = std::make_unique<stripe::Caller>(*transport_, clock_, caller_options, seed);
    settings_ = describe_network();
    watch_socket();
}

bool WorkerNetwork::is_outdated() const {
    return describe_network() != settings_;
}

// The set lives as long as the transport: its one socket is the transport's epoll descriptor.
void WorkerNetwork::watch_socket() {
    int socket = transport_->poll_fd();
    if (wait_set_ != nullptr) {
        FreeWaitEventSet(wait_set_);
        wait_set_ = nullptr;
    }
    wait_set_ = call([&] {
        WaitEventSet *set = create_wait_event_set(3);
        AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
        AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
        AddWaitEventToSet(set, WL_SOCKET_READABLE, socket, nullptr, nullptr);
        return set;
    });
}

void WorkerNetwork::wait(core::Milliseconds timeout) {
    static uint32 event = 0;
    if (auto network = caller_->next_timeout(); network && *network < timeout) {
        timeout = *network;
    }
    long milliseconds = std::max<long>(0, static_cast<long>(timeout.count()));
    call([&] {
        if (event == 0) {
            event = wait_event("BillstackWorker");
        }
        WaitEvent occurred[3];
        int count = WaitEventSetWait(wait_set_, milliseconds, occurred, 3, event);
        for (int i = 0; i < count; ++i) {
            if (occurred[i].events & WL_LATCH_SET) {
                ResetLatch(MyLatch);
            }
        }
    });
}

} // namespace billstack::pg
