// See ordering.hpp, which holds the table.
#include "sync/ordering.hpp"

namespace billstack::sync {

Decision decide_read(const StoredState &stored, const AsOf &incoming, const Digest &digest) {
    if (!stored.exists)
        return Decision::apply;
    if (!stored.deleted && stored.digest == digest)
        return Decision::unchanged;
    if (incoming.start > stored.as_of.end)
        return Decision::apply;
    if (incoming.end < stored.as_of.start)
        return Decision::older;
    bool sent_no_earlier = incoming.start >= stored.as_of.start;
    return stored.source != Source::event && sent_no_earlier ? Decision::apply : Decision::unclear;
}

std::string_view source_name(Source source) {
    switch (source) {
    case Source::backfill:
        return "backfill";
    case Source::read:
        return "read";
    case Source::event:
        return "event";
    case Source::call:
        return "call";
    }
    return "read";
}

Source source_of(std::string_view name) {
    for (Source source : {Source::backfill, Source::event, Source::call})
        if (source_name(source) == name)
            return source;
    return Source::read;
}

} // namespace billstack::sync
