// The ranges this worker may walk. A claim is a session-level lock; at the end of the process its
// exit callbacks destroy this object and so release it. It is of the server's own lock method: what
// a user's trigger does with advisory locks inside the worker, and what the worker does about those
// it left, do not touch it. The abort of a transaction drops such locks, though: they are renewed
// afterwards, and what another worker has taken meanwhile is lost. That costs pages read twice,
// never rows: the row of a range only says what is written already.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// A range as its row names it.
struct RangeName {
    std::int64_t run_id = 0;
    std::string object;
    int range_no = 0;
    auto operator<=>(const RangeName &) const = default;
};

class RangeClaims {
  public:
    RangeClaims() = default;
    ~RangeClaims(); // releases all
    RangeClaims(const RangeClaims &) = delete;
    RangeClaims &operator=(const RangeClaims &) = delete;

    // table: OID of the table of ranges. False: another worker has it. What the row says is to be
    // read afterwards: until now somebody else may have moved it. May raise, and needs no
    // transaction.
    bool take(Oid table, const RangeName &range);
    // To be called after an abort: takes again what it dropped; the answer is what others have now.
    std::vector<RangeName> renew();
    void release(const RangeName &range);
    void release_run(std::int64_t run_id);
    bool has(const RangeName &range) const { return held_.contains(range); }
    int count() const { return static_cast<int>(held_.size()); }
    int count_of(std::int64_t run_id) const;

  private:
    struct Held {
        LOCKTAG tag;
        std::uint64_t aborts; // of this process when the lock was taken
    };
    static void unlock(const Held &held);
    std::map<RangeName, Held> held_;
    std::uint64_t renewed_at_ = 0; // aborts seen
};

} // namespace billstack::pg
