// Reads a Stripe list page or a single object without building a tree: simdjson on demand. The
// bytes of each object are kept exactly as received. On the hot path; see docs/benchmark.md.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::json {

struct ObjectSpan {
    std::string id;
    std::optional<std::int64_t> created; // unix seconds
    std::string_view raw;                // into the page's buffer
};

// The body of a list answer, owned; views stay valid while this lives and is not moved from.
class ListPage {
  public:
    // Throws core::Error(stripe_unreachable) when the body is not a list object of objects with ids.
    static ListPage parse(std::string body);
    const std::vector<ObjectSpan> &objects() const { return objects_; }
    bool has_more() const { return has_more_; }

  private:
    std::unique_ptr<std::string> body_; // stable address, simdjson padding reserved
    std::vector<ObjectSpan> objects_;
    bool has_more_ = false;
};

} // namespace billstack::json
