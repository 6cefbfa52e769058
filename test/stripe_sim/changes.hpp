// Changes as Stripe makes them: applied to the store, each told of by an event.
#pragma once

#include "events.hpp"
#include "rng.hpp"

#include <optional>
#include <string>

namespace stripe_sim {

struct Change {
    Op op;
    Kind kind;
    std::string id;                   ///< empty: a fresh one (create only)
    std::string parent = {};          ///< of a child that is created
    const json_t *fields = nullptr;   ///< a patch, see patch_document; not owned
    std::string type = {};            ///< of the event; empty: what Stripe would send
    std::optional<int64_t> at = {};   ///< the event's second; the clock's by default
    std::string idempotency_key = {}; ///< of the request that changed it
    bool silent = false;              ///< without an event
};

struct ChangeResult {
    std::string id; ///< of the object
    const RecordedEvent *event =
        nullptr; ///< null where Stripe has none; valid until the next change
    int64_t at = 0;
};

/// Throws ApiError when the object does not exist, exists already, or cannot be changed so.
ChangeResult apply_change(Store &store, const Change &change, Rng &rng);

/// Records an event of what happened silently: the object as it is, with `then` (a patch, or null)
/// put back to what it was when Stripe tells of it.
void tell_of(Store &store, Kind kind, const std::string &id, const std::string &type,
             const json_t *then, const std::string &idempotency_key);

} // namespace stripe_sim
