// Makes objects from Stripe's published examples: fresh ids, references to objects that exist, and
// children with ids of their own.
#pragma once

#include "store.hpp"

#include <cstdint>
#include <string>

namespace stripe_sim {

/// The bare example, with ids and references as published.
Json example(Kind kind, int64_t at);
/// A whole document, not stored yet. `fields` is a patch as in patch_document, or null; it may name
/// the id. `at` is when the object is created, Unix seconds. Throws JsonError.
Json make_document(Store &store, Kind kind, const json_t *fields, int64_t at, Rng &rng);
/// A child for a parent that exists or is about to.
Json make_child(Store &store, Kind child, const std::string &parent_id, const json_t *fields,
                int64_t at, Rng &rng);
/// Gives children without an id what they lack, so that a list may be given as
/// {"data": [{}, {"quantity": 2}]}.
void complete_children(Store &store, Kind kind, json_t *doc, int64_t at, Rng &rng);

/// Merges a patch as Stripe takes one: null makes a member null, in metadata it removes the key;
/// arrays are replaced.
void patch_document(json_t *target, const json_t *patch);

} // namespace stripe_sim
