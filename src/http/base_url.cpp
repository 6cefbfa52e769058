// Parses with libcurl's own URL parser, so that what is checked is what will be contacted.
#include "http/base_url.hpp"

#include "core/error.hpp"
#include "http/curl_transport.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <memory>
#include <new>

namespace billstack::http {

namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

[[noreturn]] void refuse(const char *reason) {
    throw core::Error(core::Code::bad_argument, std::string("base URL ") + reason,
                      "A base URL is https://host[:port]; plain http is allowed to a loopback "
                      "address only (127.0.0.0/8, [::1], localhost).",
                      "Correct the setting, for example to \"https://api.stripe.com\".");
}

// Empty when the part is absent.
std::string part(CURLU *url, CURLUPart which) {
    char *text = nullptr;
    const CURLUcode code = curl_url_get(url, which, &text, 0);
    const std::unique_ptr<char, decltype(&curl_free)> owner(text, curl_free);
    if (code == CURLUE_OUT_OF_MEMORY)
        throw std::bad_alloc();
    return code == CURLUE_OK && text != nullptr ? std::string(text) : std::string();
}

bool is_loopback(const std::string &host) {
    if (host == "localhost")
        return true;
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return host == "[::1]";
}

} // namespace

BaseUrl parse_base_url(const std::string &text) {
    for (const char c : text)
        if (c <= 0x20 || c >= 0x7f || c == '\\')
            refuse("holds white space or another byte that is not allowed");
    if (!text.starts_with("https://") && !text.starts_with("http://"))
        refuse("is neither https nor http");
    if (text.find("///") != std::string::npos) // libcurl would forgive it
        refuse("has no host");
    const Url url(curl_url(), curl_url_cleanup);
    if (!url)
        throw std::bad_alloc();
    const CURLUcode code =
        curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER);
    if (code == CURLUE_OUT_OF_MEMORY)
        throw std::bad_alloc();
    if (code == CURLUE_USER_NOT_ALLOWED)
        refuse("holds a user name or password");
    if (code != CURLUE_OK)
        refuse("cannot be read as a URL");
    const std::string host = part(url.get(), CURLUPART_HOST);
    const std::string path = part(url.get(), CURLUPART_PATH);
    const std::string port = part(url.get(), CURLUPART_PORT);
    if (host.empty())
        refuse("has no host");
    if (!part(url.get(), CURLUPART_ZONEID).empty())
        refuse("holds an address zone");
    if (!(path.empty() || path == "/") || text.find_first_of("?#") != std::string::npos)
        refuse("holds a path, a query or a fragment");
    BaseUrl result;
    result.scheme = part(url.get(), CURLUPART_SCHEME);
    if (result.scheme == "http" && !is_loopback(host))
        refuse("is plain http to a host that is not loopback");
    result.origin = result.scheme + "://" + host + (port.empty() ? "" : ":" + port);
    return result;
}

void check_base_url(const std::string &base_url) {
    parse_base_url(base_url);
}

} // namespace billstack::http
