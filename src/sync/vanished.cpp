#include "sync/vanished.hpp"

#include <algorithm>

namespace billstack::sync {

namespace {

using Objects = std::vector<json::ObjectSpan>;

std::optional<std::int64_t> later(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return !a ? b : !b ? a : std::max(*a, *b);
}

std::optional<std::int64_t> earlier(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return !a ? b : !b ? a : std::min(*a, *b);
}

} // namespace

VanishedScan::VanishedScan(bool has_created, const RangePosition &start, ListEdge edge)
    : has_created_(has_created), complete_(start.cursor.empty()), cursor_(start.cursor),
      edge_(start.cursor.empty() ? ListEdge(std::in_place) : std::move(edge)) {}

// A list in another order than the one expected covers nothing.
bool VanishedScan::in_order(const RangePosition &before, const Objects &objects) const {
    std::optional<std::int64_t> previous;
    if (!before.cursor.empty()) {
        previous = before.cursor_created;
        if (!previous) {
            return false;
        }
    }
    for (const json::ObjectSpan &object : objects) {
        if (!object.created || (previous && *object.created > *previous)) {
            return false;
        }
        previous = object.created;
    }
    return true;
}

std::optional<CoveredSpan> VanishedScan::cover_whole(const RangePosition &before,
                                                     const Objects &objects, bool last) {
    if (before.cursor.empty()) {
        listed_.clear();
        complete_ = true;
    }
    complete_ = complete_ && listed_.size() + objects.size() <= most_ids;
    if (!complete_) {
        listed_.clear();
        return std::nullopt;
    }
    for (const json::ObjectSpan &object : objects) {
        listed_.insert(object.id);
    }
    // A part of the time says nothing of rows that do not tell theirs.
    bool all = last && !before.created_gte && !before.created_lte;
    return all ? std::optional(CoveredSpan{}) : std::nullopt;
}

void VanishedScan::move_edge(const RangePosition &before, const Objects &objects) {
    if (objects.empty()) {
        return;
    }
    std::int64_t second = *objects.back().created;
    if (before.cursor.empty() || before.cursor_created != second) {
        edge_.emplace();
    }
    for (const json::ObjectSpan &object : objects) {
        if (edge_ && object.created == second) {
            edge_->push_back(object.id);
        }
    }
    if (edge_ && edge_->size() > most_ids) {
        edge_.reset();
    }
}

std::optional<CoveredSpan> VanishedScan::cover(const RangePosition &before, const Objects &objects,
                                               bool last) {
    restarted_ = !cursor_.empty() && before.cursor.empty();
    cursor_ = objects.empty() ? before.cursor : objects.back().id;
    if (!has_created_) {
        return cover_whole(before, objects, last);
    }
    if (before.cursor.empty()) {
        edge_.emplace();
    }
    listed_.clear();
    if (!in_order(before, objects)) {
        edge_.reset();
        return std::nullopt;
    }
    CoveredSpan span;
    if (!before.cursor.empty()) {
        span.to = *before.cursor_created - (edge_ ? 0 : 1);
    }
    if (edge_) {
        listed_.insert(edge_->begin(), edge_->end());
    }
    for (const json::ObjectSpan &object : objects) {
        listed_.insert(object.id);
    }
    if (!last && !objects.empty()) {
        span.from = *objects.back().created + 1;
    }
    move_edge(before, objects);
    span.from = later(span.from, before.created_gte);
    span.to = earlier(span.to, before.created_lte);
    if (span.from && span.to && *span.from > *span.to) {
        return std::nullopt;
    }
    return span;
}

ListEdge VanishedScan::stored_edge() const {
    return edge_ && edge_->size() <= most_stored_ids ? edge_ : std::nullopt;
}

} // namespace billstack::sync
