#include "sync/range_sight.hpp"

#include <algorithm>

namespace billstack::sync {

DensityPoint RangeSight::Window::point() const {
    double span = static_cast<double>(newest - oldest) + 1;
    return {(static_cast<double>(newest) + static_cast<double>(oldest)) / 2,
            static_cast<double>(objects) / span};
}

void RangeSight::add_page(std::int64_t newest, std::int64_t oldest, int objects) {
    if (objects <= 0 || newest < oldest || (!empty() && oldest >= oldest_)) {
        return;
    }
    // The gap above a page belongs to it, but for the first.
    Window page{empty() ? newest : oldest_, oldest, objects};
    if (empty()) {
        newest_ = newest;
        top_ = page;
    } else if (pages_ < window_pages) {
        top_.oldest = oldest;
        top_.objects += objects;
    }
    last_[pages_ % window_pages] = page;
    ++pages_;
    oldest_ = oldest;
    objects_ += objects;
}

std::optional<DensityPoint> RangeSight::top() const {
    return empty() ? std::nullopt : std::optional(top_.point());
}

std::optional<DensityPoint> RangeSight::bottom() const {
    if (empty()) {
        return std::nullopt;
    }
    Window sum = last_[(pages_ - 1) % window_pages];
    for (std::uint64_t i = 1; i < std::min<std::uint64_t>(pages_, window_pages); ++i) {
        const Window &page = last_[(pages_ - 1 - i) % window_pages];
        sum.newest = page.newest;
        sum.objects += page.objects;
    }
    return sum.point();
}

} // namespace billstack::sync
