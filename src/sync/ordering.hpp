// Which of two states of one object is the newer (sync.md section 2). Pure decisions, no I/O.
//
// A state is as of a window of whole seconds on Stripe's clock: an event's second, or the time from
// sending a request to its answer. Reading I against stored S, the first line that fits:
//
//   S is not there                          apply
//   same bytes, S no tombstone              unchanged   nothing is written, not even the window
//   I.start > S.end                         apply       certainly newer
//   I.end < S.start                         older       certainly older
//   overlap, S from an event                unclear     the event's second lies inside the read
//   overlap, S from a read, I.start >= S.start  apply   sent no earlier and answered later
//   overlap, S from a read, I.start <  S.start  unclear sent earlier, but answered later
//
// A tombstone is a state like any other: a later read that found the object lifts it, an earlier
// one does not. The sixth line is a guess: within the overlap the read sent later may have been
// served first. Whatever changed between the two has an event whose second lies in that overlap,
// so the event, when it comes, meets a read's window it lies in, and a refetch decides. Two reads
// in one second (an answer, its retry, a second run) must not wait for the clock to move.
// `unchanged` keeps the older window: an event between the two would then be applied over the
// newer read; the event that undid it follows, and the last one wins.
#pragma once
#include "sync/row.hpp"

namespace billstack::sync {

// What the mirror holds for an id.
struct StoredState {
    bool exists = false;
    AsOf as_of;
    Digest digest{};
    bool deleted = false; // tombstone
    Source source = Source::backfill;
};

enum class Decision {
    apply,
    unchanged, // same bytes: nothing is written
    older,     // skip
    unclear    // windows overlap and neither side says which is newer: a refetch decides
};

// For a state read from Stripe (list page or read by id). upsert_statement() guards by the same
// rule, so that a state written meanwhile by another session is not lost.
Decision decide_read(const StoredState &stored, const AsOf &incoming, const Digest &digest);

// The word stored in _source, and back; an unknown word is taken for a read.
std::string_view source_name(Source source);
Source source_of(std::string_view name);

} // namespace billstack::sync
