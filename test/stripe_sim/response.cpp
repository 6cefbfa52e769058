// See response.hpp.
#include "response.hpp"

namespace stripe_sim {

void Response::set_header(std::string_view name, std::string_view value) {
    for (auto &[have, old] : headers)
        if (have == name) {
            old = value;
            return;
        }
    headers.emplace_back(name, value);
}

std::string_view reason_phrase(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 302:
        return "Found";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

std::string response_head(const Response &response, bool close) {
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + ' ';
    out += reason_phrase(response.status);
    out += "\r\nServer: nginx\r\nContent-Type: ";
    out += response.content_type;
    out += "\r\nContent-Length: ";
    out += std::to_string(response.body.size() + (response.bad_length ? 1000 : 0));
    out += close ? "\r\nConnection: close\r\n" : "\r\nConnection: keep-alive\r\n";
    for (const auto &[name, value] : response.headers) {
        out += name;
        out += ": ";
        out += value;
        out += "\r\n";
    }
    out += "\r\n";
    return out;
}

} // namespace stripe_sim
