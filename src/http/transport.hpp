// HTTP as the layers above see it: requests go in, completions come out of step(). Nothing blocks.
// The caller waits on poll_fd() (readable = step() has work) and on next_timeout().
#pragma once
#include "core/clock.hpp"
#include "core/secret_bytes.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace billstack::http {

using RequestId = std::uint64_t;

struct Request {
    std::string method = "GET"; // GET, POST or DELETE
    std::string target;         // path and query, already encoded; starts with '/'
    std::vector<std::pair<std::string, std::string>> headers; // values: bytes 0x21..0x7e and space
    std::shared_ptr<const core::SecretBytes> bearer;          // sent as Authorization: Bearer
    std::string body;                                         // form-encoded; POST only
    core::Milliseconds timeout{30000};                        // whole transfer, DNS included
    std::size_t max_response = 32u << 20; // bytes of body; more ends the transfer
    // The answer holds a secret: its body is kept apart, wiped when dropped, and 64 KiB at most.
    bool secret_answer = false;
};

enum class Failure {
    none,         // an HTTP answer arrived, whatever its status
    dns,          // name not resolved
    connect,      // refused or unreachable
    tls,          // certificate or handshake refused
    timeout,      // deadline passed
    connection,   // cut while sending or receiving
    too_large,    // response over max_response
    bad_response, // not HTTP
    refused_here  // the request itself is not allowed (scheme, host, header bytes)
};

struct Response {
    Failure failure = Failure::none;
    std::string failure_text; // libcurl's words; no secret in it
    int status = 0;
    // Lower-case names; only the few that matter: content-type, date, request-id, retry-after,
    // stripe-should-retry, stripe-rate-limited-reason, idempotent-replayed, stripe-version.
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::shared_ptr<const core::SecretBytes> secret_body; // in its place, where so asked
    // The bytes may have reached the server: a POST without idempotency key must not be repeated.
    bool may_have_been_sent = false;

    std::string_view content() const {
        return secret_body ? secret_body->view() : std::string_view(body);
    }
    const std::string *header(std::string_view lower_case_name) const;
};

struct Completion {
    RequestId id;
    Response response;
};

class Transport {
  public:
    virtual ~Transport() = default;
    virtual RequestId start(Request request) = 0;
    // Forgets the request; no completion follows. Returns at once whatever the network does.
    virtual void cancel(RequestId id) = 0;
    virtual std::size_t in_flight() const = 0;
    virtual int poll_fd() const = 0;
    // How long the caller may wait before step() must be called; nullopt = until poll_fd is
    // readable.
    virtual std::optional<core::Milliseconds> next_timeout() const = 0;
    // Moves every transfer on and appends what has ended.
    virtual void step(std::vector<Completion> &out) = 0;
};

} // namespace billstack::http
