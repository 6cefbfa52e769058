// Events as Stripe writes them: composed when something changes, kept in the store, listed by
// GET /v1/events and delivered by /_sim/deliveries.
#pragma once

#include "store.hpp"

#include <string>
#include <string_view>

namespace stripe_sim {

enum class Op { create, update, remove };

struct EventFacts {
    std::string type;
    std::string object;           ///< of data.object
    std::string object_id;        ///< empty where it has none
    std::string object_url;       ///< where the object is read; empty where it cannot be
    std::string_view object_text; ///< the snapshot, pretty-printed
    const json_t *previous;       ///< previous_attributes, or null for none
    int64_t at;                   ///< Unix seconds
    std::string idempotency_key = {};
};

/// Composes and stores an event. The answer is valid until the next one.
const RecordedEvent &record_event(Store &store, const EventFacts &facts);

/// The thin twin of an event: its type as v1.<type>, the object by reference, the snapshot event by
/// id; compact, as Stripe sends it.
std::string thin_event_text(const Store &store, const RecordedEvent &event);

/// The type Stripe gives a change, by kind and by what became of the object. Empty where Stripe has
/// no event for it.
std::string event_type(Kind kind, Op op, const json_t *before, const json_t *after);
/// Whether events of this type tell what was before.
bool tells_previous(std::string_view type);

/// previous_attributes: of each member that differs its old value; nested objects member by member,
/// arrays as a whole, null for what was not there.
Json previous_attributes(const json_t *before, const json_t *after);

} // namespace stripe_sim
