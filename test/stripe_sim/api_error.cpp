// See api_error.hpp.
#include "api_error.hpp"

#include "json_util.hpp"

#include <algorithm>

namespace stripe_sim {

std::string error_body(const ApiError &error) {
    std::string out = "{\n  \"error\": {";
    auto member = [&](std::string_view name, const std::string &value) {
        if (value.empty())
            return;
        out += out.back() == '{' ? "\n    " : ",\n    ";
        append_quoted(out, name);
        out += ": ";
        append_quoted(out, value);
    };
    member("code", error.code);
    if (!error.code.empty()) {
        std::string page = error.code;
        std::replace(page.begin(), page.end(), '_', '-');
        member("doc_url", "https://stripe.com/docs/error-codes/" + page);
    }
    member("message", error.message);
    member("param", error.param);
    member("type", error.type);
    out += "\n  }\n}\n";
    return out;
}

std::string mask_key(std::string_view key) {
    size_t prefix = 0;
    for (int underscores = 0; prefix < key.size() && underscores < 2; ++prefix)
        underscores += key[prefix] == '_';
    if (key.size() < prefix + 8)
        return std::string{key.substr(0, std::min<size_t>(key.size(), 8))} + "***";
    std::string out{key.substr(0, prefix)};
    out.append(key.size() - prefix - 4, '*');
    out += key.substr(key.size() - 4);
    return out;
}

ApiError rate_limited() {
    return {429,
            "Request rate limit exceeded. Learn more about rate limits here "
            "https://stripe.com/docs/rate-limits.",
            "rate_limit"};
}

ApiError unknown_parameter(std::string_view name) {
    return {400, "Received unknown parameter: " + std::string{name}, "parameter_unknown",
            std::string{name}};
}

ApiError no_such(std::string_view kind, std::string_view id, int status, std::string_view param) {
    return {status, "No such " + std::string{kind} + ": '" + std::string{id} + "'",
            "resource_missing", std::string{param}};
}

ApiError unrecognized_url(std::string_view method, std::string_view path) {
    return {404, "Unrecognized request URL (" + std::string{method} + ": " + std::string{path} +
                     "). If you are trying to list objects, remove the trailing slash. If you are "
                     "trying to retrieve an object, make sure you passed a valid (non-empty) "
                     "identifier in your code. Please see https://stripe.com/docs or we can help "
                     "at https://support.stripe.com/."};
}

} // namespace stripe_sim
