// SQL on event_mark and the asking side of refetch: what applying a state leaves beside the mirror.
// Every function acts as the extension's owner whoever calls; a transaction must be open.
#pragma once
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

// An event of that second (unix) showed the object's stored state again.
struct EventMark {
    std::string object_id;
    std::int64_t second = 0;
};

std::vector<EventMark> load_event_marks(std::int32_t integration_id, std::string_view kind,
                                        const std::vector<std::string_view> &object_ids);
// An object at most once; the later second stays.
void store_event_marks(std::int32_t integration_id, std::string_view kind,
                       const std::vector<EventMark> &marks);

// One row an object: a request for one that is queued already makes it due at the earlier of the
// two times and is counted, so that an answer that is on its way does not end it.
void request_refetches(std::int32_t integration_id,
                       const std::vector<sync::RefetchRequest> &requests);

} // namespace billstack::pg
