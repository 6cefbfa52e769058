#include "sync/range_split.hpp"

#include "sync/density_curve.hpp"

#include <algorithm>
#include <cmath>

namespace billstack::sync {

namespace {

// Found by test/unit/range_schedule_test.cpp.
constexpr double spare = 1.1;        // chains are late now and then, and latencies vary
constexpr double sooner = 0.9;       // other kinds end before the longest one
constexpr double least_pages = 1.2;  // left of a piece beside what is in flight, to be cut
constexpr double farthest = 300;     // times what was seen: no estimate goes beyond
constexpr double least_gap = 50;     // objects that would be there if it were no gap
constexpr double waste_at_first = 3; // requests of a kind beyond its pages
constexpr double waste_a_page = 0.015;
constexpr double waste_farthest = 2; // times what was seen, as far as waste is concerned

double start_of(const KindPieces &kind, const SplitRules &rules) {
    double start = static_cast<double>(rules.likely_start);
    double newest = -1e18;
    double oldest = 1e18;
    for (const Piece &piece : kind.pieces) {
        if (!piece.sight.empty()) {
            newest = std::max(newest, static_cast<double>(piece.sight.newest()));
            oldest = std::min(oldest, static_cast<double>(piece.sight.oldest()));
        }
    }
    // Older than was thought: perhaps a little more of it.
    return oldest > start ? start : oldest - (newest - oldest) / 10 - 1;
}

// A stretch without objects, as an empty piece or one that begins far above its first object shows.
void add_gap(std::vector<DensityPoint> &points, double from, double to) {
    if (to > from) {
        double density = 1 / (to - from);
        points.push_back({from, density});
        points.push_back({to, density});
    }
}

DensityCurve curve_of(const KindPieces &kind, double start) {
    std::vector<DensityPoint> points;
    for (const Piece &piece : kind.pieces) {
        std::optional<double> upper;
        if (piece.began) {
            upper = static_cast<double>(*piece.began);
        }
        if (piece.sight.empty()) {
            if (piece.fetched && upper) {
                add_gap(points, piece.gte ? static_cast<double>(*piece.gte) : start, *upper);
            }
            continue;
        }
        DensityPoint top = *piece.sight.top();
        DensityPoint bottom = *piece.sight.bottom();
        points.push_back(top);
        if (bottom.time < top.time) {
            points.push_back(bottom);
        }
        double newest = static_cast<double>(piece.sight.newest()) + 1;
        if (upper && (*upper - newest) * top.density > least_gap) {
            add_gap(points, newest, *upper);
        }
    }
    return DensityCurve(std::move(points), start);
}

// Where the unread part of a piece lies; empty when nothing is known of it.
struct Unread {
    double from = 0;
    double to = 0;
};

std::optional<Unread> unread_of(const Piece &piece, double start) {
    std::optional<std::int64_t> upper = piece.reached ? piece.reached : piece.lte;
    if (piece.fetched || !upper) {
        return std::nullopt;
    }
    Unread unread{piece.gte ? static_cast<double>(*piece.gte) : start, static_cast<double>(*upper)};
    return unread.from < unread.to ? std::optional(unread) : std::nullopt;
}

// A kind with what its estimates are made of.
struct Estimate {
    const KindPieces *kind;
    DensityCurve curve;
    double start;
    std::vector<double> left; // objects, piece by piece
    double seen = 0;
    double pages = 0; // left in all
    int chains = 0;

    Estimate(const KindPieces &given, const SplitRules &rules);
    double page() const { return static_cast<double>(kind->page_size); }
    double on_the_way(const Piece &piece) const { return piece.in_flight ? page() : 0; }
};

Estimate::Estimate(const KindPieces &given, const SplitRules &rules)
    : kind(&given), curve({}, 0), start(start_of(given, rules)) {
    curve = curve_of(given, start);
    for (const Piece &piece : given.pieces) {
        seen += static_cast<double>(piece.sight.objects());
    }
    chains = given.elsewhere;
    for (const Piece &piece : given.pieces) {
        chains += piece.fetched ? 0 : 1;
        double objects = 0;
        if (std::optional<Unread> unread = unread_of(piece, start)) {
            objects = curve.objects(unread->from, unread->to);
            objects = piece.gte ? objects : std::min(objects, farthest * seen);
        }
        left.push_back(std::max(0.0, objects - on_the_way(piece)));
        pages += left.back() / page();
    }
}

// Seconds that the limits make the rest take, at least.
class LeastTime {
  public:
    LeastTime(const std::vector<Estimate> &estimates, const SplitRules &rules) : rules_(rules) {
        for (const Estimate &estimate : estimates) {
            all_ += estimate.pages / rules.total_rate;
            longest_ = std::max(longest_, estimate.pages / rules.endpoint_rate);
        }
    }
    // Kinds beside the longest end a little sooner, so that they are never what is waited for.
    double of(const Estimate &estimate) const {
        return std::max({estimate.pages / rules_.endpoint_rate, all_, longest_ * sooner});
    }

