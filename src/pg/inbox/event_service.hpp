// The worker's drain of the inbox: claims a batch, applies each integration's events in a
// subtransaction and moves them to the ledger, all in one transaction. States of a row:
//
//   waiting --claimed, applied--> done (in the ledger)
//      ^ |
//      | +--failed--> put off (next_try) --max_attempts--> dead letter --replay()--> waiting
//      +------------------+
#pragma once
#include "pg/inbox/event_store.hpp"
#include "pg/mirror/mirror_store.hpp"

namespace billstack::pg {

// What became of one turn.
struct EventTurn {
    bool more = false; // another turn finds work at once
    bool handlers_queued = false;
    bool refetches_asked = false;
};

class EventService {
  public:
    explicit EventService(const core::Clock &clock) : clock_(clock) {}

    // Rows may have come in.
    void wake() {
        wanted_ = true;
        woken_ = true;
    }
    // All rows are to be looked at again: after a start, an arm(), an upgrade of a mirror.
    void rescan();
    // One batch, one transaction. most: events of it, 0: as many as a batch has.
    EventTurn work(std::size_t most);
    bool busy() const { return wanted_ || retry_due(); }
    std::optional<core::MonoTime> next_retry() const { return retry_at_; }

  private:
    struct Work;  // an event of the batch
    struct Group; // those of one integration
    using Works = std::vector<Work *>;

    bool retry_due() const { return retry_at_ && clock_.mono() >= *retry_at_; }
    std::vector<InboxEvent> claim(std::size_t most, bool &more);
    void process(Group &group, EventTurn &turn);
    void put_off_linking(Group &group, const Works &works);
    void read(Group &group, Works &readable);
    void find_twins_of(Group &group, Works &works);
    void apply(Group &group, const Works &works, EventTurn &turn);
    void apply_at_once(Group &group, const Works &works, EventTurn &turn);
    void project(const Group &group, const Works &applied);
    void finish(const Group &group, const Works &works, EventTurn &turn);
    void drop_done(Group &group, const Works &works, EventTurn &turn);
    void put_off_locked(Group &group, const Works &works, const PgError &error, EventTurn &turn);
    void put_off_slow(Group &group, const Works &works, const std::string &error);
    bool is_slow(std::int32_t integration_id);
    void apply_alone(Group &group, const Works &works, EventTurn &turn);
    void split(Group &group, const Works &works, const std::string &error, EventTurn &turn);
    void fail(Group &group, Work &work, const std::string &error);
    void plan_retry();
    SpiMirrorStore &mirror_of(const EventTarget &target);

    const core::Clock &clock_;
    bool wanted_ = true;
    InboxPosition position_;
    std::uint64_t pass_floor_ = 0; // oldest transaction running when the pass began
    bool pass_open_ = false;
    bool woken_ = false; // since the pass began: perhaps for a row that it has gone past
    int pass_batches_ = 0;
    std::optional<core::MonoTime> retry_at_;
    bool retries_ = true;       // there may be rows that are put off
    std::optional<bool> twins_; // the ledger may hold twins
    bool due_turn_ = false;
    // Integrations whose batches took too long: their events are applied one by one until then.
    std::map<std::int32_t, core::MonoTime> slow_;
    std::vector<std::int32_t> resting_; // integrations that are copies or not upgraded yet
    std::map<std::int32_t, std::pair<std::string, std::unique_ptr<SpiMirrorStore>>> mirrors_;
};

} // namespace billstack::pg
