// One request on one libcurl easy handle: checks it, sets the options, collects the answer.
// The transport drives it; nothing here touches the multi handle.
#pragma once
#include "core/pure.hpp"

#include "http/transport.hpp"

#include <cstddef>
#include <memory>
#include <string>

struct curl_slist;

namespace billstack::http {

struct CurlOptions;
struct BaseUrl;

// Empty, or why the request may not be sent (Failure::refused_here). The text holds no value of it.
std::string reason_to_refuse(const Request &request);

class CurlTransfer {
  public:
    // Sets every option on `easy`, which stays the caller's. Both referenced settings need live
    // only during the call. Throws std::bad_alloc, core::Error(internal).
    CurlTransfer(RequestId id, Request request, void *easy, const CurlOptions &options,
                 const BaseUrl &base);
    // The handle must have been reset or closed before: it points into this object.
    ~CurlTransfer() = default;
    CurlTransfer(const CurlTransfer &) = delete;
    CurlTransfer &operator=(const CurlTransfer &) = delete;

    RequestId id() const { return id_; }
    void *easy() const { return easy_; }
    // The answer, once libcurl has reported the transfer's end with this CURLcode.
    Response take_response(int curl_code);

    // For libcurl, which must see no exception: bytes taken; fewer than size ends the transfer.
    std::size_t on_header(const char *line, std::size_t size) noexcept;
    std::size_t on_body(const char *bytes, std::size_t size) noexcept;

  private:
    struct FreeHeaders { // wiped first: one line holds the key
        void operator()(curl_slist *first) const noexcept;
    };

    void set_network_options(const CurlOptions &options, const BaseUrl &base);
    void set_request_options(const CurlOptions &options, const BaseUrl &base);
    void add_header(const char *line);
    void add_bearer(const core::SecretBytes &bearer);
    void keep_header(std::string_view line);
    bool keep_secret(std::string_view bytes);

    enum class Stopped { no, too_large, no_memory };

    RequestId id_;
    void *easy_;
    Request request_;
    std::unique_ptr<curl_slist, FreeHeaders> headers_;
    Response response_;
    core::SecretBytes secret_buffer_; // of full size from the start: growing would leave copies
    std::size_t secret_size_ = 0;
    Stopped stopped_ = Stopped::no;
    std::size_t header_bytes_ = 0;
    std::size_t announced_size_ = 0; // Content-Length, 0 if unknown
    bool in_final_headers_ = false;  // past any 1xx answer, before the empty line
    char error_text_[256] = {};      // CURL_ERROR_SIZE
};

} // namespace billstack::http
