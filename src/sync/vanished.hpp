// Which rows of the mirror a list page says nothing of although it would have to. Lists are newest
// first, so a page shows every object of the seconds it covers: rows of those seconds that it does
// not name have vanished at Stripe, or are hidden there, and are read once more by id. Pure rule.
//
// A page covers the seconds after its last object's up to the last second of the page before. That
// second itself may be split over both, so the ids listed of it go along from page to page (the
// edge). Where they are not known, after a worker's end for one, the second is passed over.
#pragma once
#include "sync/range_walker.hpp"

#include <set>

namespace billstack::sync {

// Ids listed of the cursor's second; nullopt: not all of them are known.
using ListEdge = std::optional<std::vector<std::string>>;

// Seconds, both inclusive; nullopt is open.
struct CoveredSpan {
    std::optional<std::int64_t> from;
    std::optional<std::int64_t> to;
};

// Of one range. Kinds whose objects bear no `created` are judged at the end of their list, when all
// of it was read in one go, up to most_ids of it.
class VanishedScan {
  public:
    static constexpr std::size_t most_ids = 20000;
    static constexpr std::size_t most_stored_ids = 200;

    // has_created: the kind's objects say when they were created. start: where the range stands.
    VanishedScan(bool has_created, const RangePosition &start, ListEdge edge);

    // The next page. before: where the range stands, its bounds as they are now.
    std::optional<CoveredSpan> cover(const RangePosition &before,
                                     const std::vector<json::ObjectSpan> &objects, bool last);
    // False: another worker has walked the range since.
    bool stands_at(const RangePosition &position) const {
        return position.cursor.empty() || position.cursor == cursor_;
    }
    // Of the page just covered, and of the seconds it shares with others.
    bool is_listed(const std::string &id) const { return listed_.contains(id); }
    // The range was begun again before its cursor, whose object has vanished. Said of the page just
    // covered.
    bool has_restarted() const { return restarted_; }
    const ListEdge &edge() const { return edge_; }
    // The edge as it is worth keeping for a worker to come: nullopt too where it is long.
    ListEdge stored_edge() const;

  private:
    std::optional<CoveredSpan> cover_whole(const RangePosition &before,
                                           const std::vector<json::ObjectSpan> &objects, bool last);
    void move_edge(const RangePosition &before, const std::vector<json::ObjectSpan> &objects);
    bool in_order(const RangePosition &before, const std::vector<json::ObjectSpan> &objects) const;

    bool has_created_;
    bool complete_; // of a kind without `created`: no page is missing in listed_
    bool restarted_ = false;
    std::string cursor_;
    ListEdge edge_;
    std::set<std::string, std::less<>> listed_;
};

} // namespace billstack::sync
