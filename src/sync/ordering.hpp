// Which of two states of one object is the newer (sync.md section 2). Pure decisions, no I/O. The
// tables stand in docs/architecture.md, "Which state is newer".
//
// A state is as of a window of whole seconds on Stripe's clock: an event's second, or the time from
// sending a request to its answer. A tombstone is a state like any other. Where neither side is
// certainly newer the decision asks for a refetch: the object is read once more, and that read,
// sent after everything known, is right whatever the windows say.
#pragma once
#include "sync/previous_attributes.hpp"
#include "sync/row.hpp"

#include <functional>
#include <optional>

namespace billstack::sync {

// What the mirror holds for an id.
struct StoredState {
    bool exists = false;
    AsOf as_of;
    Digest digest{};
    bool deleted = false; // tombstone
    Source source = Source::backfill;
    // Changes with every write of the row; 0 when it does not exist.
    std::int64_t version = 0;
    // The second of the newest event that showed this very state again: nothing was written then,
    // yet the state is known to have held.
    std::optional<std::int64_t> seen_at;
    // The state is that of a *.created event, and the only one known of its second. Not stored: it
    // lives as long as the batch.
    bool just_created = false;

    // as_of with seen_at taken into account.
    AsOf window() const;
    // An event of that second, or of any inside a read's window, has been met already.
    bool knows_event_of(std::int64_t second) const;
};

enum class Decision {
    apply,
    unchanged, // same bytes: nothing is written
    older,     // skip
    unclear    // windows overlap and neither side says which is newer: a refetch decides
};

// The row shows these bytes already, and is no tombstone.
bool holds(const StoredState &stored, const Digest &digest);

// For a state read from Stripe (list page or read by id): I against the stored S, first line that
// fits:
//   S is not there                              apply
//   same bytes, S no tombstone                  unchanged  not even the window is written
//   I.start > S.end                             apply      certainly newer
//   I.end < S.start                             older      certainly older
//   overlap, S from an event, or one is known
//     inside or after the window of S           unclear    the event lies inside the read
//   overlap, S read because of an event         unclear    that event may bring no state itself
//   overlap, S the answer to a write            unclear    the write's event lies in that window
//   overlap, else, I.start >= S.start           apply      sent no earlier and answered later
//   overlap, else, I.start <  S.start           unclear    sent earlier, but answered later
// The last but one is a guess: whatever changed between the two pages has an event in that overlap,
// which is still to come and will meet a read's window.
Decision decide_read(const StoredState &stored, const AsOf &incoming, const Digest &digest);

// For a read that was sent when the stored row had version `sent_at`: while the row still has it,
// and no later event has shown its state again, the read is newer than everything in the mirror.
// Else decide_read().
Decision decide_refetch(const StoredState &stored, std::int64_t sent_at, const AsOf &incoming,
                        const Digest &digest);

// The same two by the windows alone, never `unchanged`: for the children that the bytes of their
// parent do not show.
Decision order_read(const StoredState &stored, const AsOf &incoming);
Decision order_refetch(const StoredState &stored, std::int64_t sent_at, const AsOf &incoming);

// For the children of a parent that was applied: they go with it, unless certainly newer.
Decision decide_child(const StoredState &stored, const AsOf &incoming, const Digest &digest);

// What an event says of its object.
struct EventState {
    enum class Op { created, changed, deleted };
    Op op = Op::changed;
    std::int64_t second = 0;
    Digest digest{};
};

struct EventDecision {
    enum class Action { apply, keep };
    enum class Why { newer, older, same, tie };
    Action action = Action::keep;
    Why why = Why::older;
    bool refetch = false;  // the answer is provisional
    bool remember = false; // keep it as seen_at
};

// previous: asked at most once, and only where it can decide (it needs the stored bytes).
EventDecision decide_event(const StoredState &stored, const EventState &event,
                           const std::function<Follows()> &previous);

// The word stored in _source, and back; an unknown word is taken for a read.
std::string_view source_name(Source source);
Source source_of(std::string_view name);

} // namespace billstack::sync
