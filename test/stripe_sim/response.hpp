// An answer and how it is delivered: whole, late, slowly, cut off or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stripe_sim {

struct Response {
    enum class Cut { none, before, headers, body };

    int status = 200;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    int64_t delay_ms = 0;
    Cut cut = Cut::none;
    bool hang = false;       ///< never answers, keeps the connection
    bool bad_length = false; ///< announces more bytes than it sends, then closes
    bool close = false;
    size_t slow_bytes = 0; ///< pieces of the body; 0: all at once
    int64_t slow_every_ms = 0;

    /// Ready for the next request, with the memory of the last body.
    void reset() {
        std::string kept = std::move(body);
        kept.clear();
        *this = Response{};
        body = std::move(kept);
    }
    void set_header(std::string_view name, std::string_view value);
};

std::string_view reason_phrase(int status);
/// The status line and headers, the blank line included.
std::string response_head(const Response &response, bool close);

} // namespace stripe_sim
