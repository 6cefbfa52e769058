// What a walker has seen of its range: how many objects lie between which times. From it the rest
// is estimated (range_split.hpp). Times are unix seconds, densities objects a second.
#pragma once
#include "core/pure.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace billstack::sync {

// A density and the time that it holds for best.
struct DensityPoint {
    double time = 0;
    double density = 0;
    bool operator==(const DensityPoint &) const = default;
};

class RangeSight {
  public:
    // A page, newest first. One that reaches no further down than what is known is not counted:
    // it was read again.
    void add_page(std::int64_t newest, std::int64_t oldest, int objects);

    bool empty() const { return objects_ == 0; }
    std::int64_t objects() const { return objects_; }
    std::int64_t newest() const { return newest_; }
    std::int64_t oldest() const { return oldest_; }
    // Over the first and over the last pages; nullopt while nothing was seen.
    std::optional<DensityPoint> top() const;
    std::optional<DensityPoint> bottom() const;

  private:
    // A few pages together: one page alone is too noisy.
    struct Window {
        std::int64_t newest = 0;
        std::int64_t oldest = 0;
        std::int64_t objects = 0;
        DensityPoint point() const;
    };
    static constexpr int window_pages = 4;

    std::int64_t objects_ = 0;
    std::int64_t newest_ = 0;
    std::int64_t oldest_ = 0;
    Window top_;
    std::array<Window, window_pages> last_{}; // a page each, ring
    std::uint64_t pages_ = 0;
};

} // namespace billstack::sync
