// The readers of event bodies, and what previous_attributes say of the event's own object.
#include "fuzz_target.hpp"

#include "core/error.hpp"
#include "stripe/event.hpp"
#include "sync/previous_attributes.hpp"
#include "json/json.hpp"
#include "json/path_reader.hpp"

#include <array>
#include <functional>
#include <string>

using namespace billstack;

namespace {

// jansson stops at lone surrogates, at integers beyond int64 and at numbers beyond a double.
bool is_in_reach_of_jansson(std::string_view body) {
    int digits = 0;
    for (char byte : body) {
        if (byte == '\\' || digits > 18 || (digits > 0 && (byte == 'e' || byte == 'E')))
            return false;
        digits = byte >= '0' && byte <= '9' ? digits + 1 : 0;
    }
    return true;
}

bool jansson_takes(std::string_view body) {
    try {
        return json::Node::parse(body).is_object();
    } catch (const core::Error &) {
        return false;
    }
}

void check_taken(std::string_view body, const stripe::Event &event, const stripe::EventHead &head) {
    fuzz::require(head.readable && head.id == event.id && head.type == event.type &&
                      head.created == event.created,
                  "the head says what the event says");
    if (is_in_reach_of_jansson(body))
        fuzz::require(jansson_takes(body), "jansson takes it too, and no name is there twice");
    constexpr std::array<std::string_view, 3> paths = {"id", "data.object", "data.object.deleted"};
    std::array<json::Token, paths.size()> tokens;
    json::PathReader(paths).read(body, tokens); // throws when the body is not JSON
    if (!event.object_raw.empty())
        fuzz::require(tokens[1].text == event.object_raw, "the object is the object");
    fuzz::require((tokens[2].text == "true" && tokens[2].kind == json::TokenKind::boolean) ==
                      event.object_deleted,
                  "deleted is deleted");
    const std::less_equal<> before;
    fuzz::require(
        event.object_raw.empty() ||
            (before(body.data(), event.object_raw.data()) &&
             before(event.object_raw.data() + event.object_raw.size(), body.data() + body.size())),
        "the raw object lies in the body");
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const fuzz::ExactCopy body(fuzz::text_of(data, size));
    const stripe::EventHead head = stripe::read_event_head(body.view());
    fuzz::require(!head.id.empty() &&
                      head.readable != (head.id.starts_with("unreadable_") && head.type.empty()),
                  "a head is readable or has an id of its own");
    using sync::Follows;
    sync::follows(body.view(), body.view(), body.view());
    try {
        const stripe::Event event = stripe::parse_event(body.view());
        check_taken(body.view(), event, head);
        const fuzz::ExactCopy object(event.object_raw);
        const fuzz::ExactCopy previous(event.previous_raw);
        fuzz::require(sync::follows(object.view(), object.view(), previous.view()) != Follows::yes,
                      "no state follows itself");
        fuzz::require(sync::follows(previous.view(), object.view(), previous.view()) !=
                          Follows::already_in,
                      "the old values are not the new ones");
    } catch (const core::Error &error) {
        fuzz::require(error.code == core::Code::bad_argument, "a body is refused as an argument");
    }
    return 0;
}
