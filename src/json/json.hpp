// Small JSON documents, read once or built: jansson behind an owning node. Not for pages of objects
// (json/object_page.hpp) and not for money, which jansson would pass through a double.
#pragma once
#include "core/pure.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct json_t;

namespace billstack::json {

class Node {
  public:
    // An object or array. Throws core::Error(bad_argument), whose texts hold nothing of the input:
    // syntax, duplicate keys, deeper than 64, larger than 4 MiB.
    static Node parse(std::string_view text);
    static Node object();
    static Node array();
    Node(Node &&) noexcept;
    Node &operator=(Node &&) noexcept;
    Node(const Node &) = delete;
    ~Node();

    bool is_object() const;
    // nullopt when the dotted path is absent, null or of another type; "data.0.id" enters the first
    // item of an array. A U+0000 in a text comes out as U+FFFD: the server's text cannot hold it.
    std::optional<std::string> text_at(std::string_view dotted_path) const;
    std::optional<std::int64_t> integer_at(std::string_view dotted_path) const;
    std::optional<bool> boolean_at(std::string_view dotted_path) const;

    // Building; on an object. A nullopt or nullptr sets null. What is not UTF-8, and U+0000, which
    // jsonb refuses, becomes U+FFFD. A key set twice keeps its place and the last value.
    Node &set(const char *key, std::string_view text);
    Node &set(const char *key, const std::string &text);
    Node &set(const char *key, const char *text);
    Node &set(const char *key, const std::optional<std::string> &text);
    Node &set(const char *key, std::int64_t number);
    Node &set(const char *key, int number);
    Node &set(const char *key, std::optional<std::int64_t> number);
    Node &set(const char *key, bool value);
    Node &set(const char *key, std::optional<bool> value);
    Node &set(const char *key, Node value);
    Node &set_null(const char *key);
    Node &append(Node value); // on an array
    Node &append(std::string_view text);
    std::string dump() const; // compact, keys in the order of insertion

  private:
    explicit Node(json_t *owned) : node_(owned) {}
    json_t *node_;
};

} // namespace billstack::json
