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

// The body of a list answer, owned. Only what is needed to split it has been checked: brackets,
// quotes and UTF-8 of the whole; the inside of an object when its columns are read
// (path_reader.hpp). The views of objects() point into the body; they stay valid while this lives,
// also after a move.
class ListPage {
  public:
    // Throws core::Error(stripe_unreachable) when the body is not a list object of objects with
    // ids.
    static ListPage parse(std::string body);
    // The body of an answer that is one object: a page of one. Throws alike.
    static ListPage parse_object(std::string body);
    const std::vector<ObjectSpan> &objects() const { return objects_; }
    bool has_more() const { return has_more_; }

  private:
    std::unique_ptr<std::string> body_; // stable address, simdjson padding reserved
    std::vector<ObjectSpan> objects_;
    bool has_more_ = false;
};

// The text without the white space between its tokens: lists, events and single answers indent the
// same object differently. Valid until the next call in this thread; text itself where it cannot be
// told where strings end.
std::string_view without_space(std::string_view text);

// An element of a list inside an object.
struct ListElement {
    std::string_view id; // as it stands in the text; resolve it when id_escaped
    bool id_escaped = false;
    std::string_view raw;
};

struct InnerList {
    bool present = false; // a list object with a data array
    bool has_more = false;
    std::vector<ListElement> elements;
};

// raw: one value that the scanner has passed. Not a list object: present is false. Throws
// core::Error(stripe_unreachable) when an element is not an object with an id.
InnerList read_inner_list(std::string_view raw);

} // namespace billstack::json
