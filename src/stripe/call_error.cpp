// A failed call as the error that a user of the SQL functions meets.
#include "core/error.hpp"
#include "stripe/caller.hpp"

namespace billstack::stripe {

namespace {

using core::Code;

void append_part(std::string &out, const char *name, const std::string &value) {
    if (value.empty())
        return;
    out += out.empty() ? "" : ", ";
    out += name;
    out += value;
}

std::string answer_detail(const CallResult &result) {
    std::string parts;
    append_part(parts, "type ", result.error.type);
    append_part(parts, "code ", result.error.code);
    append_part(parts, "decline code ", result.error.decline_code);
    append_part(parts, "param ", result.error.param);
    append_part(parts, "request ", result.request_id);
    std::string detail = "Stripe answered " + std::to_string(result.http_status);
    if (!parts.empty())
        detail += " (" + parts + ")";
    if (!result.error.message.empty())
        return detail + ": " + result.error.message;
    return detail + (result.failure_text.empty() ? "." : ": " + result.failure_text + ".");
}

std::string tries(const CallResult &result) {
    return result.attempts == 1 ? " after one attempt"
                                : " after " + std::to_string(result.attempts) + " attempts";
}

std::string silence_detail(const CallResult &result) {
    std::string detail = "No answer from Stripe" + tries(result);
    return detail + (result.failure_text.empty() ? "." : ": " + result.failure_text + ".");
}

} // namespace

void throw_call_error(const CallResult &result, const std::string &what) {
    const std::string detail =
        result.http_status != 0 ? answer_detail(result) : silence_detail(result);
    switch (result.status) {
    case CallStatus::key_rejected:
        throw core::Error(Code::stripe_key_rejected, what + " failed: Stripe rejected the key",
                          detail,
                          "Check the key in the Stripe dashboard, then repeat the call with a "
                          "valid one.");
    case CallStatus::forbidden:
        throw core::Error(Code::stripe_refused, what + " failed: the key lacks the permission",
                          detail,
                          "Give the restricted key this permission in the Stripe dashboard, or "
                          "use another key.");
    case CallStatus::refused:
        throw core::Error(Code::stripe_refused, what + " failed: Stripe refused the request",
                          detail,
                          "Correct the arguments as the detail says, then repeat the call.");
    case CallStatus::rate_limited:
        throw core::Error(Code::stripe_rate_limited,
                          what + " failed: Stripe's rate limit is reached", detail,
                          "Repeat the call in a minute; run fewer calls at once.");
    case CallStatus::bad_answer:
        throw core::Error(Code::stripe_unreachable,
                          what + " failed: the answer is not one that Stripe gives", detail,
                          "Check that the base URL leads to Stripe and not to a proxy or portal.");
    case CallStatus::unreachable:
        throw core::Error(Code::stripe_unreachable, what + " failed: Stripe could not be reached",
                          detail,
                          "Repeat the call; if this lasts, check the server's network and "
                          "https://status.stripe.com.");
    case CallStatus::ok:
        break;
    }
    throw core::Error(Code::internal, what + " succeeded but was reported as failed");
}

} // namespace billstack::stripe
