#include "pg/backfill/range_claims.hpp"

namespace billstack::pg {

namespace {

// FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/.
std::uint64_t hash_of(const std::string &text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return hash;
}

// 48 bits of a hash. Two ranges with the same tag are walked one after the other, or by the same
// worker: slower, and right.
LOCKTAG tag_of(Oid table, const RangeName &range) {
    std::uint64_t bits = hash_of(std::to_string(range.run_id) + "/" + range.object + "/" +
                                 std::to_string(range.range_no));
    LOCKTAG tag;
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, static_cast<std::uint32_t>(bits),
                       static_cast<std::uint16_t>(bits >> 32));
    return tag;
}

std::uint64_t aborts = 0; // transactions of this process
bool registered = false;

// Of subtransactions the session's locks take no notice.
void at_transaction_end(XactEvent event, void *) {
    aborts += event == XACT_EVENT_ABORT ? 1 : 0;
}

// May raise: the server's table of locks is full.
bool lock(const LOCKTAG &tag) {
    return call(
        [&] { return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL; });
}

} // namespace

// While the process ends too: the server itself releases such locks only by an abort. What is open
// then is undone in any case.
RangeClaims::~RangeClaims() {
    try {
        for (const auto &[range, held] : held_) {
            unlock(held);
        }
    } catch (...) { // nothing that releases a lock raises
    }
}

void RangeClaims::unlock(const Held &held) {
    if (held.aborts == aborts) {
        call([&] { LockRelease(&held.tag, ExclusiveLock, true); });
    }
}

bool RangeClaims::take(Oid table, const RangeName &range) {
    if (!registered) {
        call([] { RegisterXactCallback(at_transaction_end, nullptr); });
        registered = true;
    }
    if (held_.contains(range)) {
        return true;
    }
    // Before the lock: it may run out of memory.
    auto place = held_.emplace(range, Held{tag_of(table, range), aborts}).first;
    bool taken = false;
    try {
        taken = lock(place->second.tag);
    } catch (...) {
        held_.erase(place);
        throw;
    }
    if (!taken) {
        held_.erase(place);
    }
    return taken;
}

namespace {

// Between transactions: nobody is there to catch what it raises, and a lock that cannot be had is
// lost.
bool lock_again(const LOCKTAG &tag) {
    try {
        return lock(tag);
    } catch (const PgError &) {
        return false;
    }
}

} // namespace

std::vector<RangeName> RangeClaims::renew() {
    std::vector<RangeName> lost;
    if (renewed_at_ == aborts) {
        return lost;
    }
    for (auto at = held_.begin(); at != held_.end();) {
        if (at->second.aborts == aborts || lock_again(at->second.tag)) {
            at->second.aborts = aborts;
            ++at;
        } else {
            lost.push_back(at->first);
            at = held_.erase(at);
        }
    }
    renewed_at_ = aborts;
    return lost;
}

void RangeClaims::release(const RangeName &range) {
    if (auto found = held_.find(range); found != held_.end()) {
        Held held = found->second;
        held_.erase(found);
        unlock(held);
    }
}

void RangeClaims::release_run(std::int64_t run_id) {
    for (auto at = held_.begin(); at != held_.end();) {
        Held held = at->second;
        bool of_run = at->first.run_id == run_id;
        at = of_run ? held_.erase(at) : std::next(at);
        if (of_run) {
            unlock(held);
        }
    }
}

int RangeClaims::count_of(std::int64_t run_id) const {
    return static_cast<int>(std::count_if(
        held_.begin(), held_.end(), [&](const auto &held) { return held.first.run_id == run_id; }));
}

} // namespace billstack::pg
