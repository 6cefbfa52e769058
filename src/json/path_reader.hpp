// Finds the values at a fixed set of dotted paths in a JSON object, in one pass, and checks all of
// the object on the way: what it has passed is valid JSON in valid UTF-8.
#pragma once
#include "json/scanner.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace billstack::json {

class PathReader {
  public:
    // No path twice. A step of digits indexes an array; every other step names a member.
    explicit PathReader(std::span<const std::string_view> dotted_paths);
    ~PathReader();
    PathReader(PathReader &&) noexcept;
    PathReader(const PathReader &) = delete;

    // tokens: one per path, in the order given; absent where nothing was found. Of a member that
    // is there twice the last counts, as for PostgreSQL. Views point into object.
    // Throws core::Error(stripe_unreachable) when object is anything but one JSON object.
    void read(std::string_view object, std::span<Token> tokens) const;

  private:
    struct Node;
    void read_object(Scanner &scanner, const Node &node, int depth, std::span<Token> tokens) const;
    void read_array(Scanner &scanner, const Node &node, int depth, std::span<Token> tokens) const;
    void read_value(Scanner &scanner, const Node &node, int depth, std::span<Token> tokens) const;

    std::unique_ptr<Node> root_;
};

} // namespace billstack::json
