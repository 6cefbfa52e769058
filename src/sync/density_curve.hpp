// Density over time through the points given: log-linear between them. For range_split.
#pragma once
#include "sync/range_sight.hpp"

#include <vector>

namespace billstack::sync {

class DensityCurve {
  public:
    // Beyond the oldest point the density falls to a part of its own at `start`.
    DensityCurve(std::vector<DensityPoint> points, double start);
    bool empty() const { return points_.empty(); }
    // Objects in [from, to]; 0 without points.
    double objects(double from, double to) const;
    // The time t for which objects(t, to) is as many as wanted; `from` when there are fewer.
    double time_of(double from, double to, double wanted) const;

  private:
    double density(double time) const;

    std::vector<DensityPoint> points_; // oldest first
};

} // namespace billstack::sync
