// From a batch of events of one integration to rows of the mirror. Events of one object are folded
// in memory, so that a row is written once a batch however many events it has had; where they do
// not decide, a refetch is asked for.
#pragma once
#include "stripe/event.hpp"
#include "sync/apply.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::sync {

enum class EventOutcome {
    applied,       // the mirror holds this state or a newer one of the same batch
    superseded,    // the mirror holds a newer state
    unchanged,     // the mirror held this very state
    refetch,       // the object is read once more; what it says just now may be applied already
    ignored,       // no object of a mirrored kind
    other_account, // of an account that is not the connection's own
    other_mode     // test and live mixed
};
// As stored in the ledger.
std::string_view outcome_name(EventOutcome outcome);

// Whose events may be applied. account_id empty: not known (a restricted key may not read it).
struct OwnAccount {
    std::string account_id;
    bool livemode = false;
};

struct EventResult {
    EventOutcome outcome = EventOutcome::ignored;
    const stripe::Kind *kind = nullptr; // of the object, when it is mirrored
    std::string_view object_id;         // into the event
};

struct EventOptions {
    core::Milliseconds late_delay{60000}; // until a member that Stripe fills later is read
};

// In the order of events. The events and their bodies stay alive until it returns.
std::vector<EventResult> apply_events(MirrorStore &store,
                                      const std::vector<const stripe::Event *> &events,
                                      const OwnAccount &own, const EventOptions &options);

} // namespace billstack::sync
