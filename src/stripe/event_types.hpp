// The event types of Stripe that billstack applies, and what each does to the mirror. The list is
// Stripe's own of https://docs.stripe.com/api/events/types, as far as the objects are mirrored.
#pragma once
#include "core/pure.hpp"

#include <span>
#include <string_view>

namespace billstack::stripe {

enum class Effect {
    state,        // data.object is a state of the object
    deletion,     // the object is gone
    entitlements, // data.object is the whole of a customer's active entitlements
    ignored       // nothing of it is mirrored
};

struct EventType {
    std::string_view name; // "customer.subscription.updated"
    Effect effect;         // never ignored
};

// Sorted by name, each once: what an endpoint asks Stripe for.
std::span<const EventType> event_types();

// What an event of this type with this data.object.object does. Stripe adds types: one that is not
// in the list is a state when its object is mirrored, or a deletion when it ends in ".deleted".
Effect effect_of(std::string_view type, std::string_view object);

} // namespace billstack::stripe
