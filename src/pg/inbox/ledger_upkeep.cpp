#include "pg/inbox/ledger_upkeep.hpp"

#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/inbox/ledger_store.hpp"
#include "pg/mirror/mirror_access.hpp"

#include <algorithm>

namespace billstack::pg {

namespace {

constexpr std::int64_t day = 86400;
constexpr std::int64_t week = 7 * day;
constexpr std::int64_t first_monday = 4 * day; // 1970-01-05
constexpr int weeks_back = 5;                  // events come up to 30 days late
constexpr int weeks_ahead = 2;
constexpr int clear_limit = 10000;

std::int64_t monday_of(std::int64_t second) {
    return second - (second - first_monday) % week;
}

// One partition a transaction: each takes a short lock on all of the ledger.
bool make_next(std::int64_t now) {
    StoreTransaction transaction;
    std::vector<LedgerPartition> partitions = ledger_partitions();
    std::int64_t oldest = std::max(now - weeks_back * week, now - config::inbox_retention_s());
    for (std::int64_t monday = monday_of(oldest); monday <= now + (weeks_ahead - 1) * week;
         monday += week) {
        bool there = std::any_of(partitions.begin(), partitions.end(),
                                 [&](const auto &each) { return each.start == monday; });
        if (!there) {
            make_partition(monday);
            transaction.commit();
            return true;
        }
    }
    transaction.commit();
    return false;
}

bool drop_next(std::int64_t now) {
    StoreTransaction transaction;
    for (const LedgerPartition &partition : ledger_partitions()) {
        if (partition.start + week < now - config::inbox_retention_s()) {
            drop_partition(partition);
            transaction.commit();
            return true;
        }
    }
    transaction.commit();
    return false;
}

bool clear_some(std::int64_t now) {
    StoreTransaction transaction;
    std::int64_t gone = clear_ledger_before(now - config::inbox_retention_s(), clear_limit);
    transaction.commit();
    return gone >= clear_limit;
}

} // namespace

void LedgerUpkeep::step() {
    if (next_ && clock_.mono() < *next_) {
        return;
    }
    std::int64_t now = clock_.unix_us() / 1000000;
    try {
        while (make_next(now)) {
            check_for_interrupts();
        }
        while (drop_next(now) || clear_some(now)) {
            check_for_interrupts();
        }
        next_ = clock_.mono() + std::chrono::hours(1);
    } catch (const PgError &error) {
        next_ = clock_.mono() + std::chrono::minutes(1);
        log(LOG, std::string("billstack: the ledger's partitions wait: ") + error.what());
    }
}

} // namespace billstack::pg
