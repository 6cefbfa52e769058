// The one place that says where requests may go.
#pragma once
#include "core/pure.hpp"

#include <string>

namespace billstack::http {

struct BaseUrl {
    std::string scheme; // "https" or "http"
    std::string origin; // scheme://host[:port], as libcurl normalises it, no trailing slash
};

// Rules and errors of check_base_url (http/curl_transport.hpp).
BaseUrl parse_base_url(const std::string &text);

} // namespace billstack::http
