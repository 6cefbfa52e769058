// Transport over libcurl's multi-socket interface; its sockets live in one epoll descriptor, so the
// worker waits for the network and for its latch in a single wait.
#pragma once
#include "http/transport.hpp"

#include <memory>
#include <string>

namespace billstack::http {

struct CurlOptions {
    std::string base_url = "https://api.stripe.com"; // scheme://host[:port], no path
    std::string ca_file;                             // empty: the system's bundle
    std::string user_agent;
    long max_connections = 32;
};

// Throws core::Error(bad_argument) when base_url is neither https nor http to a loopback address
// (127.0.0.0/8, [::1] or localhost). Peer and host verification cannot be switched off.
void check_base_url(const std::string &base_url);

// Each call: one thread only. Destroying it drops all transfers at once (CURLOPT_QUICK_EXIT).
std::unique_ptr<Transport> make_curl_transport(const CurlOptions &options);

} // namespace billstack::http
