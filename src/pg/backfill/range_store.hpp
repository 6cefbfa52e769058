// The rows of ranges as several workers share them. Every function needs an open StoreTransaction.
#pragma once
#include "pg/backfill/range_claims.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

struct OpenRange {
    const stripe::Kind *kind;
    int range_no;
    Oid table;
};
// Ranges of a run that are not done or failed, whoever walks them.
std::vector<OpenRange> load_open_ranges(std::int64_t run_id);

// Where an open range stands; nullopt: it has ended. A snapshot of its own: to be asked once the
// range is claimed.
std::optional<sync::RangePosition> load_range(std::int64_t run_id, const OpenRange &range);

// Stores a cut: the newer piece ends where it says, the older one is a range of its own, which is
// returned. nullopt: the range is no longer what the cut was made of.
std::optional<OpenRange> store_cut(std::int64_t run_id, const sync::RangeCut &cut);

enum class RunEnd {
    closed, // the run is no longer open
    others, // ranges are open: other workers walk them
    due     // none is: the run is to be ended in this transaction
};
// Locks the run, so that one worker alone ends it.
RunEnd look_for_run_end(std::int64_t run_id);

// The key the run was opened with is still the integration's.
bool run_key_is_stored(std::int32_t integration_id, const std::string &sealed_key);

} // namespace billstack::pg
