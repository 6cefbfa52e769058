// Errors in Stripe's words.
#pragma once

#include <string>
#include <string_view>

namespace stripe_sim {

/// Thrown by the API's rooms, turned into a body by the router.
struct ApiError {
    int status;
    std::string message;
    std::string code{};
    std::string param{};
    std::string type = "invalid_request_error";
};

/// {"error": {...}} pretty-printed; empty fields are left out.
std::string error_body(const ApiError &error);
/// "sk_test_****1234", as Stripe repeats a key.
std::string mask_key(std::string_view key);

/// Stripe's words when a limit is reached.
ApiError rate_limited();
ApiError unknown_parameter(std::string_view name);
ApiError no_such(std::string_view kind, std::string_view id, int status, std::string_view param);
ApiError unrecognized_url(std::string_view method, std::string_view path);

} // namespace stripe_sim
