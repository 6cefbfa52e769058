// Options, callbacks and error classes of one transfer.
#include "http/curl_transfer.hpp"

#include "core/error.hpp"
#include "http/base_url.hpp"
#include "http/curl_transport.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <curl/curl.h>
#include <new>
#include <utility>

namespace billstack::http {

namespace {

constexpr std::size_t max_header_bytes = 64U << 10; // of one answer, 1xx answers included
constexpr std::size_t max_reserve = 4U << 20;       // a Content-Length is a claim, not a fact
constexpr std::size_t max_secret_answer = 64U << 10;
constexpr std::size_t body_slack = 64; // lets a parser pad the body in place

bool visible(std::string_view text, char lowest) {
    return std::all_of(text.begin(), text.end(), [&](char c) { return c >= lowest && c <= 0x7e; });
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char &c : result)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return result;
}

// RFC 9110 token, and none of the names that this layer or libcurl owns.
bool header_name_allowed(const std::string &name) {
    static constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    for (const char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              others.find(c) != std::string_view::npos))
            return false;
    const std::string folded = lower(name);
    for (const char *owned : {"", "authorization", "host", "content-length", "transfer-encoding",
                              "connection", "expect", "te", "upgrade", "cookie"})
        if (folded == owned)
            return false;
    return true;
}

bool is_kept(std::string_view name) {
    for (const char *kept :
         {"content-type", "date", "request-id", "retry-after", "stripe-should-retry",
          "stripe-rate-limited-reason", "idempotent-replayed", "stripe-version"})
        if (name == kept)
            return true;
    return false;
}

Failure failure_of(CURLcode code) {
    static constexpr int too_large_since_8_6 = 100; // CURLE_TOO_LARGE
    if (static_cast<int>(code) == too_large_since_8_6)
        return Failure::too_large;
    switch (code) {
    case CURLE_OK:
        return Failure::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return Failure::dns;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return Failure::connect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
        return Failure::tls;
    case CURLE_OPERATION_TIMEDOUT:
        return Failure::timeout;
    case CURLE_FILESIZE_EXCEEDED:
        return Failure::too_large;
    case CURLE_UNSUPPORTED_PROTOCOL: // an answer without a status line: HTTP/0.9, which is off
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return Failure::bad_response;
    case CURLE_URL_MALFORMAT:
        return Failure::refused_here;
    default:
        return Failure::connection;
    }
}

std::size_t header_callback(char *line, std::size_t, std::size_t size, void *transfer) noexcept {
    return static_cast<CurlTransfer *>(transfer)->on_header(line, size);
}

std::size_t body_callback(char *bytes, std::size_t, std::size_t size, void *transfer) noexcept {
    return static_cast<CurlTransfer *>(transfer)->on_body(bytes, size);
}

template <class Value> void set(void *easy, CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy, option, value);
    if (code == CURLE_OUT_OF_MEMORY)
        throw std::bad_alloc();
    if (code != CURLE_OK)
        throw core::Error(core::Code::internal, "could not set up an HTTP request",
                          "libcurl refused option " + std::to_string(static_cast<int>(option)) +
                              ": " + curl_easy_strerror(code) + ".",
                          "Check that the installed libcurl is 7.87 or newer.");
}

} // namespace

std::string reason_to_refuse(const Request &request) {
    if (request.method != "GET" && request.method != "POST" && request.method != "DELETE")
        return "the method is not GET, POST or DELETE";
    if (!request.target.starts_with('/') || !visible(request.target, 0x21) ||
        request.target.find_first_of("#\\") != std::string::npos)
        return "the request target is not an encoded path";
    if (!request.body.empty() && request.method != "POST")
        return "only a POST may have a body";
    for (const auto &[name, value] : request.headers) {
        if (!header_name_allowed(name))
            return "a header name is not allowed";
        if (value.empty() || !visible(value, 0x20))
            return "a header value is empty or holds a byte that is not printable ASCII";
    }
    if (request.bearer && (request.bearer->empty() || !visible(request.bearer->view(), 0x21)))
        return "the key is empty or holds a byte that is not printable ASCII";
    return {};
}

