#include "sync/density_curve.hpp"

#include <algorithm>
#include <cmath>

namespace billstack::sync {

namespace {

// Accounts grow, but what is thought too old to hold much costs more than an empty piece.
constexpr double density_at_start = 0.7;
constexpr double least_density = 1e-9;
constexpr double steepest = 12; // of the logarithms, between two points

// Objects between two points, dt apart.
double between(double a, double b, double dt) {
    double ratio = std::log(a / b);
    return std::abs(ratio) < 1e-3 ? (a + b) / 2 * dt : (a - b) / ratio * dt;
}

} // namespace

DensityCurve::DensityCurve(std::vector<DensityPoint> points, double start)
    : points_(std::move(points)) {
    std::sort(points_.begin(), points_.end(),
              [](const auto &a, const auto &b) { return a.time < b.time; });
    for (DensityPoint &point : points_) {
        point.density = std::max(point.density, least_density);
    }
    for (std::size_t i = 1; i < points_.size(); ++i) {
        double least = points_[i - 1].density * std::exp(-steepest);
        points_[i].density = std::max(points_[i].density, least);
    }
    if (!points_.empty() && start < points_.front().time) {
        DensityPoint first{start, points_.front().density * density_at_start};
        points_.insert(points_.begin(), first);
    }
}

double DensityCurve::density(double time) const {
    auto above = std::lower_bound(points_.begin(), points_.end(), time,
                                  [](const auto &point, double t) { return point.time < t; });
    if (above == points_.begin()) {
        return points_.front().density;
    }
    if (above == points_.end()) {
        return points_.back().density;
    }
    const DensityPoint &below = *std::prev(above);
    double part = (time - below.time) / (above->time - below.time);
    return below.density * std::pow(above->density / below.density, part);
}

double DensityCurve::objects(double from, double to) const {
    if (points_.empty() || from >= to) {
        return 0;
    }
    double sum = 0;
    double at = from;
    for (const DensityPoint &point : points_) {
        if (point.time > at && point.time < to) {
            sum += between(density(at), point.density, point.time - at);
            at = point.time;
        }
    }
    return sum + between(density(at), density(to), to - at);
}

double DensityCurve::time_of(double from, double to, double wanted) const {
    if (objects(from, to) <= wanted) {
        return from;
    }
    double low = from;
    double high = to;
    for (int i = 0; i < 50 && high - low > 0.5; ++i) {
        double middle = (low + high) / 2;
        (objects(middle, to) > wanted ? low : high) = middle;
    }
    return high;
}

} // namespace billstack::sync
