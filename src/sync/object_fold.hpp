// The events of one object of a batch, folded over what the mirror holds, and the writing of all
// objects of a kind once they are folded.
#pragma once
#include "stripe/event.hpp"
#include "sync/event_batch.hpp"
#include "sync/row_writer.hpp"

#include <memory>

namespace billstack::sync {

// The kind has a member that Stripe fills some time later, and it is null.
bool waits_for_late_member(const stripe::Kind &kind, std::string_view raw);

class ObjectFold {
  public:
    ObjectFold(MirrorStore &store, const stripe::Kind &kind, std::string_view id,
               const StoredState &stored)
        : store_(store), kind_(kind), id_(id), stored_(stored), state_(stored) {}

    EventOutcome add(const stripe::Event &event, const EventState &state);

    std::string_view id() const { return id_; }
    const StoredState &stored() const { return stored_; } // before the batch
    const StoredState &state() const { return state_; }   // after it
    // The event whose state is to be written; nullptr: nothing is.
    const stripe::Event *written() const { return written_; }
    // The last event that showed the state once more; nullptr: none has.
    const stripe::Event *seen_again() const { return seen_again_; }
    bool refetch() const { return refetch_; }

  private:
    Follows previous_of(const stripe::Event &event);

    MirrorStore &store_;
    const stripe::Kind &kind_;
    std::string_view id_;
    StoredState stored_;
    StoredState state_;
    const stripe::Event *written_ = nullptr;
    const stripe::Event *seen_again_ = nullptr;
    bool refetch_ = false;
};

class KindWriter {
  public:
    KindWriter(MirrorStore &store, const stripe::Kind &kind, core::Milliseconds late_delay)
        : store_(store), kind_(kind), late_delay_(late_delay) {}

    // In the order of ids.
    void add(const ObjectFold &fold);
    // Writes rows, tombstones and children; appends what is to be read once more.
    void write(std::vector<RefetchRequest> &refetches);

  private:
    void add_children(const ObjectFold &fold, const AsOf &as_of);
    // The event changed no byte of the object, but perhaps a child past the embedded ones.
    void ask_for_hidden(const ObjectFold &fold, const stripe::Event &event);
    void ask(std::string_view id, const char *reason, core::Milliseconds delay);

    MirrorStore &store_;
    const stripe::Kind &kind_;
    core::Milliseconds late_delay_;
    RowBatch rows_;
    std::vector<Deletion> deletions_;
    std::vector<CompleteList> gone_; // those, and what the mirror never had
    std::vector<SeenAgain> seen_;
    std::vector<RefetchRequest> refetches_;
    std::vector<std::unique_ptr<ListWriter>> lists_; // one a child list of the kind
    std::vector<ChildRows> children_;                // what the writers point into
};

} // namespace billstack::sync
