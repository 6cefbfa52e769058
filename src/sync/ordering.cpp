// See ordering.hpp, which holds the tables.
#include "sync/ordering.hpp"

namespace billstack::sync {

namespace {

using Action = EventDecision::Action;
using Why = EventDecision::Why;
using Op = EventState::Op;

constexpr EventDecision apply_newer{Action::apply, Why::newer, false, false};
constexpr EventDecision skip_older{Action::keep, Why::older, false, false};
constexpr EventDecision ask_stripe{Action::keep, Why::tie, true, false};

// The event is certainly newer than what is stored.
EventDecision decide_newer(const StoredState &stored, const EventState &event) {
    if (event.op == Op::deleted) {
        return stored.deleted ? EventDecision{Action::keep, Why::same, false, true} : apply_newer;
    }
    if (stored.deleted) {
        // Only a creation lifts a tombstone; a change says that one has happened.
        return event.op == Op::created ? apply_newer : ask_stripe;
    }
    if (stored.digest == event.digest) {
        return {Action::keep, Why::same, false, true};
    }
    return apply_newer;
}

// A change in the second of another event, or inside a read's window. previous_attributes decide;
// from the second event of a second on only provisionally: A to B, B to A, A to B fools them.
EventDecision decide_change(const StoredState &stored, const EventState &event,
                            const std::function<Follows()> &previous) {
    bool provisional = stored.knows_event_of(event.second) && !stored.just_created;
    switch (previous()) {
    case Follows::yes:
        return {Action::apply, Why::tie, provisional, false};
    case Follows::already_in:
        return {Action::keep, Why::tie, provisional, true};
    case Follows::unclear:
        break;
    }
    // Deliveries mostly come in order: of two events the later one; a read knows more than one.
    bool later = stored.source == Source::event;
    return {later ? Action::apply : Action::keep, Why::tie, true, !later};
}

EventDecision decide_overlap(const StoredState &stored, const EventState &event,
                             const std::function<Follows()> &previous) {
    if (event.op == Op::deleted) {
        if (stored.deleted) {
            return {Action::keep, Why::same, false, true};
        }
        // Ids can come back (coupons, products): was it made again in that second?
        return {Action::apply, Why::tie, true, false};
    }
    if (stored.deleted) {
        return ask_stripe;
    }
    if (stored.digest == event.digest) {
        return {Action::keep, Why::same, false, true};
    }
    if (event.op == Op::created) {
        // Whatever else is known of the object came after its creation.
        return {Action::keep, Why::older, false, true};
    }
    return decide_change(stored, event, previous);
}

} // namespace

AsOf StoredState::window() const {
    return seen_at && *seen_at > as_of.end ? AsOf{*seen_at, *seen_at} : as_of;
}

bool StoredState::knows_event_of(std::int64_t second) const {
    // A read of one object was asked for by events of its second, whose states it has not shown: a
    // thin one, a change of what was deleted.
    if (source == Source::event || source == Source::read) {
        return (as_of.start <= second && second <= as_of.end) || seen_at == second;
    }
    // The moment of a read is not known: one event before it may undo what another did after it.
    return seen_at && *seen_at >= as_of.start;
}

bool holds(const StoredState &stored, const Digest &digest) {
    return stored.exists && !stored.deleted && stored.digest == digest;
}

Decision order_read(const StoredState &stored, const AsOf &incoming) {
    if (!stored.exists)
        return Decision::apply;
    AsOf window = stored.window();
    if (incoming.start > window.end)
        return Decision::apply;
    if (incoming.end < window.start)
        return Decision::older;
    bool known_event = stored.source == Source::event || stored.source == Source::read ||
                       stored.source == Source::call ||
                       (stored.seen_at && *stored.seen_at >= stored.as_of.start);
    bool sent_no_earlier = incoming.start >= window.start;
    return !known_event && sent_no_earlier ? Decision::apply : Decision::unclear;
}

Decision order_refetch(const StoredState &stored, std::int64_t sent_at, const AsOf &incoming) {
    bool seen_later = stored.seen_at && *stored.seen_at >= incoming.start;
    return stored.version == sent_at && !seen_later ? Decision::apply
                                                    : order_read(stored, incoming);
}

Decision decide_read(const StoredState &stored, const AsOf &incoming, const Digest &digest) {
    return holds(stored, digest) ? Decision::unchanged : order_read(stored, incoming);
}

Decision decide_refetch(const StoredState &stored, std::int64_t sent_at, const AsOf &incoming,
                        const Digest &digest) {
    return holds(stored, digest) ? Decision::unchanged : order_refetch(stored, sent_at, incoming);
}

Decision decide_child(const StoredState &stored, const AsOf &incoming, const Digest &digest) {
    if (!stored.exists)
        return Decision::apply;
    if (holds(stored, digest))
        return Decision::unchanged;
    return stored.as_of.start > incoming.end ? Decision::older : Decision::apply;
}

EventDecision decide_event(const StoredState &stored, const EventState &event,
                           const std::function<Follows()> &previous) {
    if (!stored.exists) {
        return apply_newer;
    }
    AsOf window = stored.window();
    if (event.second < window.start) {
        return skip_older;
    }
    if (event.second > window.end) {
        return decide_newer(stored, event);
    }
    return decide_overlap(stored, event, previous);
}

std::string_view source_name(Source source) {
    switch (source) {
    case Source::backfill:
        return "backfill";
    case Source::read:
        return "read";
    case Source::event:
        return "event";
    case Source::call:
        return "call";
    }
    return "read";
}

Source source_of(std::string_view name) {
    for (Source source : {Source::backfill, Source::event, Source::call})
        if (source_name(source) == name)
            return source;
    return Source::read;
}

} // namespace billstack::sync
