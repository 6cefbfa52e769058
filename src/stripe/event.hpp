// A webhook body read as an event: snapshot events (https://docs.stripe.com/api/events/object) and
// thin ones (https://docs.stripe.com/api/v2/core/events/object). One pass, no tree; on the hot path
// of the inbox.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::stripe {

inline constexpr std::size_t max_event_size = 1 << 20; // bytes
inline constexpr int max_event_depth = 64;

// Views into the body, or into arena where the body had escapes; empty: absent, null or of another
// type. Escaped U+0000 and lone surrogates stay as they are in the raw parts, and are U+FFFD in the
// others.
struct Event {
    std::string_view id;   // 1 to 255 bytes of printable ASCII
    std::string_view type; // alike; of a thin event with its "v1."
    std::string_view api_version;
    std::string_view account; // of Connect
    std::string_view context;
    std::string_view object_type;    // data.object.object; thin: related_object.type
    std::string_view object_id;      // data.object.id; thin: related_object.id
    std::string_view object_raw;     // data.object, never empty unless thin
    std::string_view previous_raw;   // data.previous_attributes
    std::string_view snapshot_event; // thin: the id of the snapshot event of the same change
    std::string_view customer;       // data.object.customer, or its id when it is expanded
    std::int64_t created = 0;        // unix seconds; of a thin event's text the second
    std::optional<bool> livemode;
    bool thin = false;           // object is "v2.core.event"
    bool object_deleted = false; // data.object.deleted is true
    bool has_test_clock = false; // data.object.test_clock is not null
    std::vector<std::unique_ptr<char[]>> arena;
};

// All of the body is checked: at most max_event_size bytes, valid UTF-8, one JSON object as
// PostgreSQL's json takes it, nested at most max_event_depth deep, no member name twice in any
// object. Throws core::Error(bad_argument) with the reason as its message and nothing of the body
// in any of its texts. The body must outlive the event.
Event parse_event(std::string_view body);

struct EventHead {
    std::string id;
    std::string type;         // empty when not readable
    std::int64_t created = 0; // unix seconds
    bool readable = false;
};

// What the receipt of a body needs. Cheaper than parse_event() and laxer: sizes, depths up to that
// of the scanner and names in inner objects are not looked at; what both read they read alike. Of a
// body that cannot be read the id is "unreadable_" and the first 32 hex digits of its SHA-256.
// Throws nothing for a bad body (std::bad_alloc when out of memory).
EventHead read_event_head(std::string_view body);

} // namespace billstack::stripe
