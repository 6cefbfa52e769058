// Which range is to be cut, and where: a pure rule over what is known of the ranges of all kinds. A
// range is cut when the requests that are left of it, one after the other, take longer than the
// limits make the whole rest take; so there are as many chains as the limits need and no more.
//
// What is left is estimated from a curve of densities through what was seen: between two points the
// logarithm is a straight line, below the last one the density falls off towards the likely start.
// An estimate that is wrong costs a request (an empty piece) or a cut more, never an object: pieces
// are disjoint and cover the range wherever it is cut.
#pragma once
#include "sync/range_sight.hpp"

#include <span>
#include <vector>

namespace billstack::sync {

// One range of a kind as the rule sees it. Bounds inclusive, unix seconds, nullopt: open.
struct Piece {
    std::optional<std::int64_t> gte;
    std::optional<std::int64_t> lte;
    std::optional<std::int64_t> began;   // where reading began here; nullopt: at an open end
    std::optional<std::int64_t> reached; // created of the last object fetched
    bool fetched = false;                // its end has been read
    bool in_flight = false;              // a list page is on its way
    bool cuttable = false;               // walked here and now
    RangeSight sight;
};

struct KindPieces {
    std::vector<Piece> pieces; // in any order
    int page_size = 100;
    std::int64_t requests = 0; // list pages answered so far
    int elsewhere = 0;         // chains of other workers
    bool may_cut = true;       // not refused just now, filters by created
    double latency = 0;        // seconds a list page takes on the wire, lately; 0: unknown
};

struct SplitRules {
    double endpoint_rate = 25; // requests a second
    double total_rate = 100;
    std::int64_t likely_start = 0;
};

struct SplitChoice {
    std::size_t kind = 0;
    std::size_t piece = 0;
    std::int64_t kept_gte = 0; // the newer piece keeps this second and what is newer
    bool operator==(const SplitChoice &) const = default;
};

// nullopt: no cut is worth its cost now.
std::optional<SplitChoice> choose_cut(std::span<const KindPieces> kinds, const SplitRules &rules);

// In the order of kinds: how many chains would keep the limits busy; 0: nothing is left.
std::vector<int> wanted_chains(std::span<const KindPieces> kinds, const SplitRules &rules);

// Objects not fetched and not on their way, piece by piece.
std::vector<double> objects_left(const KindPieces &kind, const SplitRules &rules);

} // namespace billstack::sync