CurlTransfer::CurlTransfer(RequestId id, Request request, void *easy, const CurlOptions &options,
                           const BaseUrl &base)
    : id_(id), easy_(easy), request_(std::move(request)) {
    static_assert(sizeof error_text_ >= CURL_ERROR_SIZE);
    try {
        set_network_options(options, base);
        set_request_options(options, base);
    } catch (...) {
        curl_easy_reset(easy_); // it points to members that are about to go
        throw;
    }
}

void CurlTransfer::FreeHeaders::operator()(curl_slist *first) const noexcept {
    for (curl_slist *item = first; item != nullptr; item = item->next)
        core::wipe_memory(item->data, std::strlen(item->data));
    curl_slist_free_all(first);
}

void CurlTransfer::set_network_options(const CurlOptions &options, const BaseUrl &base) {
    set(easy_, CURLOPT_QUICK_EXIT, 1L); // a hanging resolver is left behind, not waited for
    set(easy_, CURLOPT_NOSIGNAL, 1L);
    set(easy_, CURLOPT_PROTOCOLS_STR, base.scheme.c_str());
    set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy_, CURLOPT_PROXY, ""); // overrides the environment
    set(easy_, CURLOPT_NOPROXY, "*");
    set(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(easy_, CURLOPT_PATH_AS_IS, 1L); // "/a/../b" is sent, not rewritten to "/b"
    set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy_, CURLOPT_TCP_NODELAY, 1L);
    set(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
    set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
    set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options.ca_file.empty()) { // this bundle alone, not the system's directory beside it
        set(easy_, CURLOPT_CAINFO, options.ca_file.c_str());
        set(easy_, CURLOPT_CAPATH, static_cast<const char *>(nullptr));
    }
}

