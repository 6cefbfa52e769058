// SQL on the partitions of the ledger and what is cleared with them. Needs an open transaction and
// SpiSession with the rights of the extension's owner.
#pragma once
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

struct LedgerPartition {
    std::string name;       // "event_20261116": by its Monday
    std::int64_t start = 0; // unix seconds
};
std::vector<LedgerPartition> ledger_partitions();
// "event_20261116" of a Monday.
std::string partition_name(std::int64_t monday);
// Takes along what the default partition holds of that week.
void make_partition(std::int64_t monday);
void drop_partition(const LedgerPartition &partition);
// Rows done before `before` that are in no week's partition, marks and dead letters as old. At most
// `limit` each; returns how many have gone.
std::int64_t clear_ledger_before(std::int64_t before, int limit);

} // namespace billstack::pg