  private:
    const SplitRules &rules_;
    double longest_ = 0; // of the kinds
    double all_ = 0;
};

int most_chains(const KindPieces &kind, const SplitRules &rules) {
    double rate = std::min(rules.endpoint_rate, rules.total_rate);
    return static_cast<int>(std::ceil(rate * kind.latency * spare));
}

bool may_waste(const Estimate &estimate) {
    double seen = estimate.seen / estimate.page();
    double spent = static_cast<double>(estimate.kind->requests) - seen + 0.5 * estimate.chains;
    // What is left is believed as far as a few times what was seen.
    double pages = seen + std::min(estimate.pages, waste_farthest * seen);
    return spent + 0.5 <= waste_at_first + waste_a_page * pages;
}

double chain_time(const Estimate &estimate, std::size_t piece) {
    return estimate.left[piece] / estimate.page() * estimate.kind->latency * spare;
}

// The second the newer part keeps; nullopt when the piece cannot be cut there.
std::optional<std::int64_t> place_of_cut(const Estimate &estimate, std::size_t index, int parts) {
    const Piece &piece = estimate.kind->pieces[index];
    std::optional<Unread> unread = unread_of(piece, estimate.start);
    if (!unread) {
        return std::nullopt;
    }
    double flying = estimate.on_the_way(piece);
    double kept = (estimate.left[index] + flying) / parts;
    kept = std::max(kept, flying + estimate.page() / 2);
    auto second = static_cast<std::int64_t>(
        std::ceil(estimate.curve.time_of(unread->from, unread->to, kept)));
    // What has been fetched stays whole, the older part must hold a second at least, and Stripe
    // counts from 1970.
    std::int64_t upper = piece.reached ? *piece.reached : *piece.lte;
    if (second < 1 || second > upper || (piece.gte && second <= *piece.gte)) {
        return std::nullopt;
    }
    return second;
}

std::vector<Estimate> estimates_of(std::span<const KindPieces> kinds, const SplitRules &rules) {
    std::vector<Estimate> estimates;
    for (const KindPieces &kind : kinds) {
        estimates.emplace_back(kind, rules);
    }
    return estimates;
}

int parts_of(double time, double least) {
    return static_cast<int>(std::clamp(std::ceil(time / std::max(least, 0.001)), 2.0, 64.0));
}

} // namespace

std::optional<SplitChoice> choose_cut(std::span<const KindPieces> kinds, const SplitRules &rules) {
    std::vector<Estimate> estimates = estimates_of(kinds, rules);
    LeastTime times(estimates, rules);
    std::optional<SplitChoice> best;
    double longest = 0;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
        const Estimate &estimate = estimates[k];
        double least = times.of(estimate);
        int room = most_chains(kinds[k], rules) - estimate.chains;
        if (!kinds[k].may_cut || kinds[k].latency <= 0 || room <= 0 || !may_waste(estimate)) {
            continue;
        }
        for (std::size_t i = 0; i < kinds[k].pieces.size(); ++i) {
            double time = chain_time(estimate, i);
            bool worth = estimate.left[i] >= least_pages * estimate.page() &&
                         time > least + kinds[k].latency / 2;
            if (!kinds[k].pieces[i].cuttable || !worth || time <= longest) {
                continue;
            }
            int parts = std::min(parts_of(time, least), room + 1);
            if (auto second = place_of_cut(estimate, i, parts)) {
                best = SplitChoice{k, i, *second};
                longest = time;
            }
        }
    }
    return best;
}

std::vector<int> wanted_chains(std::span<const KindPieces> kinds, const SplitRules &rules) {
    std::vector<Estimate> estimates = estimates_of(kinds, rules);
    LeastTime times(estimates, rules);
    std::vector<int> wanted;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
        const Estimate &estimate = estimates[k];
        if (estimate.chains == 0) {
            wanted.push_back(0);
            continue;
        }
        double least = times.of(estimate);
        double time = estimate.pages * kinds[k].latency * spare;
        int chains = kinds[k].latency > 0 && least > 0 ? parts_of(time, least) : 1;
        wanted.push_back(
            std::max(1, time <= least ? 1 : std::min(chains, most_chains(kinds[k], rules))));
    }
    return wanted;
}

std::vector<double> objects_left(const KindPieces &kind, const SplitRules &rules) {
    return Estimate(kind, rules).left;
}

} // namespace billstack::sync
