// An object's JSON text with holes: made once from a fixture, rendered by concatenation.
#pragma once

#include "json_util.hpp"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace stripe_sim {

/// The values of the holes of one object, as JSON tokens. Kept by the caller and reused, so that
/// rendering allocates nothing after the first objects.
class Slots {
  public:
    /// Empties slot `slot` and returns it to be appended to.
    std::string &open(size_t slot) {
        values_[slot].clear();
        return values_[slot];
    }
    void raw(size_t slot, std::string_view token) { values_[slot].assign(token); }
    void null(size_t slot) { values_[slot].assign("null"); }
    void boolean(size_t slot, bool value) { values_[slot].assign(value ? "true" : "false"); }
    void number(size_t slot, int64_t value) {
        char text[24];
        auto end = std::to_chars(text, text + sizeof text, value).ptr;
        values_[slot].assign(text, end);
    }
    /// `value` needs no escaping.
    void plain(size_t slot, std::string_view value) {
        values_[slot].assign(1, '"').append(value).push_back('"');
    }
    const std::string &operator[](size_t slot) const { return values_[slot]; }

  private:
    std::array<std::string, 56> values_;
};

/// Where a slot goes: a dotted path in the fixture. A path may be used by one slot only; a slot may
/// fill several paths.
struct Hole {
    const char *path;
    size_t slot;
};
/// A value that is the same in every object: JSON text; null drops the member.
struct Fixed {
    const char *path;
    const char *json;
};

class Template {
  public:
    /// `depth` is the indentation of the whole object in levels of two spaces, for objects that are
    /// embedded in others.
    Template(const char *fixture_kind, const std::vector<Fixed> &fixed,
             const std::vector<Hole> &holes, unsigned depth);

    void render(std::string &out, const Slots &slots) const {
        for (const Piece &piece : pieces_) {
            out += piece.text;
            out += slots[piece.slot];
        }
        out += tail_;
    }

  private:
    struct Piece {
        std::string text;
        size_t slot;
    };
    std::vector<Piece> pieces_;
    std::string tail_;
};

} // namespace stripe_sim
