#include "pg/worker/read_upkeep.hpp"

#include "pg/mirror/mirror_access.hpp"
#include "pg/worker/read_count_store.hpp"

namespace billstack::pg {

namespace {

constexpr auto pause = std::chrono::seconds(5);

} // namespace

void ReadUpkeep::work() {
    if (clock_.mono() < due_ || !has_unstored_reads()) {
        return;
    }
    due_ = clock_.mono() + pause;
    std::vector<ReadCount> counts = take_read_counts();
    try {
        StoreTransaction transaction;
        store_read_counts(counts);
        transaction.commit_without_waiting(); // what is in memory only is lost by a crash anyway
    } catch (const PgError &error) {
        give_back_read_counts(counts);
        if (!is_lock_trouble(error)) {
            throw;
        }
    } catch (...) {
        give_back_read_counts(counts);
        throw;
    }
}

std::optional<core::MonoTime> ReadUpkeep::next_retry() const {
    return has_unstored_reads() ? std::optional(due_) : std::nullopt;
}

} // namespace billstack::pg
