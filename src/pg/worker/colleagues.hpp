// What the workers of one database tell each other through its entry in shared memory: who is
// there, how many ranges each walks, and that there is something to look at.
#pragma once
#include "pg/worker/shared_state.hpp"

namespace billstack::pg {

class Colleagues {
  public:
    // number: 0 for the sync worker, else that of the backfill worker.
    Colleagues(SharedState &state, Oid database, int number) noexcept
        : state_(state), database_(database), number_(number) {}

    int number() const { return number_; }
    bool is_sync_worker() const { return number_ == 0; }
    // This one included; those that were asked for count for a second until they come.
    int count() const noexcept;
    void note_ranges(int ranges) noexcept; // this worker walks so many
    // A worker that is there walks fewer ranges than that.
    bool somebody_walks_fewer(int than) const noexcept;
    // All others look at the runs and their ranges.
    void wake() noexcept;
    // The sync worker looks at the refetches.
    void wake_for_refetches() noexcept;
    // Of the sync worker: further ones are wanted, or no more.
    void want(bool runs_are_open) noexcept;

  private:
    SharedState &state_;
    Oid database_;
    int number_;
};

} // namespace billstack::pg
