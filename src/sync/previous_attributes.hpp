// What an update event says of the state before it: data.previous_attributes holds the old values
// of what changed (https://docs.stripe.com/api/events/object). Orders two states of one second
// without asking Stripe.
#pragma once
#include "core/pure.hpp"

#include <string_view>

namespace billstack::sync {

enum class Follows {
    yes,        // the stored object shows the old values: the event comes after it
    already_in, // it shows the new ones
    unclear     // neither, a mixture, nothing that differs, or something that cannot be read
};

// stored_raw and object_raw are the whole objects, previous_raw the event's previous_attributes or
// empty. Objects among the old values hold only the members that changed and are compared member by
// member, arrays as a whole. Equal are numbers of one value (1.0 and 10e-1), strings of one text
// however escaped, objects in any order of members; a member that is absent counts as null.
// Throws nothing but std::bad_alloc.
Follows follows(std::string_view stored_raw, std::string_view object_raw,
                std::string_view previous_raw);

} // namespace billstack::sync
