#include "stripe/event_types.hpp"

#include "stripe/object_catalog.hpp"

#include <algorithm>

namespace billstack::stripe {

namespace {

constexpr EventType types[] = {
    {"charge.succeeded", Effect::state},
    {"customer.created", Effect::state},
    {"customer.deleted", Effect::deletion},
    {"customer.subscription.created", Effect::state},
    {"customer.subscription.deleted", Effect::state}, // canceled; it can still be read
    {"customer.subscription.updated", Effect::state},
    {"customer.updated", Effect::state},
};

} // namespace

std::span<const EventType> event_types() {
    return types;
}

Effect effect_of(std::string_view type, std::string_view object) {
    auto found =
        std::lower_bound(std::begin(types), std::end(types), type,
                         [](const EventType &a, std::string_view name) { return a.name < name; });
    if (found != std::end(types) && found->name == type)
        return found->effect;
    return find_kind_by_object(object) == nullptr ? Effect::ignored : Effect::state;
}

} // namespace billstack::stripe
