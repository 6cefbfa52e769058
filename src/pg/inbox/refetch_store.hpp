// SQL on refetch for the worker. Needs an open transaction and SpiSession with the rights of the
// extension's owner. Asking for a refetch is in event_mark_store.hpp.
#pragma once
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

struct DueRefetch {
    std::int32_t integration_id = 0;
    std::string kind;
    std::string object_id;
    std::string reason;
    std::int32_t requests = 0;
    std::int32_t attempts = 0;   // failed ones in a row
    std::int32_t late_reads = 0; // that found the late member still null
};

// Due ones, oldest first; not those of the resting integrations.
std::vector<DueRefetch> load_due_refetches(int limit, const std::vector<std::int32_t> &resting);
// When the next will be due, of those that are not due yet.
std::optional<TimestampTz> next_refetch_at(const std::vector<std::int32_t> &resting);
// Locks the row. False: it has gone. asked_again: more requests than when it was loaded.
bool lock_refetch(const DueRefetch &refetch, bool &asked_again);
void delete_refetch(const DueRefetch &refetch);
// Due again after the delay; attempts: as they are to stand; error "" for none.
void delay_refetch(const DueRefetch &refetch, core::Milliseconds delay, std::int32_t attempts,
                   const std::string &error);
// Due again because a member is still to be filled.
void delay_late_refetch(const DueRefetch &refetch, core::Milliseconds delay);

} // namespace billstack::pg
