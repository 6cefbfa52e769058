// See member_names.hpp. Three ways by size: pairs, a filter that asks for a search only where two
// hashes share a bit, and sorting.
#include "json/member_names.hpp"

#include "json/token_text.hpp"

#include <algorithm>
#include <array>

namespace billstack::json {

namespace {

constexpr std::size_t few = 8;
constexpr std::size_t many = 256;

} // namespace

std::string_view MemberNames::resolve(std::string_view escaped) {
    arena_.push_back(std::make_unique<char[]>(escaped.size()));
    return {arena_.back().get(), unescape(escaped, arena_.back().get())};
}

// Whether the name at this place stands between the mark and it too.
bool MemberNames::has_before(Mark mark, std::size_t at) const {
    const Name &name = names_[at];
    for (std::size_t i = mark; i < at; ++i)
        if (names_[i].hash == name.hash && names_[i].text == name.text)
            return true;
    return false;
}

bool MemberNames::are_distinct(Mark mark) {
    const std::size_t count = names_.size() - mark;
    if (count <= few) {
        for (std::size_t at = mark + 1; at < names_.size(); ++at)
            if (has_before(mark, at))
                return false;
        return true;
    }
    if (count <= many) {
        std::array<std::uint64_t, 32> seen{}; // 2048 bits
        for (std::size_t at = mark; at < names_.size(); ++at) {
            const std::uint64_t place = names_[at].hash >> 53;
            const std::uint64_t bit = std::uint64_t{1} << (place & 63);
            if ((seen[place >> 6] & bit) != 0 && has_before(mark, at))
                return false;
            seen[place >> 6] |= bit;
        }
        return true;
    }
    const auto first = names_.begin() + static_cast<std::ptrdiff_t>(mark);
    std::sort(first, names_.end(), [](const Name &a, const Name &b) {
        return a.hash != b.hash ? a.hash < b.hash : a.text < b.text;
    });
    return std::adjacent_find(first, names_.end(), [](const Name &a, const Name &b) {
               return a.hash == b.hash && a.text == b.text;
           }) == names_.end();
}

} // namespace billstack::json
