// Which of two states of one object is the newer (sync.md section 2). Pure decisions, no I/O.
#pragma once
#include "sync/row.hpp"

namespace billstack::sync {

// What the mirror holds for an id.
struct StoredState {
    bool exists = false;
    AsOf as_of;
    Digest digest{};
    bool deleted = false; // tombstone
};

enum class Decision {
    apply,
    unchanged, // same bytes: nothing is written
    older,     // skip
    unclear    // windows overlap and neither side says which is newer: a refetch decides
};

// For a state read from Stripe (list page or read by id).
Decision decide_read(const StoredState &stored, const AsOf &incoming, const Digest &digest);

} // namespace billstack::sync
