// Two events as Stripe sends them, and what is shared by the tests that spoil them.
#pragma once

#include "core/error.hpp"
#include "stripe/event.hpp"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace billstack::stripe {

inline constexpr std::string_view snapshot = R"({
  "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
  "object": "event",
  "account": "acct_1",
  "api_version": "2019-02-19",
  "created": 1686089970,
  "data": {
    "object": {
      "id": "seti_1NG8Du2eZvKYlo2C9XMqbR0x",
      "object": "setup_intent",
      "customer": {"object": "customer", "id": "cus_1", "metadata": {"id": "x"}},
      "deleted": false,
      "metadata": {"a\"b": "}"},
      "test_clock": null
    },
    "previous_attributes": { "status": null }
  },
  "livemode": true,
  "pending_webhooks": 0,
  "request": { "id": null, "idempotency_key": null },
  "type": "setup_intent.created"
}
)";

inline constexpr std::string_view thin = R"({
  "id": "evt_test_65R9Ijk8dKEYZcXeRWn16R9A7j1FSQ3w3TGDPLLGSM4CW0",
  "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
  "livemode": false, "created": "2024-09-17T06:20:52.246Z", "context": "acct_2",
  "snapshot_event": "evt_1abc",
  "related_object": {"id": "mtr_123", "type": "billing.meter", "url": "/v1/billing/meters/mtr_123"},
  "data": {"object": {"id": "not this", "object": "nor this", "deleted": true}}
})";

// An event whose data.object has a member v of this value, text of any kind.
inline std::string with_value(const std::string &value) {
    return R"({"id":"evt_1","type":"t","created":1,"data":{"object":{"id":"o_1","v":)" + value +
           "}}}";
}

// The reason of the refusal; "" when the body is taken.
inline std::string refusal(std::string_view body) {
    try {
        const Event event = parse_event(body);
        return "";
    } catch (const core::Error &error) {
        EXPECT_EQ(error.code, core::Code::bad_argument);
        EXPECT_FALSE(error.detail.empty() || error.hint.empty());
        return error.message;
    }
}

inline constexpr const char *not_json = "the body is not one valid JSON object";
inline constexpr const char *not_utf8 = "the body is not valid UTF-8";
inline constexpr const char *twice = "a member name is there twice";
inline constexpr const char *too_deep = "the body is nested more than 64 deep";
inline constexpr const char *too_large = "the body is larger than 1 MiB";
inline constexpr const char *no_id = "the event has no usable id";
inline constexpr const char *no_type = "the event has no usable type";
inline constexpr const char *no_created = "the event has no usable created time";
inline constexpr const char *no_object = "the event has no data.object";

} // namespace billstack::stripe
