// Finds a member name that an object has twice. Two readers of such an object may each take another
// value, so events that have one are refused.
#pragma once
#include "json/scanner.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace billstack::json {

// The names of the objects that are open, innermost last. Time grows with n log n whatever the
// names, and hashes only save work: equality is decided by the bytes.
class MemberNames {
  public:
    using Mark = std::size_t;

    MemberNames() { names_.reserve(128); }
    // At an object's beginning; to be given to close().
    Mark open() const { return names_.size(); }
    // Returns the name without its escapes; the view is into the text, or lives as long as this.
    std::string_view add(const Token &name) {
        std::string_view text = name.escaped ? resolve(name.text) : name.text;
        names_.push_back({hash_of(text), text});
        return text;
    }
    // At an object's end. False when a name was there twice.
    bool close(Mark mark) {
        const std::size_t count = names_.size() - mark;
        const bool distinct = count < 2 || are_distinct(mark);
        names_.resize(mark);
        return distinct;
    }

  private:
    struct Name {
        std::uint64_t hash = 0;
        std::string_view text;
    };

    // Length, first and last eight bytes, mixed.
    static std::uint64_t hash_of(std::string_view text) {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        if (text.size() >= 8) {
            std::memcpy(&first, text.data(), 8);
            std::memcpy(&last, text.data() + text.size() - 8, 8);
        } else if (text.size() >= 4) {
            std::memcpy(&first, text.data(), 4);
            std::memcpy(&last, text.data() + text.size() - 4, 4);
        } else {
            for (char byte : text)
                first = first << 8 | static_cast<unsigned char>(byte);
        }
        std::uint64_t mixed = first ^ (last << 21 | last >> 43) ^ (text.size() << 56);
        mixed *= 0x9e3779b97f4a7c15u;
        mixed ^= mixed >> 29;
        return mixed * 0xbf58476d1ce4e5b9u;
    }

    std::string_view resolve(std::string_view escaped);
    bool are_distinct(Mark mark);
    bool has_before(Mark mark, std::size_t at) const;

    std::vector<Name> names_;
    std::vector<std::unique_ptr<char[]>> arena_; // names that were written with escapes
};

} // namespace billstack::json