void CurlTransfer::set_request_options(const CurlOptions &options, const BaseUrl &base) {
    set(easy_, CURLOPT_URL, (base.origin + request_.target).c_str());
    if (!options.user_agent.empty())
        set(easy_, CURLOPT_USERAGENT, options.user_agent.c_str());
    // 0 would mean "no limit" to libcurl
    const long timeout = std::max<long>(1, static_cast<long>(request_.timeout.count()));
    set(easy_, CURLOPT_TIMEOUT_MS, timeout);
    set(easy_, CURLOPT_CONNECTTIMEOUT_MS, timeout);
    set(easy_, CURLOPT_MAXFILESIZE_LARGE,
        static_cast<curl_off_t>(std::max<std::size_t>(1, request_.max_response)));
    set(easy_, CURLOPT_BUFFERSIZE, 64L << 10);
    set(easy_, CURLOPT_ERRORBUFFER, &error_text_[0]);
    set(easy_, CURLOPT_PRIVATE, static_cast<void *>(this));
    set(easy_, CURLOPT_HEADERFUNCTION, &header_callback);
    set(easy_, CURLOPT_HEADERDATA, static_cast<void *>(this));
    set(easy_, CURLOPT_WRITEFUNCTION, &body_callback);
    set(easy_, CURLOPT_WRITEDATA, static_cast<void *>(this));
    if (request_.method == "POST") {
        set(easy_, CURLOPT_POST, 1L);
        set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        set(easy_, CURLOPT_POSTFIELDS, request_.body.c_str()); // not copied
        add_header("Expect:");                                 // no wait for a 100 Continue
    } else {
        set(easy_, CURLOPT_HTTPGET, 1L);
        if (request_.method != "GET")
            set(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    for (const auto &[name, value] : request_.headers)
        add_header((name + ": " + value).c_str());
    if (request_.bearer)
        add_bearer(*request_.bearer);
    set(easy_, CURLOPT_HTTPHEADER, headers_.get());
    set(easy_, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
}

void CurlTransfer::add_header(const char *line) {
    curl_slist *longer = curl_slist_append(headers_.get(), line);
    if (longer == nullptr)
        throw std::bad_alloc();
    static_cast<void>(headers_.release()); // the same list, or its first item
    headers_.reset(longer);
}

void CurlTransfer::add_bearer(const core::SecretBytes &bearer) {
    static constexpr std::string_view prefix = "Authorization: Bearer ";
    const std::string_view key = bearer.view();
    core::SecretBytes line = core::SecretBytes::of_size(prefix.size() + key.size() + 1);
    const auto after = std::copy(prefix.begin(), prefix.end(), line.bytes().begin());
    std::copy(key.begin(), key.end(), after);
    add_header(line.view().data()); // the last byte is the NUL
}

std::size_t CurlTransfer::on_header(const char *line, std::size_t size) noexcept {
    header_bytes_ += size;
    if (header_bytes_ > max_header_bytes) {
        stopped_ = Stopped::too_large;
        return 0;
    }
    try {
        keep_header(std::string_view(line, size));
    } catch (...) {
        stopped_ = Stopped::no_memory;
        return 0;
    }
    return size;
}

// Trailers come through the same callback and are passed over: they may not replace a header.
void CurlTransfer::keep_header(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' '))
        line.remove_suffix(1);
    if (line.starts_with("HTTP/")) {
        const std::size_t space = line.find(' ');
        in_final_headers_ = space != std::string_view::npos && line.substr(space + 1, 1) != "1";
        response_.headers.clear();
        return;
    }
    if (line.empty() || !in_final_headers_) {
        in_final_headers_ = false;
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
        return;
    const std::string name = lower(line.substr(0, colon));
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (is_kept(name) && response_.header(name) == nullptr)
        response_.headers.emplace_back(name, value);
    if (name == "content-length")
        announced_size_ = std::strtoull(std::string(value).c_str(), nullptr, 10);
}

std::size_t CurlTransfer::on_body(const char *bytes, std::size_t size) noexcept {
    if (size > request_.max_response || response_.body.size() > request_.max_response - size) {
        stopped_ = Stopped::too_large;
        return size == 0 ? 1 : 0;
    }
    try {
        if (request_.secret_answer) {
            if (keep_secret(std::string_view(bytes, size)))
                return size;
            stopped_ = Stopped::too_large;
            return size == 0 ? 1 : 0;
        }
        if (response_.body.empty() && announced_size_ > size)
            response_.body.reserve(std::min(announced_size_, max_reserve) + body_slack);
        response_.body.append(bytes, size);
    } catch (...) {
        stopped_ = Stopped::no_memory;
        return size == 0 ? 1 : 0;
    }
    return size;
}

// False when it does not fit.
bool CurlTransfer::keep_secret(std::string_view bytes) {
    if (secret_buffer_.empty())
        secret_buffer_ = core::SecretBytes::of_size(max_secret_answer);
    if (bytes.size() > max_secret_answer - secret_size_)
        return false;
    std::copy(bytes.begin(), bytes.end(),
              secret_buffer_.bytes().begin() + static_cast<std::ptrdiff_t>(secret_size_));
    secret_size_ += bytes.size();
    return true;
}

Response CurlTransfer::take_response(int curl_code) {
    const auto code = static_cast<CURLcode>(curl_code);
    long sent = 0;
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.may_have_been_sent = sent > 0;
    response_.failure = stopped_ == Stopped::too_large ? Failure::too_large : failure_of(code);
    if (response_.failure == Failure::none && status == 0)
        response_.failure = Failure::bad_response;
    if (response_.failure == Failure::none) {
        response_.status = static_cast<int>(status);
        if (request_.secret_answer)
            response_.secret_body = std::make_shared<const core::SecretBytes>(
                core::SecretBytes::copy_of(secret_buffer_.view().substr(0, secret_size_)));
        return std::move(response_);
    }
    if (stopped_ == Stopped::too_large)
        response_.failure_text = "the answer is larger than allowed";
    else if (stopped_ == Stopped::no_memory)
        response_.failure_text = "out of memory";
    else
        response_.failure_text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
    std::erase_if(response_.failure_text, [](char c) { return c < 0x20 || c > 0x7e; });
    response_.body.clear();
    response_.headers.clear();
    return std::move(response_);
}

} // namespace billstack::http
